"""A Redis stream into the state: each entry once, whatever ends, repeats, breaks or is away meanwhile."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest
import redis

from components.errors import ServiceError
from components.serving.consumer import Consumer, Membership, Tally
from components.serving.state.memory import MemoryState
from components.serving.state.protocol import Receipt
from components.serving.state.record import Record
from tests.eventlog import NOW, START, log_params
from tests.redis_server import RedisServer, running

PARAMS = log_params().events
NAMES = (f"stream-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running() as one:
        yield one


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, protocol=2, socket_timeout=30) as one:
        yield one


@pytest.fixture
def stream() -> str:
    return next(NAMES)


def event(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "user_id": f"u{number % 7}",
        "item_id": f"i{number}",
        "action": "view",
        "timestamp": START.isoformat(),
    } | changes


def send(client: redis.Redis, stream: str, events: Sequence[Any], kind: str = "event") -> list[bytes]:
    return [client.xadd(stream, {kind: orjson.dumps(one)}) for one in events]  # type: ignore[misc]


def member(
    client: redis.Redis,
    stream: str,
    state: Any,
    name: str = "one",
    stopped: Callable[[], bool] = lambda: False,
    **settings: Any,
) -> Consumer:
    settings = {"batch": 10, "block_ms": 50, "claim_ms": 60_000} | settings
    return Consumer(client, Membership(stream, "group", name, **settings), state, PARAMS, stopped, lambda: NOW)


def items(state: MemoryState) -> list[str]:
    return sorted(one.record.payload["item_id"] for one in state.after(0, 10**6))


def test_every_entry_is_taken_once_and_acknowledged(client: redis.Redis, stream: str) -> None:
    state = MemoryState()
    send(client, stream, [event(k) for k in range(35)])
    assert member(client, stream, state).run(drain=True) == Tally(35, 0, 0)
    assert items(state) == sorted(f"i{k}" for k in range(35))
    assert client.xpending(stream, "group")["pending"] == 0
    assert client.xinfo_consumers(stream, "group") == []


def test_sent_twice_is_taken_once(client: redis.Redis, stream: str) -> None:
    state = MemoryState()
    send(client, stream, [event(k) for k in range(5)] * 2)
    assert member(client, stream, state).run(drain=True) == Tally(5, 5, 0)


def test_all_kinds_come_through(client: redis.Redis, stream: str) -> None:
    state = MemoryState()
    when = {"user_id": "u", "timestamp": START.isoformat()}
    send(client, stream, [when | {"item_id": "i", "position": 1, "probability": 0.5}], "impression")
    send(client, stream, [when | {"question": "stars", "value": 4}], "feedback")
    send(client, stream, [when | {"latitude": 48.8, "longitude": 2.3}], "position")
    assert member(client, stream, state).run(drain=True) == Tally(3, 0, 0)
    assert [one.record.kind for one in state.after(0, 9)] == ["impression", "feedback", "position"]


def test_what_cannot_be_taken_goes_to_the_dead_letters_with_the_rule(client: redis.Redis, stream: str) -> None:
    state = MemoryState()
    send(client, stream, [event(1), event(2, action="zap"), event(3, latitude=1.0), [1, 2]])
    send(client, stream, [event(4)], "tombstone")
    client.xadd(stream, {"event": b"{not json"})
    client.xadd(stream, {"a": b"1", "event": b"2"})
    assert member(client, stream, state).run(drain=True) == Tally(1, 0, 6)
    dead = [fields for _, fields in client.xrange(f"{stream}:dead")]
    assert [fields[b"rule"].decode() for fields in dead] == [
        "action_unknown",
        "place_incomplete",
        "json_no_object",
        "kind_unknown",
        "json_malformed",
        "kind_unknown",
    ]
    assert orjson.loads(dead[0][b"event"])["action"] == "zap"
    assert client.xpending(stream, "group")["pending"] == 0


def test_a_member_that_comes_back_takes_what_it_had_not_acknowledged(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(k) for k in range(25)])
    client.xgroup_create(stream, "group", id="0")
    client.xreadgroup("group", "one", {stream: ">"}, count=15)  # and then it died
    state = MemoryState()
    assert member(client, stream, state).run(drain=True) == Tally(25, 0, 0)


def test_what_a_dead_member_left_is_taken_over(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(k) for k in range(45)])
    client.xgroup_create(stream, "group", id="0")
    client.xreadgroup("group", "dead", {stream: ">"}, count=40)
    state = MemoryState()
    assert member(client, stream, state).run(drain=True).taken == 5  # it may still be alive
    time.sleep(0.02)
    assert member(client, stream, state, claim_ms=10).run(drain=True).taken == 40
    assert items(state) == sorted(f"i{k}" for k in range(45))


def test_an_entry_that_kills_every_reader_is_laid_aside(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(0), event(1)])
    client.xgroup_create(stream, "group", id="0")
    client.xreadgroup("group", "one", {stream: ">"}, count=1)
    for _ in range(3):
        client.xreadgroup("group", "one", {stream: "0"}, count=1)
    state = MemoryState()
    assert member(client, stream, state, most_deliveries=4).run(drain=True) == Tally(1, 0, 1)
    assert client.xrange(f"{stream}:dead")[0][1][b"rule"] == b"delivered_too_often"


def test_a_trimmed_entry_is_not_waited_for(client: redis.Redis, stream: str) -> None:
    names = send(client, stream, [event(0), event(1)])
    client.xgroup_create(stream, "group", id="0")
    client.xreadgroup("group", "one", {stream: ">"})
    client.xdel(stream, names[0])
    assert member(client, stream, MemoryState()).run(drain=True) == Tally(1, 0, 0)
    assert client.xpending(stream, "group")["pending"] == 0


class Away(MemoryState):
    """A state that is away for the first few calls."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        if self.left:
            self.left -= 1
            raise ServiceError("the state", found="nothing", do="wait")
        return super().append(records)


def test_where_the_state_is_away_it_waits_and_reads_no_further(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(k) for k in range(30)])
    state = Away(3)
    seen = []
    one = member(client, stream, state)
    real = state.append

    def looked(records: Sequence[Record]) -> list[Receipt]:
        seen.append(client.xpending(stream, "group")["pending"])
        return real(records)

    state.append = looked  # type: ignore[method-assign]
    assert one.run(drain=True) == Tally(30, 0, 0)
    assert max(seen) == 10
    assert len(seen) == 6


def test_a_state_that_is_away_counts_as_no_delivery(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(0)])
    state, looks = MemoryState(), []

    def head() -> int:
        looks.append(client.xpending(stream, "group")["pending"])
        if len(looks) < 3:
            raise ServiceError("the state", found="nothing", do="wait")
        return 0

    state.head = head  # type: ignore[method-assign]
    assert member(client, stream, state).run(drain=True) == Tally(1, 0, 0)
    assert looks[:3] == [0, 0, 0]


def test_told_to_stop_it_finishes_its_batch_and_leaves(client: redis.Redis, stream: str) -> None:
    stop = threading.Event()
    state = MemoryState()
    send(client, stream, [event(k) for k in range(30)])
    real = state.append

    def told(records: Sequence[Record]) -> list[Receipt]:
        stop.set()
        return real(records)

    state.append = told  # type: ignore[method-assign]
    assert member(client, stream, state, stopped=stop.is_set).run() == Tally(10, 0, 0)
    assert client.xpending(stream, "group")["pending"] == 0
    state.append = real  # type: ignore[method-assign]
    assert member(client, stream, state, "two").run(drain=True) == Tally(20, 0, 0)


def test_told_to_stop_while_the_state_is_away_the_batch_stays_pending(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(0)])
    stop = threading.Event()
    state = Away(10**6)
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    assert member(client, stream, state, stopped=stop.is_set).run() == Tally()
    timer.join()
    assert client.xpending(stream, "group")["pending"] == 1
    state.left = 0
    assert member(client, stream, state).run(drain=True) == Tally(1, 0, 0)


def test_members_share_the_stream(client: redis.Redis, stream: str) -> None:
    send(client, stream, [event(k) for k in range(200)])
    state = MemoryState()
    found: list[Tally] = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(member(client, stream, state, name).run(drain=True)))
        for name in ("a", "b", "c")
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(found, Tally()) == Tally(200, 0, 0)


def test_a_stream_that_was_removed_begins_again(client: redis.Redis, stream: str) -> None:
    stop = threading.Event()
    state = MemoryState()
    send(client, stream, [event(0)])
    one = threading.Thread(target=lambda: member(client, stream, state, stopped=stop.is_set).run())
    one.start()
    _until(lambda: len(items(state)) == 1)
    client.delete(stream)
    send(client, stream, [event(1)])
    _until(lambda: len(items(state)) == 2)
    stop.set()
    one.join()


def test_a_server_that_is_not_there_is_told(stream: str) -> None:
    nobody = redis.Redis(unix_socket_path="/nonexistent/redis.sock", protocol=2)
    with pytest.raises(ServiceError, match="CHRONOTOPE_STREAM"):
        member(nobody, stream, MemoryState()).run()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)

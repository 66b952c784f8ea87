"""A consumer that is killed in the middle of a batch: every event is in the state exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import redis

from components.serving.state.folder import FolderState
from tests.eventlog import ROOT, START
from tests.redis_server import RedisServer, running

_EVENTS = 3000
_CHILD = """
import datetime as dt, sys
from pathlib import Path
import redis
from components.serving.consumer import Consumer, Membership
from components.serving.state.folder import FolderState
from tests.eventlog import log_params
url, folder, name = sys.argv[1:]
state = FolderState(Path(folder), "process")
member = Membership("events", "group", name, batch=50, block_ms=50, claim_ms=200)
server = redis.Redis.from_url(url, protocol=2)
Consumer(server, member, state, log_params().events, lambda: False, lambda: dt.datetime.now(dt.UTC)).run(drain=True)
state.close()
"""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running() as one:
        yield one


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, protocol=2) as one:
        with one.pipeline(transaction=False) as pipe:
            for number in range(_EVENTS):
                raw = {"user_id": f"u{number % 50}", "item_id": f"i{number}", "action": "view"}
                pipe.xadd("events", {"event": orjson.dumps(raw | {"timestamp": START.isoformat()})})
            pipe.execute()
        yield one


def consumer(server: RedisServer, folder: Path, name: str, fault: str = "") -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CHRONOTOPE_FAULT": fault}
    return subprocess.Popen([sys.executable, "-c", _CHILD, server.url, str(folder), name], env=environment)


def assert_each_once(folder: Path, client: redis.Redis) -> None:
    state = FolderState(folder, "process")
    try:
        found = [one.record.payload["item_id"] for one in state.after(0, 10 * _EVENTS)]
    finally:
        state.close()
    assert len(found) == _EVENTS
    assert set(found) == {f"i{number}" for number in range(_EVENTS)}
    assert client.xpending("events", "group")["pending"] == 0
    assert client.xlen("events:dead") == 0


@pytest.mark.parametrize("point", ["after-read", "after-append"])
def test_killed_in_the_middle_of_a_batch(point: str, server: RedisServer, client: redis.Redis, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert consumer(server, tmp_path / "live", name, point).wait(60) == -signal.SIGKILL
    assert client.xpending("events", "group")["pending"] > 0
    time.sleep(0.3)
    assert consumer(server, tmp_path / "live", "third").wait(60) == 0
    assert_each_once(tmp_path / "live", client)


def test_killed_at_any_moment_with_others_at_work(server: RedisServer, client: redis.Redis, tmp_path: Path) -> None:
    chance = random.Random(3)
    died = 0
    for turn in range(4):
        two = [consumer(server, tmp_path / "live", f"{turn}-{k}") for k in range(2)]
        before = _taken(client)
        while _taken(client) < before + chance.randint(50, 400) and two[0].poll() is None:
            time.sleep(0.001)
        two[0].kill()
        died += two[0].wait(60) == -signal.SIGKILL
        two[1].kill() if turn % 2 else None
        two[1].wait(60)
    time.sleep(0.3)
    assert consumer(server, tmp_path / "live", "last").wait(60) == 0
    assert died > 0
    assert_each_once(tmp_path / "live", client)


def _taken(client: redis.Redis) -> int:
    """Entries that some member has read."""
    groups = client.xinfo_groups("events")
    return int(groups[0]["entries-read"] or 0) if groups else 0

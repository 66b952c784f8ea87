"""Two services over one Redis, under load: each event is kept once, both come to the same counts, a kill loses nothing.

The figures of a run are logged: `pytest -m slow tests/fault/test_two_services.py --log-cli-level=INFO`.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.features.store import Store
from components.serving.state.open import open_state
from components.serving.state.protocol import State, Stored
from components.workspace import Workspace
from tests import redis_server
from tests.bare import bare, end
from tests.e2e import story

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(3600)]
logger = logging.getLogger(__name__)
EVENTS, USERS, AGAIN = 100_000, 500, 5_000  # beside so many that both are sent
BEGIN = dt.datetime(2025, 5, 1, tzinfo=dt.UTC)
Event = dict[str, Any]


def made(items: Sequence[str], chance: random.Random) -> list[Event]:
    """So many events of the same users, each at a moment of its own, in an order that is nearly that of time."""
    at = sorted(range(EVENTS), key=lambda n: n + chance.uniform(0, 40))
    return [
        {
            "user_id": f"shared-{n % USERS}", "item_id": chance.choice(items), "action": "view", "event_id": f"e{n}",
            "timestamp": (BEGIN + dt.timedelta(seconds=n)).isoformat(),
        }
        for n in at
    ]  # fmt: skip


class Sender(threading.Thread):
    """Sends batches to one service, again and again where no answer came; notes what was acknowledged."""

    def __init__(self, url: str, batches: Sequence[list[Event]]) -> None:
        super().__init__()
        self._url, self._batches = url, batches
        self.acknowledged: list[str] = []
        self.duplicates = self.lost = self.sent = 0

    def run(self) -> None:
        """Send everything."""
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            for batch in self._batches:
                self._send(client, batch)
                self.sent += len(batch)

    def _send(self, client: httpx.Client, batch: list[Event]) -> None:
        deadline = time.monotonic() + 900
        while True:
            try:
                answer = client.post("/v1/events", json={"events": batch})
            except httpx.TransportError:
                self.lost += 1  # taken or not: whoever got no answer sends the same again
                assert time.monotonic() < deadline
                time.sleep(0.2)
                continue
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert told["accepted"] + told["duplicates"] == len(batch)
            self.duplicates += told["duplicates"]
            self.acknowledged += [one["event_id"] for one in batch]
            return


def whole_log(state: State) -> list[Stored]:
    found: list[Stored] = []
    while page := state.after(found[-1].offset if found else 0, 5_000):
        found += page
    return found


def caught_up(urls: Sequence[str]) -> float:
    """Seconds until no service is behind the log any more."""
    begin = time.monotonic()
    for url in urls:
        while "\nchronotope_log_behind 0.0\n" not in httpx.get(f"{url}/metrics", timeout=60).text:
            assert time.monotonic() - begin < 120
            time.sleep(0.02)
    return time.monotonic() - begin


def say_the_same(urls: Sequence[str], users: Sequence[str | None]) -> None:
    """Histories to the last event, predictions (so the counts of everybody) but for rounding."""
    for user in users:
        asked = {"user_id": user, "k": 20, "time": (BEGIN + dt.timedelta(days=2)).isoformat()}
        one, other = (httpx.post(f"{url}/v1/predict", json=asked, timeout=60).json() for url in urls)
        assert one["history_events"] == other["history_events"]
        theirs = {item["item_id"]: item["probability"] for item in other["items"]}
        for item in one["items"]:
            assert theirs.get(item["item_id"], item["probability"]) == pytest.approx(item["probability"], rel=1e-4)
        assert len(theirs.keys() & {item["item_id"] for item in one["items"]}) >= 19  # but for a tie at the end
        one, other = (httpx.get(f"{url}/v1/users/{user}/timeline?n=500", timeout=60).json() for url in urls)
        assert one == other


def test_two_services_keep_every_event_once_and_agree(promoted: Path) -> None:
    chance = random.Random(3)
    items = [str(name) for name in Store.load(Workspace(promoted).features).encoding.vocabularies["item"].ids[2:]]
    events = made(items, chance)
    side = [chance.random() < 0.5 for _ in events]
    mine = [[one for one, here in zip(events, side, strict=True) if here == which] for which in (True, False)]
    for both in chance.sample(events, AGAIN):
        for one in mine:
            if both not in one[-1:]:
                one.insert(chance.randrange(len(one)), both)
    batches = [[one[i : i + 25] for i in range(0, len(one), 25)] for one in mine]
    with ExitStack() as stack:
        server = stack.enter_context(redis_server.running("--appendonly", "yes"))
        ports = [story.free_port() for _ in range(2)]
        first, second = (stack.enter_context(bare(promoted, port=p, CHRONOTOPE_STATE=server.url)) for p in ports)
        urls = [first[0], second[0]]
        senders = [Sender(url, of) for url, of in zip(urls, batches, strict=True)]
        begin = time.monotonic()
        for one in senders:
            one.start()
        while senders[0].sent < EVENTS // 4:
            assert senders[0].is_alive()
            time.sleep(0.05)
        end(first[1])
        before = list(senders[0].acknowledged)
        back = time.monotonic()
        stack.enter_context(bare(promoted, port=ports[0], CHRONOTOPE_STATE=server.url))
        back = time.monotonic() - back
        for one in senders:
            one.join()
        took, behind = time.monotonic() - begin, caught_up(urls)
        params = Workspace(promoted).load_params()
        state = open_state(promoted, params.live, server.url, params.workspace.name)
        log = whole_log(state)
        ids = [one.record.id for one in log]
        assert sorted(ids) == sorted({str(one["event_id"]) for one in events}), "every event, and each once"
        assert set(before) <= set(ids)
        for user in range(USERS):
            kept = state.last(f"shared-{user}", 1_000)
            assert [one.record.id for one in kept] == [f"e{n}" for n in range(user, EVENTS, USERS)], "in order of time"
        state.close()
        say_the_same(urls, [*(f"shared-{n}" for n in range(0, USERS, 50)), "a stranger", "user00003"])
        sent = sum(len(one) for one in mine)
        assert sum(one.duplicates for one in senders) >= sent - EVENTS
        logger.info(
            "%d events sent of which %d twice; %.0f s, %.0f/s; killed once, back after %.1f s, %d requests unanswered; "
            "%d acknowledged before the kill, all kept; behind for %.2f s at the end; duplicates %s",
            sent, sent - EVENTS, took, sent / took, back, senders[0].lost, len(before), behind,
            [one.duplicates for one in senders],
        )  # fmt: skip

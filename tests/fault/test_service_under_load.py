"""A service under load: a worker is killed, ten times more is asked than it can answer, champions come and go.

Real processes of `chronotope serve --bare`; what was acknowledged is looked up afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from bento.client import Client
from components.registry import promote, promotions, trial
from components.workspace import Workspace
from tests.bare import bare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
logger = logging.getLogger(__name__)
ASKED = {"user_id": "user00003", "time": "2025-04-20T12:00:00Z", "k": 5}
EVENT = {"item_id": "i000001", "action": "view", "timestamp": "2025-04-10T12:00:00Z"}


def set_params(root: Path, **sections: dict[str, Any]) -> None:
    """Change some keys of params.yaml."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    for name, change in sections.items():
        params[name] |= change
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


class Load:
    """Threads that ask and tell until they are stopped.

    Attributes
    ----------
    statuses : how often each came
    versions : of the models that answered
    acknowledged : events per user
    """

    def __init__(self, url: str, retries: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.versions: set[int] = set()
        self.acknowledged: Counter[str] = Counter()
        self.failed: list[str] = []
        self._url, self._retries, self._stop = url, retries, threading.Event()

    def work(self, name: str) -> None:
        """Ask and tell in turn."""
        with Client(self._url, retries=self._retries, timeout_s=60) as client:
            for n in itertools.count():
                if self._stop.is_set():
                    return
                try:
                    self.versions.add(client.predict(**ASKED).model.version)
                    client.events([EVENT | {"user_id": name, "event_id": f"{name}-{n}"}])
                except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
                    self.failed.append(repr(error))
                    return
                self.acknowledged[name] += 1

    @contextmanager
    def on(self, threads: int = 6) -> Iterator[None]:
        """Under load."""
        many = [threading.Thread(target=self.work, args=(f"loader-{n}",)) for n in range(threads)]
        for one in many:
            one.start()
        try:
            yield
        finally:
            self._stop.set()
            for one in many:
                one.join()

    def until(self, what: str, wanted: Any) -> None:
        """Wait under load until it is so."""
        deadline = time.monotonic() + 240
        while not wanted():
            assert not self.failed, self.failed[0]
            assert time.monotonic() < deadline, what
            time.sleep(0.05)

    def all_is_kept(self, client: Client) -> None:
        """That what was acknowledged is there."""
        for name, count in self.acknowledged.items():
            known = client.predict(name, time="2025-04-20T12:00:00Z").history_events
            assert known >= min(count, 500), (name, known, count)


def workers_of(process: Any) -> list[psutil.Process]:
    """The processes that answer."""
    found = []
    for one in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # killed, and not yet buried
            if "spawn_main" in " ".join(one.cmdline()):
                found.append(one)
    return found


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(promoted: Path) -> None:
    with bare(promoted, "--workers", "2") as (url, process):
        load = Load(url, retries=8)
        deadline = time.monotonic() + 120
        while len(workers_of(process)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with load.on():
            for _ in range(2):
                before = {one.pid for one in workers_of(process)}
                told = sum(load.acknowledged.values())
                load.until("it answers", lambda told=told: sum(load.acknowledged.values()) > told + 100)
                os.kill(min(before), signal.SIGKILL)
                load.until("another worker", lambda before=before: {one.pid for one in workers_of(process)} - before)
                told = sum(load.acknowledged.values())
                load.until("it goes on", lambda told=told: sum(load.acknowledged.values()) > told + 100)
        assert not load.failed, load.failed[0]
        with Client(url) as client:
            load.all_is_kept(client)
        logger.info("%d events acknowledged around two kills", sum(load.acknowledged.values()))


async def _flood(url: str, at_once: int, each: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120) as client:

        async def one() -> list[httpx.Response]:
            return [await client.post("/v1/predict", json=ASKED) for _ in range(each)]

        return [answer for part in await asyncio.gather(*(one() for _ in range(at_once))) for answer in part]


def test_more_than_it_can_answer_is_shed_at_once_and_the_rest_is_answered(promoted: Path) -> None:
    set_params(promoted, guard={"max_waiting": 20})
    with bare(promoted) as (url, process):
        answers = asyncio.run(_flood(url, at_once=200, each=20))  # ten times as many as may wait
        statuses = Counter(one.status_code for one in answers)
        assert set(statuses) == {200, 503}
        assert all(int(one.headers["retry-after"]) >= 1 for one in answers if one.status_code == 503)
        assert all(one.json()["items"] for one in answers if one.status_code == 200)
        assert statuses[200] > 200
        assert {httpx.post(f"{url}/v1/predict", json=ASKED).status_code for _ in range(20)} == {200}, "it is over"
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert process.poll() is None
        logger.info("of %d requests, 200 at a time where 20 may wait: %s", len(answers), dict(statuses))


def test_champions_come_and_go_under_load_without_one_failure(promoted: Path) -> None:
    set_params(promoted, serving={"poll_s": 0.2})
    params = Workspace(promoted).load_params()
    decision = trial.run_gate(promoted, params)
    assert decision.promote
    with bare(promoted) as (url, _), Client(url) as client:
        load = Load(url, retries=0)  # every answer counts
        with load.on():
            load.until("the first", lambda: 1 in load.versions)
            promote.promote(promoted, params, decision)
            load.until("the second", lambda: 2 in load.versions)
            promote.rollback(promoted, params)
            load.until("the first again", lambda: 3 in load.versions)
            first = promotions.history(promoted)[0]

            def point(digest: str, to: int) -> int:
                """An entry as `rollback` would make it, had the artifact gone bad after it was verified."""
                return promotions.append(
                    promoted, expected=len(promotions.history(promoted)), kind="rollback", model=first.model,
                    digest=digest, content=first.content, returns_to=to, reason="a test",
                ).sequence  # fmt: skip

            artifacts = Workspace(promoted).artifacts
            shutil.copytree(artifacts / first.digest, artifacts / ("b" * 64))
            for bad in ("a" * 64, "b" * 64):  # pruned; not what its name says
                number = point(bad, 2)
                load.until("it is refused", lambda bad=bad: bad[:12] in (client.model().refused or ""))
                assert client.model().champion.version == 3 < number, "the one that serves goes on"
            number = point(first.digest, 1)
            load.until("the next good one", lambda: number in load.versions)
        assert not load.failed, load.failed[0]
        assert sorted(load.versions) == [1, 2, 3, 6]
        assert client.model().refused is None
        load.all_is_kept(client)
        logger.info("%d events and as many questions, six entries of the log, no failure", load.acknowledged.total())

"""`chronotope serve --bare` as a process: ready when it is warm, nothing lost when it is killed, and a clean end."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from bento.client import Client
from tests.bare import bare

pytestmark = pytest.mark.timeout(600)
EVENT = {"user_id": "a-live-user", "action": "view", "timestamp": "2025-02-01T12:00:00Z"}


def test_what_was_acknowledged_outlives_a_kill_and_the_end_is_clean(promoted: Path) -> None:
    events = [EVENT | {"item_id": f"i{n:06d}", "event_id": str(n)} for n in range(7)]
    with bare(promoted) as (url, process), Client(url) as client:
        assert client.events(events).accepted == 7
        process.send_signal(signal.SIGKILL)
        process.wait()
    with bare(promoted) as (url, process), Client(url) as client:
        assert client.events(events).duplicates == 7
        assert client.predict("a-live-user", time="2025-02-02T12:00:00Z").history_events == 7
        blocks: list[bytes] = []

        def follow() -> None:
            with httpx.stream("GET", f"{url}/v1/live/stream", timeout=60) as answer:
                blocks.extend(answer.iter_raw())

        thread = threading.Thread(target=follow)
        thread.start()
        deadline = time.monotonic() + 20
        while not blocks:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in {0, -signal.SIGTERM}
        thread.join(timeout=20)
        assert time.monotonic() - begin < 10, "a page that follows the stream holds nothing up"
        assert blocks[0].startswith(b"event: snapshot\n")


def test_two_workers_share_the_state_and_sum_their_metrics(promoted: Path) -> None:
    with bare(promoted, "--workers", "2") as (url, process):
        for n in range(12):  # a connection each, so that both workers are asked
            with Client(url) as client:
                sent = client.events([EVENT | {"item_id": f"i{n:06d}", "event_id": f"x{n}"}])
                assert sent.accepted == 1
                found = client.predict("a-live-user", time="2025-02-02T12:00:00Z")
                assert found.history_events == n + 1, "a user's own history is as fresh in every worker"
        text = httpx.get(f"{url}/metrics").text
        assert 'chronotope_records_total{kind="event",outcome="accepted"} 12.0' in text
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)

"""`chronotope serve --bare` as a process: ready when it is warm, nothing lost when it is killed, and a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bento.client import Client
from tests.e2e import story

pytestmark = pytest.mark.timeout(600)
EVENT = {"user_id": "a-live-user", "action": "view", "timestamp": "2025-02-01T12:00:00Z"}


@contextmanager
def bare(root: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The service in a process group of its own until it answers at all; its URL and process."""
    port = story.free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHRONOTOPE_")}
    command = [str(story.BIN / "chronotope"), "serve", "--bare", "-w", str(root), "--port", str(port), *options]
    with (root / "bare.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            assert process.poll() is None, (root / "bare.log").read_text()[-3000:]
            assert time.monotonic() < deadline
            try:
                first = httpx.get(f"{url}/readyz", timeout=10)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        assert first.status_code == 200, "who listens is ready: loaded and warm"
        yield url, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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

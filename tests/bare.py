"""`chronotope serve --bare` as a process of its own, as a test runs, kills and starts it again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.e2e import story


@contextmanager
def bare(
    root: Path, *options: str, port: int | None = None, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The service in a process group of its own until it answers at all; its URL and process."""
    port = port or story.free_port()
    around = {k: v for k, v in os.environ.items() if not k.startswith("CHRONOTOPE_")} | environment
    command = [str(story.BIN / "chronotope"), "serve", "--bare", "-w", str(root), "--port", str(port), *options]
    log_file = root / f"bare-{port}.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, env=around, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 900
        while True:
            assert process.poll() is None, log_file.read_text()[-3000:]
            assert time.monotonic() < deadline
            try:
                first = httpx.get(f"{url}/readyz", timeout=10)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        assert first.status_code == 200, "who listens is ready: loaded and warm"
        yield url, process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and those that it started, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

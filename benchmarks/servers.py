"""Starts a service for a measurement, by BentoML or bare, waits until it is ready, and ends it.

Each server is a process group of its own on loopback, with the state of its workspace as it finds it. Never measures.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PACKAGES = Path(__file__).resolve().parents[1]
START_S = 180.0
#: How a workspace is served: the last arguments are a host and a port.
COMMANDS = {
    "bentoml": ("bentoml", "serve", "bento.service:Chronotope"),
    "bare": ("chronotope", "serve", "--bare"),
}


@dataclass(frozen=True)
class Server:
    """A service that is ready.

    Attributes
    ----------
    port : on loopback
    cold_s : from its start until it was ready
    worker : the process that answers
    """

    port: int
    cold_s: float
    worker: psutil.Process

    def cpu_s(self) -> float:
        """Processor seconds that the worker has used."""
        spent = self.worker.cpu_times()
        return float(spent.user + spent.system)

    def rss_mb(self) -> float:
        """Memory of the worker, MB."""
        return float(self.worker.memory_info().rss) / 1e6

    def own_mb(self) -> float:
        """Memory of the worker that it shares with no file, MB: what the kernel cannot take back."""
        found = self.worker.memory_info()
        return float(found.rss - found.shared) / 1e6


@contextmanager
def served(kind: str, workspace: Path, log: Path) -> Iterator[Server]:
    """A service of a workspace, of a kind of COMMANDS, until the block ends."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    program, *rest = COMMANDS[kind]
    command = [str(Path(sys.executable).parent / program), *rest, "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"CHRONOTOPE_WORKSPACE": str(workspace), "BENTOML_DO_NOT_TRACK": "True"}
    environment["PYTHONPATH"] = os.pathsep.join([str(PACKAGES), *filter(None, [environment.get("PYTHONPATH")])])
    if kind == "bare":
        command += ["--workspace", str(workspace)]
    begun = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=PACKAGES, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while not asyncio.run(_ready(port)):
            if process.poll() is not None or time.monotonic() - begun > START_S:
                raise RuntimeError(f"the service did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Server(port, time.monotonic() - begun, _busiest(process.pid))
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _busiest(pid: int) -> psutil.Process:
    """The process below `pid`, or itself, that holds the champion: the largest."""
    whole = psutil.Process(pid)
    return max([whole, *whole.children(recursive=True)], key=lambda one: one.memory_info().rss)


async def _ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    try:
        found = await asyncio.wait_for(reader.read(64), 5)
    except (TimeoutError, OSError):
        return False
    finally:
        writer.close()
    return found.startswith(b"HTTP/1.1 200")

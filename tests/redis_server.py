"""A Redis server of a test's own: on a Unix socket in a folder of its own, killed and started again as a test likes."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """A `redis-server` process; what it keeps is in `folder`, so that it survives a restart as far as it was kept."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self._settings = settings
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert PROGRAM is not None
        command = [PROGRAM, "--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([*command, "--save", "", *self._settings], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"redis-server did not start: {(self.folder / 'redis.log').read_text()[-2000:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as one:
            try:
                one.settimeout(1)
                one.connect(f"{self.folder}/redis.sock")
                one.sendall(b"PING\r\n")
                return one.recv(64).startswith((b"+PONG", b"-NOAUTH"))
            except OSError:
                return False

    def kill(self) -> None:
        """End it at once, without a chance to write anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it, however it stands."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def running(*settings: str) -> Iterator[RedisServer]:
    """A server with these settings (`--appendonly yes`, …); skips the test where there is no such program."""
    if PROGRAM is None:
        pytest.skip("there is no redis-server program; Debian's package redis-server has it")
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # pytest's own paths are too long for a socket
        server = RedisServer(Path(folder), *settings)
        try:
            yield server
        finally:
            server.stop()

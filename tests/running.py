"""A service that listens on a port of loopback, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from bento.app import App
from bento.slow import Protocol


@contextmanager
def running(app: App) -> Iterator[str]:
    """Serve an app as `chronotope serve --bare` does; its URL."""
    config = uvicorn.Config(
        app, http=Protocol, ws="none", lifespan="on", log_level="warning", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(128)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [one]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{one.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()

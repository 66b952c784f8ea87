"""Sixteen clients at once, each asking again as soon as it is answered: every request is answered well."""

from __future__ import annotations

import socket
import threading

import pytest
import uvicorn

from benchmarks.serving import load
from tests.live import toy_app
from tests.serving import toy_champion


@pytest.mark.slow
def test_sixteen_clients_for_ten_seconds_see_no_error() -> None:
    champion = toy_champion()
    server = uvicorn.Server(uvicorn.Config(toy_app(champion=champion), log_level="warning"))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(64)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [one]}, daemon=True)
        thread.start()
        found = load(one.getsockname()[1], list(champion.row_of), 16, 10.0)
        server.should_exit = True
        thread.join(timeout=20)
    assert found["errors"] == 0, found
    assert found["requests"] > 100, found

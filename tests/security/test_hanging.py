"""A server that hangs, a client that reads no more: both cost their own place and nobody else's."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from bento.app import App
from bento.guard.keys import Keys
from bento.guard.log import RequestLog
from bento.life import ABORT
from bento.worker import STATE, Worker
from components.serving.live import Live
from components.serving.pulse import broadcast
from components.serving.state import redis
from components.serving.state.redis import RedisState
from tests.live import params_with, toy_app
from tests.redis_server import running
from tests.serving import Holder, toy_champion

ASKED = {"user_id": "user00001", "k": 1}


def test_while_redis_hangs_the_process_answers_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "_SOON_S", 3.0)
    params = params_with()
    with running() as server:
        monkeypatch.setenv(STATE, server.url)
        holder, state = Holder(toy_champion()), RedisState(server.url, "process", "shop")
        app = App(params, Keys(open_to_all=True), log=RequestLog("refused", lambda _: None))
        app.worker = Worker(params, Live(holder, state, params), holder, state)  # type: ignore[arg-type]
        done: list[tuple[str, int]] = []

        async def ask(client: httpx.AsyncClient, name: str, method: str, path: str, **body: object) -> None:
            found = await client.request(method, path, **body)  # type: ignore[arg-type]
            done.append((name, found.status_code))

        async def everybody() -> None:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                await ask(client, "before", "POST", "/v1/predict", json=ASKED)
                server.process.send_signal(signal.SIGSTOP)
                try:
                    hanging = asyncio.create_task(ask(client, "hangs", "POST", "/v1/predict", json=ASKED))
                    counters = asyncio.create_task(ask(client, "counters", "GET", "/metrics"))
                    await asyncio.sleep(0.05)
                    await ask(client, "lives", "GET", "/livez")
                    await hanging
                finally:
                    server.process.send_signal(signal.SIGCONT)
                await counters

        asyncio.run(everybody())
        app.close()
    assert done[:3] == [("before", 200), ("lives", 200), ("hangs", 503)]


def test_a_page_that_reads_no_more_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "EVERY_S", 0.01)
    app = toy_app(params_with(guard={"max_streams": 2, "request_s": 5.0}))
    worker = app.worker
    assert worker is not None
    aborted: list[int] = []

    async def follow(statuses: list[int]) -> None:
        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(int(message["status"]))  # type: ignore[call-overload]
            elif statuses[-1] == 200:
                await asyncio.Event().wait()  # its buffers are full, and nobody empties them

        async def receive() -> None:
            await asyncio.Event().wait()

        path, abort = "/v1/live/stream", {"abort": lambda: aborted.append(1)}
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
                 "headers": [], "client": None, "extensions": {ABORT: abort}}  # fmt: skip
        await app(scope, receive, send)  # type: ignore[arg-type]

    async def everybody() -> list[int]:
        statuses: list[int] = []
        pages = [asyncio.create_task(follow(statuses)) for _ in range(2)]
        while worker.streams < 2:
            await asyncio.sleep(0.01)
        for _ in range(3 * broadcast.DEPTH):  # each is so far behind that nothing more is kept for it
            worker.pulse.answered("u", ["i"], 0.001)
            await asyncio.sleep(0.02)
            if not worker.broadcast.listeners:
                break
        await follow(statuses)
        async with asyncio.timeout(30):
            await asyncio.gather(*pages)
        return statuses

    assert asyncio.run(everybody()) == [200, 200, 503]
    assert (worker.streams, worker.broadcast.listeners, len(aborted)) == (0, 0, 2)

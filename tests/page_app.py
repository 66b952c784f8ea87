"""The live page over a service of a few lines: the true pulse and stream, and answers that are always the same.

Its policy for content is the strictest under which the page should work: nothing inline, nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from components.serving.pulse import Broadcast, Item, Pulse, Source, shape
from components.serving.state.protocol import Sizes, Stored
from components.serving.state.record import Record

PAGE = Path(__file__).resolve().parents[1] / "bento" / "page"
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
CSP = {"content-security-policy": "default-src 'self'; frame-ancestors 'none'"}
CELL = "881fb46625fffff"
#: A name that would do harm if it ever became markup.
EVIL = '<img src=x onerror="document.title=1">'


def event(
    number: int, user: str = "ann", item: str = "cafe", place: tuple[float, float] | None = (48.86, 2.35)
) -> Stored:
    """An event that happens now."""
    now_us = int(time.time() * 1e6)
    payload: dict[str, Any] = {"item_id": item, "action": "checkin", "utc_offset_min": 60}
    if place is not None:
        payload |= {"latitude": place[0], "longitude": place[1]}
    return Stored(number, Record("event", str(number), user, now_us, now_us, payload))


def _item(item_id: str) -> Item | None:
    titles = {"cafe": "Blue Café", "gym": "Red Gym", "evil": EVIL}
    return Item(titles[item_id], "place", None, None) if item_id in titles else None


@dataclass
class Service:
    """What the tests hold of the running service."""

    url: str = ""
    key: str | None = None
    report: dict[str, Any] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    pulse: Pulse = field(
        default_factory=lambda: Pulse(
            Source(
                item=_item,
                model=lambda: {"name": "blend", "version": 3, "digest": "abc", "since": "2025-01-01T00:00:00+00:00",
                               "previous": None, "refused": None},
                sizes=lambda: Sizes(2, 40, 28_672),
                timezone="Europe/Paris",
            )
        )
    )  # fmt: skip

    def routes(self) -> list[Route]:
        """Of the page and what it asks for."""
        broadcast = Broadcast(self.pulse)

        def allowed(request: Request) -> bool:
            return self.key is None or request.headers.get("authorization") == f"Bearer {self.key}"

        async def file(request: Request) -> Response:
            path = PAGE / request.path_params.get("path", "index.html")
            return Response(path.read_bytes(), media_type=KINDS[path.suffix], headers=CSP)

        async def stream(request: Request) -> Response:
            if not allowed(request):
                return JSONResponse({"error": "needed a key"}, 401)

            async def blocks() -> AsyncIterator[bytes]:
                async for name, message in broadcast.listen(names=True):
                    yield b"event: " + name.encode() + b"\ndata: " + orjson.dumps(message) + b"\n\n"

            return StreamingResponse(blocks(), media_type="text/event-stream")

        async def predict(request: Request) -> Response:
            self.asked.append(await request.json())
            return JSONResponse(ANSWER)

        async def explain(request: Request) -> Response:
            return JSONResponse(
                {"items": [{"item_id": "cafe", "sentences": ["Because you went to Blue Café (5 times)."]}]}
            )

        async def timeline(request: Request) -> Response:
            if request.path_params["user"] == "nobody":
                return JSONResponse({"error": "no such user"}, 404)
            return JSONResponse({"user_id": "ann", "events": PAST})

        async def evolution(_: Request) -> Response:
            return JSONResponse(self.report or {"error": "needed a report, found none"}, 200 if self.report else 404)

        def fixed(body: dict[str, Any]) -> Response:
            return JSONResponse(body)

        return [
            Route("/", file),
            Route("/page/{path:path}", file),
            Route("/v1/live/stream", stream),
            Route("/v1/live/places", lambda _: fixed({"places": [488600, 23500, 488700, 23600]})),
            Route("/v1/cells/{cells}", lambda _: fixed({"shapes": {CELL: shape(CELL)}})),
            Route("/v1/evolution", evolution),
            Route("/v1/predict", predict, methods=["POST"]),
            Route("/v1/explain", explain, methods=["POST"]),
            Route("/v1/users/{user}/timeline", timeline),
            Route("/v1/users/{user}/journey", lambda _: fixed(JOURNEY)),
        ]


PAST = [
    {"item_id": "gym", "title": "Red Gym", "category": "place", "action": "checkin", "time": "2025-03-01T09:00:00Z",
     "latitude": 48.85, "longitude": 2.34, "offset": 0, "new_item": False},
    {"item_id": "evil", "title": EVIL, "category": None, "action": "view", "time": "2025-03-02T09:00:00Z",
     "latitude": None, "longitude": None, "offset": 7, "new_item": False},
]  # fmt: skip
ANSWER = {
    "items": [
        {"item_id": "cafe", "probability": 0.41, "title": "Blue Café", "category": "place"},
        {"item_id": "evil", "probability": 0.02, "title": EVIL, "category": None},
    ],
    "actions": {"checkin": 0.7, "view": 0.3},
    "next_event": {
        "quantiles_s": {"p10": 600, "p50": 7200, "p90": 90000},
        "from_now": {"1h": 0.3, "1d": 0.9, "7d": 0.99},
    },
    "places": [{"cell": CELL, "probability": 0.4}],
    "history_events": 2, "reason": "", "segment": "active", "rules": [],
}  # fmt: skip
JOURNEY = {
    "user_id": "ann", "events": 2, "last": "2025-03-02T09:00:00Z", "state": "lapsing", "segment": "active",
    "next_visit": None,
    "interests": [{"category": "place", "share": 1.0, "change": 0.25}],
}  # fmt: skip


@contextmanager
def served(key: str | None = None) -> Iterator[Service]:
    """The page on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = Service(f"http://127.0.0.1:{port}/", key)
    settings = uvicorn.Config(
        Starlette(routes=service.routes()), port=port, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(timeout=10)

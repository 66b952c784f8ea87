"""`GET /v1/live` and `GET /v1/live/stream`: what is happening now, for the page; counted by `components.serving.pulse`.

The stream is server-sent events: a `snapshot`, then a `delta` for each change. It ends when the service does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bento.exchange import Call, Refusal, Reply, Stream, dumped
from bento.guard.limits import is_loopback
from bento.routes.route import Route
from bento.schemas.live import LiveResponse
from bento.worker import Worker

_SSE = "text/event-stream"


def _names(call: Call) -> bool:
    """Whether users are told by their ids: to who may ask for a user's timeline by right, not to whoever comes by."""
    return call.key is not None or is_loopback(call.address())


async def live(call: Call, worker: Worker) -> Reply:
    """The snapshot."""
    return Reply(dumped(await worker.beside(worker.pulse.snapshot, _names(call))))


async def stream(call: Call, worker: Worker) -> Stream:
    """The snapshot, and what changes."""
    if worker.streams >= worker.params.guard.max_streams:
        raise Refusal(503, "as many follow the stream as may", headers=((b"retry-after", b"30"),))
    return Stream(_blocks(call, worker), _SSE, ((b"x-accel-buffering", b"no"),))


async def _blocks(call: Call, worker: Worker) -> AsyncIterator[bytes]:
    """Messages as blocks, until the asker leaves, falls behind, or the service ends."""
    if worker.streams >= worker.params.guard.max_streams:  # others who came at the same time had the last places
        return
    messages = worker.broadcast.listen(_names(call))
    leaving = [asyncio.ensure_future(_gone(call)), asyncio.ensure_future(worker.closing.wait())]
    worker.streams += 1
    try:
        while True:
            coming = asyncio.ensure_future(anext(messages))
            await asyncio.wait({coming, *leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done() or coming.exception() is not None:
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                    await coming
                return
            kind, message = coming.result()
            yield b"event: " + kind.encode() + b"\ndata: " + dumped(message) + b"\n\n"
    finally:
        worker.streams -= 1
        for one in leaving:
            one.cancel()
        await messages.aclose()  # type: ignore[attr-defined]


async def _gone(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass


ROUTES = (
    Route("GET", "/v1/live", "live", "What is happening now, in numbers: windows, map, newest events.", "read",
          live, LiveResponse),
    Route("GET", "/v1/live/stream", "live_stream", "The same as a stream of server-sent events: snapshot, then deltas.",
          "read", stream, _SSE, refuses=(503,)),
)  # fmt: skip

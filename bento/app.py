"""The HTTP face as a plain ASGI app: finds the route, lets the guard decide, answers, counts, leaves a line in the log.

The order of a request: path, key and rate (from its head alone), body, its turn, the route. An error is one JSON
object; what went wrong inside stays inside. It knows nothing of BentoML and nothing of models.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from starlette.types import Message, Receive, Scope, Send

from bento.exchange import Call, Refusal, Reply, Stream, told
from bento.guard import bodies, headers
from bento.guard.door import Door
from bento.guard.keys import Keys
from bento.guard.log import RequestLog
from bento.life import ABORT, close_streams_on_signal
from bento.routes.route import Route
from bento.routes.table import find
from bento.worker import Worker
from components.errors import BusyError, ChronotopeError, DataError, ServiceError, StorageError
from components.params import Params

if TYPE_CHECKING:
    from bento.trace import Traces

_SOON = ((b"retry-after", b"1"),)
_END: Message = {"type": "http.response.body", "body": b""}
_FAILED = Refusal(500, "the service failed")


def _traces() -> Traces | None:
    """What is told of requests to a collector; the libraries for it are loaded only where one is named."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    from bento.trace import from_environment

    return from_environment()


class App:
    """The app.

    Parameters
    ----------
    params : of the workspace
    keys : who may ask
    opened : makes the worker when the server starts; None: whoever made the app sets `worker`
    log : of requests

    Attributes
    ----------
    worker : what answers; None = not ready yet
    """

    def __init__(
        self, params: Params, keys: Keys, opened: Callable[[], Worker] | None = None, log: RequestLog | None = None
    ) -> None:
        self._params, self._opened = params, opened
        self._door = Door(keys, params.guard)
        self._log = log or RequestLog(params.guard.log)
        self._traces = _traces()
        self.worker: Worker | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(Call(scope, receive), send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, call: Call, send: Send) -> None:
        begin = time.perf_counter()
        call.request_id = headers.request_id(call)
        route, name = None, "none"
        try:
            route = find(call)
            name = route.name
            reply = await self._led(call, route)
        except Refusal as refusal:
            reply = told(refusal)
        except (BusyError, ServiceError, StorageError) as error:
            self._log.failure(error, call.request_id)
            reply = told(Refusal(503, "the live state cannot be reached just now", headers=_SOON))
        except ChronotopeError as error:
            if isinstance(error, DataError):
                reply = told(Refusal(422, str(error)))
            else:
                self._log.failure(error, call.request_id)
                reply = told(_FAILED)
        except Exception as error:  # noqa: BLE001 - the edge of the process: it goes on answering others
            self._log.failure(error, call.request_id)
            reply = told(_FAILED)
        await self._send(call, reply, send)
        seconds = time.perf_counter() - begin
        if self.worker is not None:
            self.worker.metrics.answered(name, reply.status, seconds)
        self._log.request(name, call.scope["method"], reply.status, seconds, call.request_id, call.key)
        if self._traces is not None:
            now_ns = time.time_ns()
            self._traces.note(call, name, reply.status, now_ns - int(seconds * 1e9), now_ns)

    async def _led(self, call: Call, route: Route) -> Reply | Stream:
        """Through the guard to the route."""
        guard = self._params.guard
        self._door.admit(call, route.scope)
        if route.takes is not None:
            call.body = await bodies.read(call, self._params.serving.max_body_bytes, guard.body_s)
        worker = self.worker
        if worker is None:
            raise Refusal(503, "the champion is still being loaded", headers=_SOON)
        if route.scope is None:
            return await route.handler(call, worker)
        if worker.waiting >= guard.max_waiting:
            raise Refusal(503, "too many wait: ask again in a second", headers=_SOON)
        worker.waiting += 1
        try:
            await asyncio.sleep(0)  # those that came at the same time are counted before the first is worked on
            if not route.waits:
                return await route.handler(call, worker)
            async with asyncio.timeout(guard.request_s):
                return await route.handler(call, worker)
        except TimeoutError as error:
            raise Refusal(503, f"no answer within {guard.request_s:g} s", headers=_SOON) from error
        finally:
            worker.waiting -= 1

    async def _send(self, call: Call, reply: Reply | Stream, send: Send) -> None:
        carried = headers.PAGE if any(name == b"content-security-policy" for name, _ in reply.headers) else headers.DATA
        head: list[tuple[bytes, bytes]] = [
            (b"content-type", reply.kind.encode("latin-1")),
            (b"x-request-id", call.request_id.encode("latin-1")),
            *reply.headers,
        ]
        if carried is headers.DATA:
            head += carried
        start: Message = {"type": "http.response.start", "status": reply.status, "headers": head}
        bare = call.scope["method"] == "HEAD" or reply.status == 304
        if isinstance(reply, Stream):
            await send(start)
            if not bare:
                async with contextlib.aclosing(reply.blocks) as blocks:  # type: ignore[type-var]
                    await self._stream(call, blocks, send)
            else:
                await send(_END)
            return
        if reply.status != 304:
            head.append((b"content-length", str(len(reply.body)).encode()))
        await send(start)
        await send({"type": "http.response.body", "body": b"" if bare else reply.body})

    async def _stream(self, call: Call, blocks: AsyncIterator[bytes], send: Send) -> None:
        """Block by block; who takes none for as long as an answer may take is let go with all that waits for them."""
        try:
            async for block in blocks:
                async with asyncio.timeout(self._params.guard.request_s):
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            async with asyncio.timeout(self._params.guard.request_s):
                await send(_END)
        except TimeoutError:
            abort = call.scope.get("extensions", {}).get(ABORT, {}).get("abort")
            if abort is not None:  # closing alone would wait until the other side reads
                abort()

    async def _live(self, receive: Receive, send: Send) -> None:
        """Open the worker before the server is ready, and close it after its last answer."""
        await receive()
        try:
            if self.worker is None and self._opened is not None:
                self.worker = self._opened()
            if self.worker is not None:
                close_streams_on_signal(self.worker)
        except ChronotopeError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def close(self) -> None:
        """Write the log's last lines and let the worker go."""
        self._log.flush()
        if self._traces is not None:
            self._traces.close()
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.closing.set()
            worker.stop()

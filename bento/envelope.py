"""What surrounds every answer: only the routes that are ours, headers that keep answers out of caches, a request id.

BentoML adds a page of its own that loads scripts from other hosts, and listings of its inner routes; here they are
not found. It reads no body and knows nothing of models.
"""

from __future__ import annotations

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.schemas import ErrorResponse

#: Every path that is answered.
PATHS = frozenset(
    {"/v1/predict", "/v1/explain", "/v1/model", "/v1/openapi.json", "/livez", "/healthz", "/readyz", "/metrics"}
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # what may go into a header and a log as it came


def error(status: int, message: str, where: str | None = None) -> Response:
    """An error as the one JSON shape that this service has."""
    body = ErrorResponse(error=message, where=where)
    return Response(body.model_dump_json(exclude_none=True), status, media_type="application/json")


class Envelope:
    """ASGI middleware around the whole service."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 404; every answer gets the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex

        async def enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
                headers["cache-control"] = "no-store"
            await send(message)

        ours = scope["path"] in PATHS
        app = self._app if ours else error(404, "needed a route of /v1/openapi.json, found another path")
        await app(scope, receive, enveloped)

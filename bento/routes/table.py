"""The table of all routes, and how a request finds its own."""

from __future__ import annotations

from functools import cache
from urllib.parse import unquote

from bento.exchange import Call, Refusal, Reply, dumped
from bento.openapi import document
from bento.routes import events, evolution, health, live, model, page, places, predict, users
from bento.routes.route import Route
from bento.worker import Worker


@cache
def _document() -> bytes:
    return dumped(document(ROUTES))


async def openapi(_: Call, __: Worker) -> Reply:
    """The document of the API."""
    return Reply(_document())


ROUTES: tuple[Route, ...] = (
    *predict.ROUTES,
    *events.ROUTES,
    *users.ROUTES,
    *model.ROUTES,
    *live.ROUTES,
    *evolution.ROUTES,
    *places.ROUTES,
    *health.ROUTES,
    *page.ROUTES,
    Route("GET", "/v1/openapi.json", "openapi", "This document.", "read", openapi, "application/json", described=False),
)
_BY_PATH: dict[str, dict[str, Route]] = {}
for _route in ROUTES:
    _BY_PATH.setdefault(_route.path, {})[_route.method] = _route
_PATTERNS = [
    (next(iter(methods.values())).pattern, methods) for path, methods in _BY_PATH.items() if "{" in path
]  # a part of a path is looked for only where the path is none that is known whole


def _at(method: str, methods: dict[str, Route]) -> Route:
    found = methods.get("GET" if method == "HEAD" else method)
    if found is None:
        allowed = sorted({*methods, *(("HEAD",) if "GET" in methods else ())})
        raise Refusal(405, f"needed {' or '.join(allowed)}", headers=((b"allow", ", ".join(allowed).encode()),))
    return found


def find(call: Call) -> Route:
    """The route of a request; what the path carries is put into its `parts`.

    Raises
    ------
    Refusal
        404: there is none. 405: it has another method.
    """
    scope = call.scope
    methods = _BY_PATH.get(scope["path"])
    if methods is not None and "{" not in scope["path"]:
        return _at(scope["method"], methods)
    raw = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
    for pattern, known in _PATTERNS:
        if found := pattern.fullmatch(raw):
            call.parts = tuple(_decoded(part) for part in found.groups())
            return _at(scope["method"], known)
    raise Refusal(404, "needed a route of /v1/openapi.json, found another path")


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise Refusal(422, "needed a path in UTF-8") from error

"""`GET /` and `/page/…`: the live page, read once into memory. Its files are public: they hold no data.

Every file goes out with a digest of its content (ETag): a browser asks again and is told that nothing changed.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bento.exchange import Call, Headers, Refusal, Reply
from bento.guard.headers import PAGE
from bento.routes.route import Route
from bento.worker import Worker

FOLDER = Path(__file__).resolve().parents[1] / "page"
INDEX = "index.html"
#: What the page may be made of; a file of another kind is not served.
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_SMALL = 1024  # bytes below which packing gains nothing
_KEEP = b"public, max-age=0, must-revalidate"


@dataclass(frozen=True)
class _File:
    body: bytes
    packed: bytes | None
    kind: str
    etag: bytes


@cache
def files() -> dict[str, _File]:
    """Every file below the folder that is of the page's kinds, by its path from there; links are left out."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        kind = KINDS.get(path.suffix)
        if kind is None or path.is_symlink() or not path.is_file():
            continue
        body = path.read_bytes()
        packed = (
            gzip.compress(body, 9, mtime=0)
            if len(body) >= _SMALL and not kind.startswith(("image/p", "font"))
            else None
        )
        digest = hashlib.sha256(body).hexdigest()[:32].encode()
        found[path.relative_to(FOLDER).as_posix()] = _File(body, packed, kind, b'"' + digest + b'"')
    return found


def _answer(call: Call, name: str) -> Reply:
    file = files().get(name)
    if file is None:
        raise Refusal(404, "needed a file of the page, found another path")
    kept: Headers = (*PAGE, (b"cache-control", _KEEP), (b"etag", file.etag), (b"vary", b"accept-encoding"))
    if call.header(b"if-none-match").encode("latin-1") == file.etag:
        return Reply(b"", 304, file.kind, kept)
    if file.packed is not None and "gzip" in call.header(b"accept-encoding"):
        return Reply(file.packed, 200, file.kind, (*kept, (b"content-encoding", b"gzip")))
    return Reply(file.body, 200, file.kind, kept)


async def index(call: Call, _: Worker) -> Reply:
    """The page itself."""
    return _answer(call, INDEX)


async def file(call: Call, _: Worker) -> Reply:
    """What the page loads."""
    return _answer(call, call.parts[0])


ROUTES = (
    Route("GET", "/", "page", "The live page.", None, index, "text/html", described=False),
    Route("GET", "/page/{path:rest}", "page_file", "A file of the live page.", None, file, "*/*", described=False),
)  # fmt: skip

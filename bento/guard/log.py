"""One line of JSON for each request, on stderr: the route, never the path; the name of the key, never the key; no body,
no user, no address. A failure inside leaves the kind of the error and where it stood, not what it said.

Lines are gathered and written together: a write for each would cost as much as the rest of the guard.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal

import orjson

_FLUSH_S = 0.5
_MOST = 500
_FAILED = 500


def _to_stderr(block: bytes) -> None:
    sys.stderr.buffer.write(block)
    sys.stderr.buffer.flush()


class RequestLog:
    """The log of one worker.

    Parameters
    ----------
    which : `all` requests, or only those that were `refused`
    write : takes whole lines
    """

    def __init__(self, which: Literal["all", "refused"], write: Callable[[bytes], Any] = _to_stderr) -> None:
        self._all, self._write = which == "all", write
        self._lines: list[bytes] = []
        self._due: asyncio.TimerHandle | None = None

    def request(self, route: str, method: str, status: int, seconds: float, request_id: str, key: str | None) -> None:
        """Note an answer."""
        if not self._all and status < 400:
            return
        self._note(
            {
                "level": "error" if status >= _FAILED else "info",
                "event": "request",
                "route": route,
                "method": method,
                "status": status,
                "ms": round(seconds * 1e3, 3),
                "request_id": request_id,
                "key": key,
            }
        )
        if status >= _FAILED:
            self.flush()

    def failure(self, error: BaseException, request_id: str) -> None:
        """Note what went wrong inside, without what the error says: it may name a person."""
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        self._note(
            {"level": "error", "event": "failure", "kind": type(error).__name__, "at": where, "request_id": request_id}
        )
        self.flush()

    def _note(self, record: dict[str, Any]) -> None:
        self._lines.append(
            orjson.dumps(
                {"time": dt.datetime.now(dt.UTC)} | record, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
            )
        )
        if len(self._lines) >= _MOST:
            self.flush()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._lines:
            lines, self._lines = self._lines, []
            self._write(b"".join(lines))

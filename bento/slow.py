"""Connections that send their head slowly, or without end: closed after `guard.header_s`, or beyond 64 KiB; and those
that go on sending a body which was refused: closed after as long, or beyond 4 MiB, so that most read why.

uvicorn closes a connection that is idle between two requests, but waits for ever for the rest of a head, and keeps what
came of it; the rest of a refused body it reads and drops without end, and who reads no more keeps a connection that it
never ends: the app may. Never here: bodies that are wanted, which the app reads itself (`bento.guard.bodies`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bento.life import ABORT

MOST_HEAD = 65_536
MOST_REFUSED = 4 * 1_048_576


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a clock and a limit on heads.

    Attributes
    ----------
    header_s : seconds that a head may take; set once, before the server starts
    """

    header_s = 10.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._due: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = self._refused_bytes = 0
        self._whole = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that says nothing is as slow as one that says little."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Its clock ends with it."""
        self._end()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
        self._whole, self._refused_bytes = False, 0

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._in_head = False
        self._end()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body; what comes after the answer was a refused one's."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._refused_bytes += len(body)
            if self._refused_bytes > MOST_REFUSED:
                self.transport.close()

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._whole = True
        self._end()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is whole; where its request is not, the rest of it has a clock."""
        super().on_response_complete()
        if not self._whole and self.cycle.response_complete and self._due is None:
            self._begin()

    def data_received(self, data: bytes) -> None:
        """Whatever came; the clock runs while a head is not whole."""
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD:
            self.transport.close()
        elif self._due is None:
            self._begin()

    def _begin(self) -> None:
        self._due = self.loop.call_later(self.header_s, self.transport.close)

    def _end(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

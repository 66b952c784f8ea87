"""The client of a program on an event loop."""

from __future__ import annotations

import asyncio
from typing import Self

import httpx

from bento.client.calls import Answer, Call
from bento.client.tries import Tries, called, lost


class AsyncClient:
    """The service, for a program on an event loop: `await client.ask(calls.predict("u1", k=5))`."""

    def __init__(self, url: str, key: str | None = None, timeout_s: float = 10.0, retries: int = 3) -> None:
        self._tries = Tries(url, key, timeout_s, retries)
        self._http = httpx.AsyncClient(**self._tries.settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, call: Call[Answer]) -> Answer:
        """Make a call."""
        tried, headers = 0, called()
        while True:
            came: httpx.Response | httpx.TransportError
            try:
                came = await self._http.request(call.method, call.path, json=call.body, headers=headers)
            except httpx.TransportError as error:
                came = error
            pause = self._tries.pause_s(call, tried, came)
            if pause is None:
                break
            await asyncio.sleep(pause)
            tried += 1
        if isinstance(came, httpx.TransportError):
            raise lost(came) from came
        return self._tries.read(call, came)

"""The snapshot as a stream: one producer makes small differences, at most four a second, for all that listen.

However much comes in, the work is one difference a tick. Each listener has a short queue; one that does not keep up is
let go, and more than `most` are refused. Without listeners nothing is done. Lives on the event loop of its service.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from components.errors import BusyError
from components.serving.pulse.pulse import Pulse

EVERY_S = 0.25
QUIET_TICKS = 4  # of which one is used when nothing came in: windows go on emptying
DEPTH = 16  # messages that may wait for a listener: four seconds
MOST_EVENTS = 20  # newest events of one difference
Message = tuple[str, dict[str, object]]


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """What a listener that has `before` needs for `after`.

    Returns
    -------
    dict
        The keys whose values changed, and `time_ms`. `newest` holds the events that were not there; `map` the cells
        that changed with the shapes of those that are new, and in `gone` those that are no more.
    """
    told = {key: value for key, value in after.items() if before.get(key) != value}
    if "newest" in told:
        seen = max((one["n"] for one in before["newest"]), default=0)  # type: ignore[attr-defined]
        fresh = [one for one in after["newest"] if one["n"] > seen]  # type: ignore[attr-defined]
        told["newest"], told["skipped"] = fresh[-MOST_EVENTS:], max(len(fresh) - MOST_EVENTS, 0)
    if "map" in told:
        old, new = before["map"], after["map"]
        cells = {cell: rows for cell, rows in new["cells"].items() if old["cells"].get(cell) != rows}  # type: ignore[index]
        told["map"] = {
            "resolution": new["resolution"],  # type: ignore[index]
            "left_out": new["left_out"],  # type: ignore[index]
            "cells": cells,
            "shapes": {cell: new["shapes"][cell] for cell in cells if cell not in old["shapes"]},  # type: ignore[index]
            "gone": [cell for cell in old["cells"] if cell not in new["cells"]],  # type: ignore[index]
        }
    return told


class Broadcast:
    """Listeners of a pulse.

    Parameters
    ----------
    pulse : whose snapshots are told
    most : listeners at once
    """

    def __init__(self, pulse: Pulse, most: int = 32) -> None:
        self._pulse, self._most = pulse, most
        self._listeners: dict[asyncio.Queue[dict[str, object] | None], bool] = {}
        self._producer: asyncio.Task[None] | None = None
        self._latest: dict[str, object] = {}
        self._starting = asyncio.Lock()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def listen(self, names: bool = False) -> AsyncIterator[Message]:
        """A `snapshot`, then a `delta` for each change; ends when this listener is too slow.

        Parameters
        ----------
        names : whether users are told by their ids; else by pseudonyms

        Raises
        ------
        BusyError
            As many listen as may.
        """
        async with self._starting:  # two that come at once begin from one snapshot
            if len(self._listeners) >= self._most:
                raise BusyError("a free place to listen", found=f"{self._most} listeners", do="Try again in a minute.")
            if self._producer is None:
                self._latest = await asyncio.to_thread(self._pulse.snapshot, True)
                self._producer = asyncio.create_task(self._produce(self._latest))
            queue: asyncio.Queue[dict[str, object] | None] = asyncio.Queue(DEPTH)
            self._listeners[queue], first = names, self._latest
        try:
            yield "snapshot", self._for(first, names)
            while (message := await queue.get()) is not None:
                yield "delta", self._for(message, names)
        finally:
            self._listeners.pop(queue, None)
            if not self._listeners:
                await self._rest()

    def _for(self, message: dict[str, object], names: bool) -> dict[str, object]:
        if names:
            return message
        told = message | {"names": False} if "names" in message else dict(message)
        if "newest" in told:
            events: list[dict[str, object]] = told["newest"]  # type: ignore[assignment]
            told["newest"] = [one | {"user": self._pulse.pseudonym(str(one["user"]))} for one in events]
        if "gone" in told:
            told["gone"] = [self._pulse.pseudonym(user_id) for user_id in told["gone"]]  # type: ignore[attr-defined]
        return told

    async def _rest(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await producer

    async def _produce(self, before: dict[str, object]) -> None:
        quiet, count = 0, -1
        while True:
            await asyncio.sleep(EVERY_S)
            quiet += 1
            if self._pulse.count == count and quiet < QUIET_TICKS:
                continue
            quiet, count = 0, self._pulse.count
            self._latest = await asyncio.to_thread(self._pulse.snapshot, True)
            message, before = difference(before, self._latest), self._latest
            for queue in list(self._listeners):
                try:
                    queue.put_nowait(message)
                except asyncio.QueueFull:
                    self._let_go(queue)

    def _let_go(self, queue: asyncio.Queue[dict[str, object] | None]) -> None:
        """End a listener that is too slow: what waits for it is thrown away."""
        self._listeners.pop(queue, None)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

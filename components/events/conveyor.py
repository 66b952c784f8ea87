"""Chunks on their way through `contract.conform`, some at a time.

Never here: what is sound (`contract`), or where the rows go (`ingest`).
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from components.events.contract import conform
from components.params import EventParams

#: Chunks that are conformed at once.
_WORKERS = 2
#: Smaller chunks are put together.
_CHUNK_ROWS = 100_000
#: A chunk, what is kept of it, and what is rejected.
Conformed = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def conformed(chunks: Iterable[pl.DataFrame], params: EventParams, now: dt.datetime) -> Iterator[Conformed]:
    """Chunk, kept and rejected (`contract.conform`), in the source's order; the next chunks are conformed meanwhile."""

    def work(chunk: pl.DataFrame) -> Conformed:
        return (chunk, *conform(chunk, params, now))

    ahead: deque[Future[Conformed]] = deque()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for chunk in _gathered(chunks):
            ahead.append(pool.submit(work, chunk))
            if len(ahead) > _WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _gathered(chunks: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows with small chunks of equal columns put together: each costs a fixed time to conform."""
    held: list[pl.DataFrame] = []
    for chunk in chunks:
        if held and (chunk.schema != held[0].schema or sum(part.height for part in held) >= _CHUNK_ROWS):
            yield pl.concat(held)
            held = []
        held.append(chunk)
    if held:
        yield pl.concat(held)

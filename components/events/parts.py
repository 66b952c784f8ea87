"""What an ingest reads, part by part: the source's own files, then the segments that were collected live.

Never here: what becomes of the rows (`ingest`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from components.events import live
from components.events.ledger import part_key
from components.events.sources import format_of, parts_of
from components.files import digest_of
from components.params import Params


@dataclass(frozen=True)
class Part:
    """One part of the log.

    Attributes
    ----------
    key : digest of everything that its events depend on; None when only reading can tell
    params : rules by which its rows are conformed
    read : its chunks, in contract columns
    """

    key: str | None
    params: Params
    read: Callable[[], Iterator[pl.DataFrame]]


def every_part(params: Params, root: Path, forgotten: str) -> list[Part]:
    """The parts of a workspace's log, in the order in which they are read.

    Parameters
    ----------
    forgotten : digest of who is forgotten, on which every part depends
    """
    source, ruled = format_of(params), live.rules(params)
    alone = params.events.source.format == "live"
    own = ruled if alone else params
    parts = [
        Part(part_key(own, path), own, partial(source.read, params, root, path)) for path in parts_of(params, root)
    ]
    for segment in [] if alone else live.segments(root, "event"):
        parts.append(Part(part_key(ruled, segment.path), ruled, partial(live.events_of, segment.path)))
    for segment in live.segments(root, "feedback") if params.live.feedback else []:
        key = digest_of([part_key(ruled, segment.path), params.live.feedback])
        parts.append(Part(key, ruled, partial(live.ratings_of, segment.path, params)))
    if not forgotten:
        return parts
    return [Part(one.key and digest_of([one.key, forgotten]), one.params, one.read) for one in parts]

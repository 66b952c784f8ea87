"""The live log alone as a source: a workspace whose every event came in through the service or a stream.

It starts empty: `chronotope collect` brings the first events. Items and users may be named beside it, as for any
table. Options: `item_mapping`, `user_mapping`. Never here: how segments come to be (`components.events.live`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events import live
from components.events.sources.attributes import attribute_files, attributes
from components.events.sources.common import options_of
from components.params import Params

__all__ = ["ACTIONS", "OPTIONS", "TIME_KIND", "attribute_files", "files", "items", "read", "state", "users"]
OPTIONS = ("item_mapping", "user_mapping")
ACTIONS: tuple[str, ...] = ()
TIME_KIND = "real"


def files(_params: Params, root: Path) -> list[Path]:
    """The segments that were collected; none at first."""
    return [segment.path for segment in live.segments(root, "event")]


def state(_params: Params) -> str:
    """What stands for a log without segments."""
    return "nothing was collected"


def read(params: Params, _root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of events of one segment; none where nothing was collected."""
    options_of(params, OPTIONS)
    if path is not None:
        yield from live.events_of(path)


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Item attributes, from the catalogue file."""
    return attributes(params, root, "item", [], None)


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """User attributes, from the users file."""
    return attributes(params, root, "user", [], None)

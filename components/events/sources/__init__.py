"""Where events come from: one small module per format, each of which maps it to the contract and does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import polars as pl

from components.errors import ConfigError
from components.events.sources import (
    city,
    delimited,
    feedback,
    foursquare,
    jsonlines,
    live,
    marked_streams,
    movielens,
    online_retail,
    parquet,
    recbole,
    sequences,
    sql,
    taobao,
)
from components.params import Params


class Format(Protocol):
    """What every module here offers.

    Attributes
    ----------
    ACTIONS : actions that the format itself gives, where it has no column that the user maps
    TIME_KIND : real, day or ordinal
    """

    @property
    def ACTIONS(self) -> tuple[str, ...]: ...  # noqa: N802

    @property
    def TIME_KIND(self) -> str: ...  # noqa: N802

    def files(self, params: Params, root: Path, /) -> list[Path]:
        """The files of events, each of which is read by itself; none where the source is no file."""
        ...

    def read(self, params: Params, root: Path, path: Path | None, /) -> Iterator[pl.DataFrame]:
        """Chunks of contract columns of one file (None: of a source that is no file)."""
        ...

    def items(self, params: Params, root: Path, /) -> pl.DataFrame | None:
        """Item attributes, any number of rows for each item; None when the format has none."""
        ...

    def attribute_files(self, params: Params, root: Path, /) -> list[Path]:
        """The files beside the log that items and users are read from."""
        ...

    def users(self, params: Params, root: Path, /) -> pl.DataFrame | None:
        """User attributes; None when the format has none."""
        ...


#: Name at `events.source.format` → module.
FORMATS: Mapping[str, Format] = {
    "city": city,
    "csv": delimited,
    "delimited": delimited,
    "feedback": feedback,
    "foursquare": foursquare,
    "jsonlines": jsonlines,
    "live": live,
    "marked_streams": marked_streams,
    "movielens": movielens,
    "online_retail": online_retail,
    "parquet": parquet,
    "recbole": recbole,
    "sequences": sequences,
    "sql": sql,
    "taobao": taobao,
    "tsv": delimited,
}
#: Format that is no file → digest of what it would give; a format that is missing here must be read to know.
STATES: Mapping[str, Callable[[Params], str]] = {"city": city.state, "live": live.state}


def format_of(params: Params) -> Format:
    """The module of the source that params name.

    Raises
    ------
    ConfigError
        There is no such format.
    """
    name = params.events.source.format
    if name not in FORMATS:
        raise ConfigError(
            f"a format at `events.source.format` ({', '.join(sorted(FORMATS))})",
            found=repr(name),
            do="Choose `delimited` with a mapping for a table of your own.",
        )
    return FORMATS[name]


def parts_of(params: Params, root: Path) -> list[Path | None]:
    """What `read` is called with, one after the other: each file, or None where the source is no file."""
    found = format_of(params).files(params, root)
    return list(found) if found else [None]

"""Any log as Parquet files, by the column mapping in params; only mapped columns are read.

Options: those of time, `item_mapping`, `user_mapping`. Never here: a column of any known data set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.errors import DataError
from components.events.sources.attributes import attribute_files, attributes
from components.events.sources.common import (
    TIME_OPTIONS,
    Layout,
    event_path,
    existing,
    files_in,
    mapping_of,
    numbered,
    options_of,
)
from components.params import Params

__all__ = ["ACTIONS", "OPTIONS", "TIME_KIND", "attribute_files", "files", "items", "read", "users"]
PATTERNS = ("*.parquet",)
OPTIONS = (*TIME_OPTIONS, "item_mapping", "user_mapping")
ACTIONS: tuple[str, ...] = ()
TIME_KIND = "real"
_BATCH_ROWS = 250_000


def files(params: Params, root: Path) -> list[Path]:
    """Every file of events, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _chunks(path: Path, params: Params | None) -> Iterator[pl.DataFrame]:
    """Chunks of the file: its mapped columns, or all where params are None."""
    existing(path)
    try:
        log = pl.scan_parquet(path, glob=False)
        names = log.collect_schema().names()
        columns = names if params is None else sorted(set(mapping_of(params, names, Layout()).values()))
        yield from log.select(columns).collect_batches(chunk_size=_BATCH_ROWS)
    except (pl.exceptions.ComputeError, OSError) as error:
        raise DataError(f"a whole Parquet file at {path}", found=str(error)[:200], do="Bring it again.") from error


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of events of one file, under the contract's names."""
    options_of(params, OPTIONS)
    return numbered(_chunks(path or event_path(params, root), params), params, Layout())


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Item attributes, from the catalogue file or from columns of the log."""
    return attributes(params, root, "item", files(params, root), lambda path: _chunks(path, None))


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """User attributes, from the users file or from columns of the log."""
    return attributes(params, root, "user", files(params, root), lambda path: _chunks(path, None))

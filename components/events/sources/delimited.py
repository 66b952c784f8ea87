"""Any log as a table of text (CSV, TSV, …), by the column mapping in params.

Options: `separator` (else by the file's name), `header` (true), `columns` (names, without a header), `quote`,
`encoding`, and those of time (`time_unit`, `time_zone`, `time_format`); `item_mapping` and `user_mapping` name the
columns of the catalogue and user files, or of the log itself where no such file is given.
Never here: a column of any known data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from components.events.sources.attributes import attribute_files, attributes
from components.events.sources.common import TIME_OPTIONS, Layout, event_path, files_in, numbered, options_of
from components.events.sources.text import table
from components.params import Params

PATTERNS = ("*.csv", "*.csv.gz", "*.tsv", "*.tsv.gz", "*.txt", "*.txt.gz")
OPTIONS = (*TIME_OPTIONS, "separator", "header", "columns", "quote", "encoding", "item_mapping", "user_mapping")
__all__ = ["ACTIONS", "OPTIONS", "TIME_KIND", "attribute_files", "files", "items", "raw", "read", "users"]
ACTIONS: tuple[str, ...] = ()
TIME_KIND = "real"


def files(params: Params, root: Path) -> list[Path]:
    """Every file of events, by name."""
    return files_in(event_path(params, root), PATTERNS)


def raw(path: Path, options: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    """Chunks of the file as it is, all strings."""
    separator = options.get("separator") or ("\t" if ".tsv" in path.name else ",")
    names = None if options.get("header", True) else options.get("columns")
    return table(path, separator, names, options.get("quote", '"'), options.get("encoding", "utf-8"))


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of events of one file, under the contract's names."""
    return numbered(raw(path or event_path(params, root), options_of(params, OPTIONS)), params, Layout())


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Item attributes, from the catalogue file or from columns of the log."""
    options = options_of(params, OPTIONS)
    return attributes(params, root, "item", files(params, root), lambda path: raw(path, options))


def users(params: Params, root: Path) -> pl.DataFrame | None:
    """User attributes, from the users file or from columns of the log."""
    options = options_of(params, OPTIONS)
    return attributes(params, root, "user", files(params, root), lambda path: raw(path, options))

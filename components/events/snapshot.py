"""The snapshot that validation reads: the day files before `events.until`, whole days at a time, oldest first.

At most about `CHUNK_ROWS` rows are in memory at once (a single day may be more). Columns are checked from the files'
footers before any row is read. Never here: opinions on rows.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import ComputeError

from components.errors import DataError, IntegrityError, SchemaError
from components.events.contract import SCHEMA
from components.events.days import rows_in
from components.events.suite import DAY

#: Rows of one chunk, which is also the largest row group of what validation writes.
CHUNK_ROWS = 1 << 20
_FIRST = -(2**63)
ORDER = ("timestamp", "user_id", "source_seq", "event_key")


@dataclass(frozen=True)
class Snapshot:
    """Day files in order.

    Attributes
    ----------
    files : day → its file
    """

    files: dict[dt.date, Path]

    @classmethod
    def of(cls, folder: Path, until: dt.date | None) -> Snapshot:
        """Find the day files, and check the columns of each.

        Raises
        ------
        DataError
            There is no day file before `until`, or a file's name is no day.
        SchemaError
            A column is missing, renamed, new, or of another type.
        """
        files = {_day(path): path for path in sorted(folder.glob("day=*.parquet"))}
        files = {day: path for day, path in files.items() if until is None or day < until}
        for path in files.values():
            check_columns(path)
        snapshot = cls(files)
        if not snapshot.rows:
            before = f" before {until}" if until else ""
            raise DataError(
                "at least one event",
                found=f"none in {folder}{before}",
                do="Run `chronotope ingest`, and look at `events.source` and `events.until` in params.yaml.",
            )
        return snapshot

    @cached_property
    def rows(self) -> int:
        """Rows of all files."""
        return int(self.sizes.sum())

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(days,) rows of each file."""
        return np.array([rows_in(path) for path in self.files.values()], np.int64)

    @cached_property
    def keys(self) -> pl.Series:
        """(rows,) event_key of every row, in the order of the files."""
        return pl.scan_parquet(list(self.files.values())).select("event_key").collect()["event_key"]

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Whole days, oldest first, sorted by ORDER, with the day of the file in DAY."""
        group: list[dt.date] = []
        rows = 0
        for day, size in zip(self.files, self.sizes, strict=True):
            if group and rows + size > CHUNK_ROWS:
                yield self.read(group)
                group, rows = [], 0
            group.append(day)
            rows += int(size)
        if group:
            yield self.read(group)

    def read(self, days: list[dt.date]) -> pl.DataFrame:
        """(n, …) the rows of some days, sorted by ORDER."""
        parts = [_read(self.files[day]).with_columns(pl.lit(day).alias(DAY)) for day in days]
        rows = pl.concat(parts, rechunk=True)
        return rows if is_sorted(rows) else rows.sort(ORDER, maintain_order=True)


def _day(path: Path) -> dt.date:
    try:
        return dt.date.fromisoformat(path.stem.removeprefix("day="))
    except ValueError as error:
        raise DataError(
            "files named day=YYYY-MM-DD.parquet", found=f"{path}", do="Move the file away, or ingest its rows."
        ) from error


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=list(SCHEMA), hive_partitioning=False)
    except (ComputeError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"a whole Parquet file at {path}",
        found=str(error).splitlines()[0],
        do="Bring the day back with `dvc checkout`, or take it in again.",
    )


def is_sorted(rows: pl.DataFrame) -> bool:
    """Whether rows are in ORDER; much cheaper than sorting them again."""
    later = pl.lit(True)
    for name in reversed(ORDER):
        # A log without an order of its own has no source_seq; sorting puts missing values first.
        this = pl.col(name).fill_null(_FIRST) if name == "source_seq" else pl.col(name)
        later = (this > this.shift(1)) | ((this == this.shift(1)) & later)
    return bool(rows.select(later.slice(1).fill_null(False).all().alias("sorted")).item())


def check_columns(path: Path) -> None:
    """Compare a file's columns with the contract.

    Raises
    ------
    SchemaError
        Names the column and, where one is close, what it may have been renamed to.
    IntegrityError
        The file is no Parquet file.
    """
    try:
        found = pl.read_parquet_schema(path)
    except (ComputeError, OSError) as error:
        raise _damaged(path, error) from error
    new = sorted(set(found) - set(SCHEMA))
    for name, wanted in SCHEMA.items():
        if name not in found:
            near = difflib.get_close_matches(name, new, n=1, cutoff=0.5)
            renamed = f"; was it renamed to `{near[0]}`?" if near else ""
            raise SchemaError(
                f"the column `{name}` in {path}",
                found=f"the columns {', '.join(found)}{renamed}",
                do=f"Map it in `events.source.mapping` of params.yaml (`{name}: …`), and take the day in again.",
            )
        if found[name] != wanted:
            raise SchemaError(
                f"`{name}` as {wanted} in {path}",
                found=f"{found[name]}",
                do="Take the day in again with `chronotope ingest`, which brings columns to the contract.",
            )
    if new:
        raise SchemaError(
            f"only the columns of the contract in {path}",
            found=f"also {', '.join(new)}",
            do="Remove the column, or map it to one of the contract, and take the day in again.",
        )

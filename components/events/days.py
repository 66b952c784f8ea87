"""The day files: one Parquet file of events per UTC day, in one order, so that equal events are equal bytes.

Every way of arriving at the same events (any order, any chunks, any number of ingests) ends in the same bytes: of the
records that share a key the least by all columns stays, and rows are sorted by (timestamp, user_id, source_seq,
event_key). Never here: where events come from, or which of them are sound.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from components.errors import IntegrityError
from components.events.contract import SCHEMA
from components.files import write_aside, write_with

#: The order of a day file.
ORDER = ("timestamp", "user_id", "source_seq", "event_key")
_PREFIX, _SUFFIX = "day=", ".parquet"
_ROW_GROUP = 250_000


def day_path(folder: Path, day: dt.date) -> Path:
    """The file of a day."""
    return folder / f"{_PREFIX}{day.isoformat()}{_SUFFIX}"


def day_files(folder: Path) -> dict[dt.date, Path]:
    """Day → file, oldest first.

    Raises
    ------
    IntegrityError
        Something else lies in the folder.
    """
    found = {}
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else []:
        try:
            day = dt.date.fromisoformat(path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX))
        except ValueError:
            day = None
        if day is None or path != day_path(folder, day):
            raise IntegrityError(
                f"only files {_PREFIX}YYYY-MM-DD{_SUFFIX} in {folder}",
                found=path.name,
                do="Move it elsewhere: your own files belong in data/raw.",
            )
        found[day] = path
    return found


def read_events(folder: Path, until: dt.date | None = None, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """The log, in time order.

    Parameters
    ----------
    folder : Path
        A workspace, or its folder of day files.
    until : date, optional
        Only days before this one.
    columns : sequence of str, optional
        Of SCHEMA; all when left out.

    Returns
    -------
    pl.LazyFrame
        (n, …) rows sorted by ORDER; no rows where there are no days.
    """
    inner = folder / "data" / "events"
    days = day_files(inner if inner.is_dir() else folder)
    chosen = [path for day, path in days.items() if until is None or day < until]
    frame = pl.scan_parquet(chosen, glob=False) if chosen else pl.LazyFrame(schema=dict(SCHEMA))
    return frame.select(columns if columns is not None else list(SCHEMA))


def read_day(path: Path) -> pl.DataFrame:
    """One day file, checked for its columns.

    Raises
    ------
    IntegrityError
        The file is damaged or has other columns.
    """
    try:
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(
            f"a whole Parquet file at {path}", found=str(error)[:200], do="Bring it back: `dvc checkout data/events`."
        ) from error
    if frame.schema != pl.Schema(SCHEMA):
        raise IntegrityError(
            f"the columns of the event contract in {path}",
            found=str(dict(frame.schema))[:200],
            do="Bring the file back (`dvc checkout data/events`), or ingest its day anew with `--replace`.",
        )
    return frame


def write_day(path: Path, events: pl.DataFrame) -> int:
    """Write one day, already in order, and count what the file now holds.

    Returns
    -------
    int
        Rows, read back from the file.
    """
    write_with(path, _writer(events))
    return rows_in(path)


def seal_day(path: Path, events: pl.DataFrame) -> int:
    """Write one day, already in order, to wait aside for `files.move_into`: the bytes of `write_day`.

    Returns
    -------
    int
        Rows.
    """
    write_aside(path, _writer(events))
    return events.height


def _writer(events: pl.DataFrame) -> Callable[[Path], None]:
    whole = events.select(list(SCHEMA)).rechunk()  # without statistics: a day is found by its name
    return lambda path: whole.write_parquet(path, compression="lz4", statistics=False, row_group_size=_ROW_GROUP)


def rows_in(path: Path) -> int:
    """Rows of a Parquet file, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def distinct(events: pl.DataFrame) -> pl.DataFrame:
    """One row per event key: of several, the least by ORDER and then by every other column."""
    repeated = events["event_key"].is_duplicated()
    if not repeated.any():
        return events
    columns = [*ORDER, *(name for name in SCHEMA if name not in ORDER)]
    least = (
        events.filter(repeated).sort(columns, nulls_last=True).unique("event_key", keep="first", maintain_order=True)
    )
    return pl.concat([events.filter(~repeated), least])


def ordered(events: pl.DataFrame) -> pl.DataFrame:
    """Rows by ORDER, nulls last; keys must be distinct, so that the order is total.

    Sorting by time first and only then the ties costs a third of sorting by all columns.
    """
    if events["timestamp"].is_sorted() and not events["timestamp"].is_duplicated().any():
        return events
    by_time = events.sort("timestamp", maintain_order=True)
    tied = by_time["timestamp"].is_duplicated()
    if not tied.any():
        return by_time
    places = pl.int_range(by_time.height, eager=True, dtype=pl.UInt32)
    slots = places.filter(tied)
    keys = by_time.select(ORDER).with_columns(places.alias("place")).filter(tied)
    order = places.scatter(slots, keys.sort(ORDER, nulls_last=True)["place"])
    return by_time[order]

"""Merging arriving events into the day files that are there.

Never here: reading a source, or deciding what is sound.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from components.errors import ConservationError, DataError
from components.events.contract import SCHEMA
from components.events.days import day_files, day_path, distinct, ordered, read_day, rows_in, write_day
from components.events.spill import Sealed, Spill
from components.files import flush_names, move_into

#: More than cores: a thread that waits for the disk to flush needs none.
_WORKERS = 4


@dataclass(frozen=True)
class Window:
    """The days that an ingest may touch.

    Attributes
    ----------
    until : days before this one; None: any
    replace : first and last day to be taken anew; None: days are added to
    """

    until: dt.date | None
    replace: tuple[dt.date, dt.date] | None

    def of(self, events: pl.DataFrame) -> pl.DataFrame:
        """The events inside."""
        day = pl.col("timestamp").dt.date()
        if self.until is not None:
            events = events.filter(day < self.until)
        return events if self.replace is None else events.filter(day.is_between(*self.replace))

    def replaces(self, day: dt.date) -> bool:
        """Whether what the day holds now goes."""
        return self.replace is not None and self.replace[0] <= day <= self.replace[1]


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes
    ----------
    kept : rows that the files gained
    duplicates : arriving rows that they did not
    days_written : files that changed or went
    """

    kept: int
    duplicates: int
    days_written: int


@dataclass(frozen=True)
class _Day:
    before: int
    arriving: int
    removed: int
    after: int
    written: bool


def merge_days(folder: Path, spill: Spill, window: Window) -> Merged:
    """Bring every arriving event into the file of its day.

    Parameters
    ----------
    folder : Path
        Of day files.
    spill : Spill
        The arriving events.
    window : Window
        Which days are replaced.

    Returns
    -------
    Merged

    Raises
    ------
    DataError
        Days are to be replaced and nothing arrived for any of them.
    ConservationError
        A file does not hold what it was given.
    """
    days = spill.close()
    if window.replace is not None and not days:
        raise DataError(
            f"events from {window.replace[0]} to {window.replace[1]}",
            found="none in the source",
            do="Check the days and `events.source.path`; nothing was replaced.",
        )
    present = day_files(folder)
    old = {day: path for day, path in present.items() if not window.replaces(day)}
    homes = _homes(spill, old) if spill.cross_day else None
    touched = sorted({*days, *(_strangers(homes, old) if homes is not None else ())})
    with ThreadPoolExecutor(_WORKERS) as pool:
        done = list(pool.map(partial(_merge_day, folder, spill, old, homes), touched))
    flush_names(folder)
    gone = [path for day, path in present.items() if window.replaces(day) and day not in touched]
    for path in gone:
        path.unlink()
    kept = sum(one.after - one.before for one in done)
    return Merged(
        kept=kept,
        duplicates=sum(one.removed for one in done),
        days_written=sum(one.written for one in done) + len(gone),
    )


def _homes(spill: Spill, old: Mapping[dt.date, Path]) -> pl.DataFrame:
    """(k, 2) event_key and home of the keys that occur on several days; the earliest is their home."""
    kept = [
        pl.read_parquet(path, columns=["event_key"], glob=False).with_columns(pl.lit(day).alias("day"))
        for day, path in old.items()
    ]
    keys = pl.concat([spill.keys(), *kept])
    several = keys.group_by("event_key").agg(pl.col("day").min().alias("home"), pl.col("day").max().alias("last"))
    return several.filter(pl.col("home") < pl.col("last")).select("event_key", "home")


def _strangers(homes: pl.DataFrame, old: Mapping[dt.date, Path]) -> set[dt.date]:
    """Days whose files hold a key that is at home elsewhere."""
    if homes.is_empty():
        return set()
    found = set()
    for day, path in old.items():
        away = homes.filter(pl.col("home") != day)
        keys = pl.read_parquet(path, columns=["event_key"], glob=False)
        if keys.join(away, on="event_key", how="semi").height:
            found.add(day)
    return found


def _merge_day(
    folder: Path, spill: Spill, old: Mapping[dt.date, Path], homes: pl.DataFrame | None, day: dt.date
) -> _Day:
    sealed = spill.whole(day)
    if sealed is not None and day not in old and (homes is None or homes.is_empty()):
        return _place(folder, day, sealed, spill.arrived[day])
    parts = spill.take(day)
    present = read_day(old[day]) if day in old else None
    arriving = spill.arrived[day]
    before = present.height if present is not None else 0
    frame = pl.concat([*([present] if present is not None else []), *parts]).select(list(SCHEMA))
    if homes is not None and not homes.is_empty():
        frame = frame.join(homes.filter(pl.col("home") != day), on="event_key", how="anti", maintain_order="left")
    frame = distinct(frame)
    path = day_path(folder, day)
    removed = before + arriving - frame.height
    if frame.is_empty():
        path.unlink(missing_ok=True)
        return _Day(before, arriving, removed, 0, present is not None)
    frame = ordered(frame)
    if present is not None and frame.height == before and frame.equals(present):
        return _Day(before, arriving, removed, rows_in(path), False)
    return _Day(before, arriving, removed, _checked(path, write_day(path, frame), frame.height), True)


def _place(folder: Path, day: dt.date, sealed: Sealed, arriving: int) -> _Day:
    """A sealed day becomes the day's file as it is."""
    path = day_path(folder, day)
    move_into(sealed.path, path)
    return _Day(0, arriving, arriving - sealed.rows, _checked(path, rows_in(path), sealed.rows), True)


def _checked(path: Path, after: int, rows: int) -> int:
    """Rows in the file, which are as many as it was given."""
    if after != rows:
        raise ConservationError(f"{rows:,} rows in {path}", found=f"{after:,}", do="Run the ingest again.")
    return after

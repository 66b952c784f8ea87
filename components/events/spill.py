"""Events on their way into day files: kept in memory up to a bound, then on disk, by day.

A log that comes in the order of time is sealed as it comes: a day that a later one follows is written at once as the
day file that it will most likely be, while the next chunks are read. Events that come for it afterwards are merged
with it like any others.
Never here: anything that lasts; the folder goes when the ingest ends, or when the next one begins.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from components.events.days import distinct, ordered, read_day, seal_day

#: Rows that are held in memory (some 150 bytes each) before they go to the disk.
BUFFER_ROWS = 2_000_000
#: Rows in the order of time that are held before their days are sealed.
_SEAL_ROWS = 250_000
#: More than cores: a thread that waits for the disk to flush needs none.
_WORKERS = 4


@dataclass(frozen=True)
class Sealed:
    """A day file that waits for its place: `rows` distinct events in order."""

    path: Path
    rows: int


class Spill:
    """Conformed events by day.

    Parameters
    ----------
    folder : Path
        For what does not fit; emptied first.
    cross_day : bool
        Whether one event key may occur on several days; then the days of each key are kept too.
    buffer_rows : int
        Rows in memory.

    Attributes
    ----------
    arrived : day → rows that came for it
    """

    def __init__(self, folder: Path, cross_day: bool, buffer_rows: int = BUFFER_ROWS) -> None:
        self._folder = folder
        self._limit = buffer_rows
        self._buffer: list[pl.DataFrame] = []
        self._held = 0
        self._memory: dict[dt.date, pl.DataFrame] = {}
        self._disk: dict[dt.date, list[Path]] = {}
        self._sealed: dict[dt.date, Sealed] = {}
        self._keys: list[pl.DataFrame] = []
        self._pool = ThreadPoolExecutor(_WORKERS)
        self._sealing: deque[Future[None]] = deque()
        self._newest: dt.date | None = None  # day of the last event, while all came in the order of days
        self._in_order = True
        self.arrived: Counter[dt.date] = Counter()
        self.cross_day = cross_day
        shutil.rmtree(folder, ignore_errors=True)

    def add(self, events: pl.DataFrame) -> None:
        """Take conformed events."""
        if events.is_empty():
            return
        if self.cross_day or events["event_id"].null_count() < events.height:
            self.cross_day = True
        day = events["timestamp"].dt.date().alias("day")
        self._keys.append(pl.DataFrame([events["event_key"], day]))
        self._in_order &= day.is_sorted() and (self._newest is None or self._newest <= day[0])
        self._newest = day[-1]
        self._buffer.append(events.with_columns(day))
        self._held += events.height
        if self._in_order and self._held >= min(_SEAL_ROWS, self._limit):
            self._seal()
        if self._held >= self._limit:
            self._flush()

    def _split(self) -> dict[dt.date, pl.DataFrame]:
        if not self._buffer:
            return {}
        parts = _by_day(pl.concat(self._buffer))
        self._buffer, self._held = [], 0
        return parts

    def _seal(self) -> None:
        """Seal every day in memory but the newest, which may go on."""
        parts = self._split()
        newest = max(parts)
        last = parts.pop(newest)
        for day, part in parts.items():
            self.arrived[day] += part.height
            if day in self._disk:  # the beginning of a day too long for the memory
                self._write(day, part)
                continue
            if len(self._sealing) > _WORKERS:
                self._sealing.popleft().result()
            self._sealing.append(self._pool.submit(self._seal_day, day, part))
        self._buffer, self._held = [last.with_columns(pl.lit(newest).alias("day"))], last.height

    def _seal_day(self, day: dt.date, part: pl.DataFrame) -> None:
        path = self._folder / f"day={day.isoformat()}" / "sealed.parquet"
        self._sealed[day] = Sealed(path, seal_day(path, ordered(distinct(part))))

    def _flush(self) -> None:
        for day, part in self._split().items():
            self.arrived[day] += part.height
            self._write(day, part)

    def _write(self, day: dt.date, part: pl.DataFrame) -> None:
        paths = self._disk.setdefault(day, [])
        path = self._folder / f"day={day.isoformat()}" / f"{len(paths)}.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_ipc(path, compression="uncompressed")
        paths.append(path)

    def close(self) -> list[dt.date]:
        """End the adding; the days that have events, oldest first."""
        self._memory = self._split()
        for day, part in self._memory.items():
            self.arrived[day] += part.height
        while self._sealing:
            self._sealing.popleft().result()
        self._pool.shutdown()
        return sorted(self.arrived)

    def keys(self) -> pl.DataFrame:
        """(n, 2) event_key and day of every event."""
        return pl.concat(self._keys) if self._keys else pl.DataFrame(schema={"event_key": pl.UInt64, "day": pl.Date})

    def whole(self, day: dt.date) -> Sealed | None:
        """The file of a day for which nothing came after it was sealed."""
        return None if day in self._disk or day in self._memory else self._sealed.get(day)

    def take(self, day: dt.date) -> list[pl.DataFrame]:
        """A day's events, in one or several parts, once; what was sealed holds no duplicates any more."""
        parts = [pl.read_ipc(path) for path in self._disk.pop(day, [])]
        if day in self._sealed:
            parts.append(read_day(self._sealed.pop(day).path))
        part = self._memory.pop(day, None)
        return parts if part is None else [*parts, part]

    def clear(self) -> None:
        """Remove what is on the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _by_day(frame: pl.DataFrame) -> dict[dt.date, pl.DataFrame]:
    """Parts by column `day`, without it; of rows in time order they are slices and nothing is copied."""
    if not frame["day"].is_sorted():
        parts = frame.partition_by("day", as_dict=True, include_key=False)
        return {day: part for (day,), part in parts.items()}
    number = frame["day"].to_physical().to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), frame.height]
    events = frame.drop("day")
    return {frame["day"][start]: events[start:stop] for start, stop in pairwise(edges)}

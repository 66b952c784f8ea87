"""Events on their way into day files: kept in memory up to a bound, then on disk, by day.

Never here: anything that lasts; the folder goes when the ingest ends, or when the next one begins.
"""

from __future__ import annotations

import datetime as dt
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

#: Rows that are held in memory (some 150 bytes each) before they go to the disk.
BUFFER_ROWS = 2_000_000


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
    """

    def __init__(self, folder: Path, cross_day: bool, buffer_rows: int = BUFFER_ROWS) -> None:
        self._folder = folder
        self._limit = buffer_rows
        self._buffer: list[pl.DataFrame] = []
        self._held = 0
        self._memory: dict[dt.date, pl.DataFrame] = {}
        self._disk: dict[dt.date, list[Path]] = {}
        self._keys: list[pl.DataFrame] = []
        self.cross_day = cross_day
        shutil.rmtree(folder, ignore_errors=True)

    def add(self, events: pl.DataFrame) -> None:
        """Take conformed events."""
        if events.is_empty():
            return
        if self.cross_day or events["event_id"].null_count() < events.height:
            self.cross_day = True
        self._buffer.append(events)
        self._held += events.height
        if self._held >= self._limit:
            self._flush()

    def _split(self) -> dict[dt.date, pl.DataFrame]:
        if not self._buffer:
            return {}
        frame = pl.concat(self._buffer).with_columns(pl.col("timestamp").dt.date().alias("day"))
        self._buffer, self._held = [], 0
        self._keys.append(frame.select("event_key", "day"))
        return _by_day(frame)

    def _flush(self) -> None:
        for day, part in self._split().items():
            paths = self._disk.setdefault(day, [])
            path = self._folder / day.isoformat() / f"{len(paths)}.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_ipc(path, compression="uncompressed")
            paths.append(path)

    def close(self) -> list[dt.date]:
        """End the adding; the days that have events, oldest first."""
        self._memory = self._split()
        return sorted({*self._memory, *self._disk})

    def keys(self) -> pl.DataFrame:
        """(n, 2) event_key and day of every event."""
        return pl.concat(self._keys) if self._keys else pl.DataFrame(schema={"event_key": pl.UInt64, "day": pl.Date})

    def take(self, day: dt.date) -> list[pl.DataFrame]:
        """A day's events, in one or several parts, once."""
        parts = [pl.read_ipc(path) for path in self._disk.pop(day, [])]
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

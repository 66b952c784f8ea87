"""Noticing that a whole log came in other units: milliseconds for seconds, radians or 1e-7 degrees for degrees.

A few rows out of range are dirt and go to quarantine; when most of a log is out of range by one known factor, the
mapping is wrong, and quarantining it all would hide that. Never here: converting anything.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

import polars as pl

from components.errors import SchemaError
from components.params import EventParams

#: Share of the rows beyond which dirt is a wrong unit.
_MOST = 0.5
_FACTORS: Mapping[float, str] = {
    1e-3: "a thousand times too late: the next finer unit is meant (ms for s, us for ms)",
    1e-6: "a million times too late: a finer unit is meant (us for s)",
    1e-9: "a thousand million times too late: ns is meant",
    1e3: "a thousand times too early: the next coarser unit is meant (s for ms, ms for us)",
    1e6: "a million times too early: a coarser unit is meant (s for us)",
    1e9: "a thousand million times too early: s is meant",
}


class UnitWatch:
    """Counts, over the chunks of one log, how much of it another unit would explain.

    Parameters
    ----------
    params : EventParams
        Earliest time and tolerance.
    now : datetime
        Aware.
    """

    def __init__(self, params: EventParams, now: dt.datetime) -> None:
        self._first_s = dt.datetime.combine(params.earliest, dt.time(), dt.UTC).timestamp()
        self._last_s = (now + dt.timedelta(seconds=params.future_tolerance_s)).timestamp()
        self._rows = 0
        self._located = 0
        self._counts: dict[str, int] = {}

    def add(self, chunk: pl.DataFrame, rejected: bool) -> None:
        """Look at one chunk as its source gave it; `rejected` says whether any row of it was."""
        self._rows += chunk.height
        if rejected and isinstance(chunk.schema.get("timestamp"), pl.Datetime):
            self._add_times(chunk["timestamp"].dt.epoch("ms").cast(pl.Float64) / 1e3)
        if {"latitude", "longitude"} <= set(chunk.columns):
            self._add_places(
                chunk["latitude"].cast(pl.Float64, strict=False), chunk["longitude"].cast(pl.Float64, strict=False)
            )

    def _count(self, name: str, mask: pl.Series) -> None:
        self._counts[name] = self._counts.get(name, 0) + int(mask.sum())

    def _add_times(self, seconds: pl.Series) -> None:
        outside = seconds.filter(~seconds.is_between(self._first_s, self._last_s))
        for factor, meaning in _FACTORS.items():
            self._count(meaning, (outside * factor).is_between(self._first_s, self._last_s))

    def _add_places(self, latitude: pl.Series, longitude: pl.Series) -> None:
        both = latitude.is_finite() & longitude.is_finite()
        if not both.any():
            return
        north, east = latitude.abs(), longitude.abs()
        self._located += int(both.sum())
        outside = (north > 90) | (east > 180)
        self._count("integers of 1e-7 degrees", outside & (north <= 90e7) & (east <= 180e7) & (east + north > 1e4))
        self._count("latitude and longitude exchanged", outside & (north <= 180) & (east <= 90))
        # Nobody lives there: the rectangle is open sea in the Gulf of Guinea.
        near_zero = (north <= math.pi / 2) & (east <= math.pi) & (north + east > 0)
        self._count("radians", near_zero)

    def check(self) -> None:
        """Refuse the log when most of it is explained by another unit.

        Raises
        ------
        SchemaError
            Says which.
        """
        for name, count in self._counts.items():
            times = name in _FACTORS.values()
            whole = self._rows if times else self._located
            if count > _MOST * whole:
                raise SchemaError(
                    "times in the declared unit" if times else "degrees of latitude and longitude",
                    found=f"{count:,} of {whole:,} rows that look like this: {name}",
                    do="Set `events.source.options.time_unit`."
                    if times
                    else "Convert the columns, or mend `events.source.mapping`.",
                )

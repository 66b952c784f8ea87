"""Doubtful events that are kept: flagged by rules of params.yaml, never dropped silently.

Each flag looks only at the event itself and at earlier ones, so that no later event changes it; the centre and
spread of the outlier rule are those of the reference span, which is what training learns from.
Never here: refusing rows (`components.events.suite`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.params import Params

#: Flag → its bit in the column `flags`.
FLAGS: Mapping[str, int] = {"impossible_speed": 0, "bot_like_rate": 1, "outlying_number": 2}
_EARTH_KM = 6371.0088
#: Clocks tick in seconds: two events of one second are taken to be this far apart.
_TICK_S = 1.0
_LOCATED = ("user_id", "timestamp", "latitude", "longitude")


@dataclass(frozen=True)
class Spread:
    """Centre and robust deviation (1.4826 × median absolute deviation) of sign(x)·log(1 + |x|)."""

    centre: float
    deviation: float


def signed_log(column: str) -> pl.Expr:
    """sign(x)·log(1 + |x|): sizes of any unit on one scale, negative ones included."""
    return pl.col(column).sign() * pl.col(column).abs().log1p()


def spread_of(values: pl.DataFrame, column: str) -> Spread | None:
    """Spread of a column; None where its numbers are too few or too equal to call any of them outlying."""
    logs = values.filter(pl.col(column).is_finite()).select(signed_log(column).alias("log"))["log"]
    centre = logs.median()
    if not isinstance(centre, float):
        return None
    deviation = (logs - centre).abs().median()
    if not isinstance(deviation, float) or deviation <= 0:
        return None
    return Spread(centre, 1.4826 * deviation)


def distance_km(
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    to_latitude: NDArray[np.float64],
    to_longitude: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n,) great-circle distances by the haversine formula; all arguments in degrees."""
    a, b = np.radians(latitude), np.radians(to_latitude)
    turn = np.radians(to_longitude - longitude)
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(turn / 2) ** 2
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))


class Flagger:
    """Flags chunks of a log, oldest first; remembers each user's last located event between them.

    Parameters
    ----------
    params : Params
    spreads : `value` and `duration_s` → their spread in the reference span, or None
    """

    def __init__(self, params: Params, spreads: Mapping[str, Spread | None]) -> None:
        self._limits, self._spreads = params.validation, spreads
        self._speed = params.events.time_kind == "real"
        self._rate = params.events.time_kind != "ordinal"
        self._last: pl.DataFrame | None = None

    def flag(self, events: pl.DataFrame) -> pl.DataFrame:
        """Add the column `flags`.

        Parameters
        ----------
        events : (n, …) columns of the contract, oldest first; whole days; no chunk before an earlier one

        Returns
        -------
        (n, …) the same rows with `flags` Int8 (see FLAGS)
        """
        flags = np.zeros(len(events), np.int8)
        if self._speed:
            flags |= self._too_fast(events).astype(np.int8) << FLAGS["impossible_speed"]
        if self._rate:
            flags |= self._too_many(events).astype(np.int8) << FLAGS["bot_like_rate"]
        flags |= self._outlying(events).astype(np.int8) << FLAGS["outlying_number"]
        return events.with_columns(pl.Series("flags", flags, pl.Int8))

    def _too_fast(self, events: pl.DataFrame) -> NDArray[np.bool_]:
        """(n,) whether the user cannot have come here from the place of the previous located event."""
        result = np.zeros(len(events), bool)
        located = events.with_row_index("row").filter(pl.col("latitude").is_not_null()).select("row", *_LOCATED)
        before = self._last if self._last is not None else located.select(_LOCATED).clear()
        both = pl.concat([before, located.select(_LOCATED)])
        if not len(both):
            return result
        user = _codes(both["user_id"])
        order = np.argsort(user, kind="stable")
        user, both = user[order], both[order]
        time_s = both["timestamp"].dt.epoch("us").to_numpy() / 1e6
        lat, lon = both["latitude"].to_numpy(), both["longitude"].to_numpy()
        hours = np.maximum(np.diff(time_s), _TICK_S) / 3600
        same = user[1:] == user[:-1]
        fast = same & (distance_km(lat[:-1], lon[:-1], lat[1:], lon[1:]) > self._limits.max_speed_kmh * hours)
        by_row = np.zeros(len(both), bool)
        by_row[order[1:]] = fast
        result[located["row"].to_numpy()] = by_row[len(before) :]
        self._last = both.filter(np.append(~same, True))
        return result

    def _too_many(self, events: pl.DataFrame) -> NDArray[np.bool_]:
        """(n,) whether the event is beyond the user's allowance of its day."""
        if not len(events):
            return np.zeros(0, bool)
        user = _codes(events["user_id"]).astype(np.int64)
        day = events["timestamp"].dt.epoch("d").to_numpy().astype(np.int64)
        key = (day - day.min()) * (user.max() + 1) + user
        order = np.argsort(key, kind="stable")
        start = np.append(True, key[order][1:] != key[order][:-1])
        first = np.maximum.accumulate(np.where(start, np.arange(len(key)), 0))
        result = np.zeros(len(key), bool)
        result[order] = np.arange(len(key)) - first >= self._limits.max_events_per_user_day
        return result

    def _outlying(self, events: pl.DataFrame) -> NDArray[np.bool_]:
        """(n,) whether value or duration is far from the centre on a robust log scale (Iglewicz and Hoaglin, 1993)."""
        far = [
            (signed_log(name) - spread.centre).abs() > self._limits.outlier_z * spread.deviation
            for name, spread in self._spreads.items()
            if spread is not None
        ]
        if not far:
            return np.zeros(len(events), bool)
        return events.select(pl.any_horizontal(far).fill_null(False).alias("far"))["far"].to_numpy()


def _codes(names: pl.Series) -> NDArray[np.uint32]:
    """(n,) an integer for each distinct string."""
    return names.cast(pl.Categorical).to_physical().to_numpy()

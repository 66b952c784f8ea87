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
_DEGREE_KM = _EARTH_KM * np.pi / 180
#: What the clocks of logs tick in, seconds; two events of one tick are taken to be a tick apart.
_TICKS_S = (3600.0, 60.0)
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


def tick_of(timestamps: pl.Series) -> float:
    """Seconds of the clock that wrote a log: an hour or a minute where all its times are whole ones, else 1."""
    micros = timestamps.drop_nulls().dt.epoch("us")
    return next((tick for tick in _TICKS_S if len(micros) and (micros % int(tick * 1e6) == 0).all()), 1.0)


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
    tick_s : of the log's clock, see `tick_of`
    """

    def __init__(self, params: Params, spreads: Mapping[str, Spread | None], tick_s: float) -> None:
        self._limits, self._spreads, self._tick_s = params.validation, spreads, tick_s
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
        if len(events):
            user = events["user_id"].cast(pl.Categorical).to_physical().to_numpy()
            order = np.argsort(user, kind="stable")  # by user, oldest first
            if self._speed:
                flags[self._too_fast(events, order)] |= 1 << FLAGS["impossible_speed"]
            if self._rate:
                flags[self._too_many(events["timestamp"], user[order], order)] |= 1 << FLAGS["bot_like_rate"]
            flags[self._outlying(events)] |= 1 << FLAGS["outlying_number"]
        return events.with_columns(pl.Series("flags", flags, pl.Int8))

    def _too_fast(self, events: pl.DataFrame, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows whose user cannot have come there from the place of the previous located event."""
        by_user = events.select(_LOCATED).with_row_index("row")[order].filter(pl.col("latitude").is_not_null())
        if self._last is not None:  # each user's last place, before the chunk's
            both = pl.concat(
                [self._last.with_columns(pl.lit(None, pl.UInt32).alias("row")).select(by_user.columns), by_user]
            )
            by_user = both[np.argsort(both["user_id"].cast(pl.Categorical).to_physical().to_numpy(), kind="stable")]
        self._last = by_user.filter((pl.col("user_id") != pl.col("user_id").shift(-1)).fill_null(True)).select(_LOCATED)
        lat, lon = by_user["latitude"].to_numpy(), by_user["longitude"].to_numpy()
        seconds = np.maximum(np.diff(by_user["timestamp"].dt.epoch("us").to_numpy()) / 1e6, self._tick_s)
        reach_km = self._limits.max_speed_kmh * seconds / 3600
        same = by_user.select((pl.col("user_id") == pl.col("user_id").shift(1)).alias("same"))["same"][1:].to_numpy()
        # No distance is longer than its way along the meridian and the parallel: most pairs need no haversine.
        turn = np.abs(np.diff(lon))
        bound_km = _DEGREE_KM * (np.abs(np.diff(lat)) + np.minimum(turn, 360 - turn))
        pairs = np.flatnonzero(same & (bound_km > reach_km))
        far = distance_km(lat[pairs], lon[pairs], lat[pairs + 1], lon[pairs + 1]) > reach_km[pairs]
        return by_user["row"].gather(pairs[far] + 1).to_numpy()

    def _too_many(self, timestamp: pl.Series, user: NDArray[np.uint32], order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows beyond their user's allowance of the day; `user` is sorted, `order` are the rows."""
        day = timestamp.dt.epoch("d").to_numpy()[order]
        start = np.append(True, (user[1:] != user[:-1]) | (day[1:] != day[:-1]))
        place = np.arange(len(day))
        before = place - np.maximum.accumulate(np.where(start, place, 0))
        return order[before >= self._limits.max_events_per_user_day]

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

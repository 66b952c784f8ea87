"""What can be measured on the events of complete users without any statistics of training.

Offline, live and while an encoding is fitted, the same function measures. What the kind of time cannot tell
(`events.time_kind`) stays unknown here: an order has no clock and no gaps, a day has no hour and no speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.features import place, time
from components.features.raw import Raw

#: Names that `features.numbers` may list.
NUMBERS = ("gap_s", "distance_km", "speed_kmh", "duration_s", "value")


@dataclass(frozen=True)
class Measures:
    """Of N events: see `features.store.COLUMNS`; NaN = unknown.

    Attributes
    ----------
    start : (N,) int32 row of the user's first event
    gap_s : (N,) int64, -1 for the user's first event
    gap_known : whether gaps are lengths of time
    session, rank : (N,) int32; rank counts the user's earlier events of the same UTC day
    distance_km, speed_kmh, duration_s, value : (N,) float32
    """

    start: NDArray[np.int32]
    gap_s: NDArray[np.int64]
    gap_known: bool
    session: NDArray[np.int32]
    rank: NDArray[np.int32]
    distance_km: NDArray[np.float32]
    speed_kmh: NDArray[np.float32]
    duration_s: NDArray[np.float32]
    value: NDArray[np.float32]

    def number(self, name: str) -> NDArray[np.float32]:
        """(N,) one of NUMBERS in its own unit, NaN = unknown."""
        if name != "gap_s":
            column: NDArray[np.float32] = getattr(self, name)
            return column
        if not self.gap_known:
            return np.full(len(self.gap_s), np.nan, np.float32)
        return np.where(self.gap_s < 0, np.float32(np.nan), self.gap_s.astype(np.float32))


def measure(raw: Raw, settings: Mapping[str, Any]) -> Measures:
    """Measure the events of complete users; `settings` are those of an Encoding."""
    kind, start, first = settings["time_kind"], raw.start, raw.first
    gap_s = time.gaps(raw.time_s, first)
    distance_km, speed_kmh = place.travel(raw.lat_e7, raw.lon_e7, raw.time_s, start)
    rank = time.rank_in_day(raw.time_s, first)
    if kind != "real":
        speed_kmh = np.full_like(speed_kmh, np.nan)
    if kind == "ordinal":
        rank = np.zeros_like(rank)
        gap_s = np.minimum(gap_s, 0)
    return Measures(
        start=start,
        gap_s=gap_s,
        gap_known=kind != "ordinal",
        session=time.sessions(gap_s, raw.link, start, int(settings["session_gap_s"])),
        rank=rank,
        distance_km=distance_km,
        speed_kmh=speed_kmh,
        duration_s=raw.duration_s,
        value=raw.value,
    )


def clock(
    raw: Raw, settings: Mapping[str, Any]
) -> tuple[NDArray[np.int16], NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """(N,) offset from UTC in minutes, local hour, weekday and holiday; zeros where the kind of time has none.

    A day's date is taken as the source wrote it: no time zone moves it to the day before.
    """
    kind = settings["time_kind"]
    if kind == "ordinal":
        nothing = np.zeros(len(raw), np.int8)
        return np.zeros(len(raw), np.int16), nothing, nothing.copy(), nothing.copy()
    offset = np.zeros(len(raw), np.int16)
    if kind == "real":
        offset = time.utc_offset(raw.time_s, raw.utc_offset_min, settings["timezone"])
    return offset, *time.calendar(raw.time_s, offset, settings["country"])

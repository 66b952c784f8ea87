"""The numbers of an event as model inputs: missing values filled by rule, scales by statistics of training.

Every fill keeps an indicator (`Store.missing`), and no rule reads a later event: "interpolate" holds the user's
last known value, the only interpolation in time that does not look ahead. Statistics come from training events
alone (`components.features.fit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import Scale
from components.params import NumberParams

_Float = TypeVar("_Float", np.float32, np.float64)
#: Bits of Store.flags.
SPEED, RATE, OUTLIER = 1, 2, 4


def flags(
    speed_kmh: NDArray[np.float32],
    rank: NDArray[np.int32],
    value: NDArray[np.float32],
    duration_s: NDArray[np.float32],
    limits: Mapping[str, float | None],
) -> NDArray[np.int8]:
    """Mark events that break a rule of `params.validation`; they are never dropped here.

    Parameters
    ----------
    speed_kmh, value, duration_s : (N,) float32, NaN = unknown, which breaks no rule
    rank : (N,) int32 events of the same user and day before this one
    limits : mapping
        `max_speed_kmh`, `max_events_per_user_day`, `max_value` (absolute), `max_duration_s`; None: no limit.

    Returns
    -------
    (N,) int8 of the bits SPEED, RATE (from the first event beyond the day's limit on) and OUTLIER
    """

    def above(column: NDArray, name: str) -> NDArray[np.bool_]:
        limit = limits[name]
        return np.zeros(len(column), bool) if limit is None else np.asarray(column > limit)

    outlier = above(np.abs(value), "max_value") | above(duration_s, "max_duration_s")
    return (
        SPEED * above(speed_kmh, "max_speed_kmh").astype(np.int8)
        | RATE * above(rank + 1, "max_events_per_user_day").astype(np.int8)
        | OUTLIER * outlier.astype(np.int8)
    )


def transform(values: NDArray[_Float], scale: str) -> NDArray[_Float]:
    """What happens before centre and spread: log(1 + |x|) with the sign of x for "log", else nothing."""
    if scale != "log":
        return values
    return np.copysign(np.log(1 + np.abs(values)), values)  # numpy's log1p is four times slower, no better here


def fit_scale(values: NDArray[np.float32], params: NumberParams) -> Scale:
    """Fill value, centre and spread of one number.

    Parameters
    ----------
    values : (n,) float32 of training events, NaN = missing
    params : NumberParams

    Returns
    -------
    Scale
        none: 0 and 1; min_max: minimum and range; standard: mean and deviation; robust: median and interquartile
        range; log: mean and deviation of the signed log. A spread of zero becomes 1. The fill is the declared
        constant, or the median of the known values (of "interpolate" too: it stands until the user's first
        known value); with none known, the declared constant.
    """
    known = values[~np.isnan(values)].astype(np.float64)
    constant = params.fill.rule == "constant" or not len(known)
    fill = params.fill.value if constant else float(np.median(known))
    if not len(known) or params.scale == "none":
        return Scale(params, fill, 0.0, 1.0)
    x = transform(known, params.scale)
    if params.scale == "min_max":
        centre, spread = float(x.min()), float(x.max() - x.min())
    elif params.scale == "robust":
        low, centre, high = (float(q) for q in np.quantile(x, [0.25, 0.5, 0.75]))
        spread = high - low
    else:
        centre, spread = float(x.mean()), float(x.std())
    return Scale(params, fill, centre, spread if spread > 0 else 1.0)


def last_known(values: NDArray[np.float32], start: NDArray[np.int32]) -> NDArray[np.float32]:
    """(N,) each missing value replaced by the user's latest known one, NaN before the first.

    `start` (N,) int32 is the row of the user's first event.
    """
    row = np.arange(len(values), dtype=np.int32)
    source = np.maximum.accumulate(np.where(np.isnan(values), -1, row)) if len(row) else row
    return np.where(source >= start, values[source], np.float32(np.nan))


def scaled(
    columns: Sequence[NDArray[np.float32]], scales: Sequence[Scale], start: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Fill, transform and scale.

    Parameters
    ----------
    columns : F arrays (N,) float32, NaN = missing
    scales : F scales, fitted on training
    start : (N,) int32 row of the user's first event

    Returns
    -------
    numbers : (N, F) float32 without NaN
    missing : (N,) uint16, bit f set where column f was filled
    """
    numbers = np.empty((len(start), len(columns)), np.float32)
    missing = np.zeros(len(start), np.uint16)
    for f, (values, scale) in enumerate(zip(columns, scales, strict=True)):
        absent = np.isnan(values)
        x = values
        if absent.any():
            missing |= absent.astype(np.uint16) << np.uint16(f)
            x = last_known(values, start) if scale.params.fill.rule == "interpolate" else values
            x = np.where(np.isnan(x), np.float32(scale.fill), x)
        x = transform(x, scale.params.scale)
        np.multiply(x - np.float32(scale.centre), np.float32(1 / scale.spread), out=numbers[:, f])
    return numbers, missing

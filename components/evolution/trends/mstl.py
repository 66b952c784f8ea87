"""Several cycles at once: a series taken apart by MSTL, its trend forecast by a small model, its cycles repeated.

Reference: Bandara, Hyndman, Bergmeir (2021), MSTL: a seasonal-trend decomposition algorithm for time series with
multiple seasonal patterns; Cleveland et al. (1990), STL. Decomposed by statsforecast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from components.evolution.trends.panel import Floats, Panel

_PANELS_KEPT = 2  # one decomposition serves every model of its trend


@dataclass(frozen=True, eq=False)
class Parts:
    """values = trend + sum of seasonal + remainder, NaN before a series begins.

    Attributes
    ----------
    trend, remainder : (N, T)
    seasonal : (N, S, T) one for each season of the panel; 0 where a series holds fewer than two cycles
    """

    trend: Floats
    seasonal: Floats
    remainder: Floats

    @property
    def adjusted(self) -> Floats:
        """(N, T) the values without their cycles."""
        return self.trend + self.remainder


@lru_cache(maxsize=_PANELS_KEPT)
def decompose(panel: Panel) -> Parts:
    """Take every series apart; kept for the last panels that were asked of.

    A series that holds fewer than two cycles of any season is its own trend, smoothed by nothing: remainder 0.
    """
    from statsforecast.mstl import mstl

    steps = panel.steps
    trend, remainder = panel.values.copy(), np.where(np.isnan(panel.values), np.nan, 0.0)
    seasonal = np.where(np.isnan(panel.values), np.nan, 0.0)[:, None].repeat(len(panel.seasons), axis=1)
    for row, series in enumerate(panel.rows()):
        used = [place for place, one in enumerate(panel.seasons) if one > 1 and 2 * one < len(series)]
        if not used:
            continue
        found = mstl(np.ascontiguousarray(series), period=[panel.seasons[place] for place in used])
        begin = steps - len(series)
        names = [name for name in found.columns if name.startswith("seasonal")]
        for place, name in zip(used, names, strict=True):
            seasonal[row, place, begin:] = found[name]
        trend[row, begin:], remainder[row, begin:] = found["trend"], found["remainder"]
    return Parts(trend, seasonal, remainder)


def mstl(panel: Panel, horizon: int, method: Callable[[Panel, int], Floats]) -> Floats:
    """(N, H) of a method without season on the adjusted series, plus the last cycle of each season again."""
    parts = decompose(panel)
    rest = Panel(parts.adjusted, panel.keys, (1,), panel.step, panel.start, panel.zone)
    point = method(rest, horizon)
    for place, season in enumerate(panel.seasons):
        if season <= panel.steps:
            last = np.nan_to_num(parts.seasonal[:, place, -season:])
            point = point + last[:, np.arange(horizon) % season]
    return point

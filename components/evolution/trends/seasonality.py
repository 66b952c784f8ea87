"""How strong cycles are, how strong the trend is, and what a week looks like hour by hour.

Never here: forecasts, or causes.

Reference: Wang, Smith, Hyndman (2006), Characteristic-based clustering for time series data; Hyndman, Athanasopoulos
(2021), Forecasting: principles and practice, §4.3 (strength of trend and season).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from components.errors import DataError
from components.evolution.trends.mstl import Parts, decompose
from components.evolution.trends.panel import Floats, Panel, panel_of
from components.features.time import NO_OFFSET, utc_offset

HOURS = 168
_DRAWS = (100, 500, 100_000)  # series of noise: least, most, and how many steps they may have together
_LEAST = 1e-6  # a strength of 0 or 1 has no odds


@dataclass(frozen=True)
class Strength:
    """Attributes
    ----------
    trend : (N,) 0 none … 1 all
    season : (N, S) likewise, one for each season of the panel; 0 where a series holds fewer than two cycles
    """

    trend: Floats
    season: Floats


def strength(parts: Parts) -> Strength:
    """Share of the variance of trend (season) and remainder together that is not the remainder's, not below 0.

    White noise has some strength too, the more the fewer cycles there are: compare with `null_strength`.
    """
    remainder = np.nanvar(parts.remainder, axis=1)  # (N,)

    def of(part: Floats) -> Floats:
        both = np.nanvar(part + parts.remainder, axis=1)
        found = np.where(both > 0, 1 - remainder / np.where(both > 0, both, 1.0), 0.0)
        return np.clip(found, 0.0, 1.0)

    # A series that could not be taken apart is all trend and says nothing of its strength.
    whole = (np.nan_to_num(parts.remainder) == 0).all(1)
    season = np.stack([of(parts.seasonal[:, place]) for place in range(parts.seasonal.shape[1])], axis=1)
    return Strength(
        np.where(whole, 0.0, of(parts.trend)), np.where(whole[:, None] & (season >= 1), _flat(parts), season)
    )


def _flat(parts: Parts) -> Floats:
    """(N, S) 1 where an exact cycle was found and nothing else, 0 where there is no cycle at all."""
    return np.asarray(np.nanvar(parts.seasonal, axis=2) > 0, np.float64)


def null_strength(panel: Panel, level: float, seed: int) -> Floats:
    """(S,) the strength of season that white noise of the panel's length stays below with a probability of `level`.

    Parameters
    ----------
    level : in 0..1, such as .99

    Notes
    -----
    A normal distribution of the log-odds of the strengths of `_DRAWS` series: the share above the line is then .05 give
    or take .016 with 100 series of noise, where their own quantile is twice as loose. Fewer are drawn the longer they
    are, as they cost most.
    """
    return np.asarray(_null_strength(panel.steps, panel.seasons, level, seed))


@lru_cache(maxsize=64)
def _null_strength(steps: int, seasons: tuple[int, ...], level: float, seed: int) -> tuple[float, ...]:
    fewest, most, together = _DRAWS
    draws = int(np.clip(together // steps, fewest, most))
    noise = np.random.default_rng(seed).normal(size=(draws, steps))
    found = strength(decompose(panel_of(list(noise), seasons, [str(one) for one in range(draws)])))
    odds = special.logit(np.clip(found.season, _LEAST, 1 - _LEAST))
    line = odds.mean(axis=0) + stats.norm.ppf(level) * odds.std(axis=0, ddof=1)
    return tuple(special.expit(line).tolist())


def hour_of_week(panel: Panel) -> Floats:
    """(N, 168) mean count of each local hour of the week over the mean of all hours; 0 is Monday 0:00, 1 the average.

    Parameters
    ----------
    panel : of hours, with a clock; local is `panel.zone`

    Raises
    ------
    DataError
        The panel has no hours.
    """
    slot = slots(panel)
    known = ~np.isnan(panel.values)
    profile = np.zeros((panel.n, HOURS))
    count = np.zeros((panel.n, HOURS))
    np.add.at(profile.T, slot, np.nan_to_num(panel.values).T)
    np.add.at(count.T, slot, known.astype(np.float64).T)
    mean = np.nanmean(panel.values, 1)[:, None]
    each = profile / np.maximum(count, 1)
    return np.asarray(each / np.where(mean > 0, mean, 1.0))


def slots(panel: Panel) -> NDArray[np.int64]:
    """(T,) int64 local hour of the week of each step, 0..167."""
    if panel.step != "hour" or panel.start is None:
        raise DataError("a panel of hours with a clock", found=f"step {panel.step}", do='Count with the step "hour".')
    start = panel.start if panel.start.tzinfo else panel.start.replace(tzinfo=dt.UTC)
    time_s = int(start.timestamp()) + 3600 * np.arange(panel.steps, dtype=np.int64)
    offset = utc_offset(time_s, np.full(panel.steps, NO_OFFSET, np.int16), panel.zone)
    local = time_s // 60 + offset
    return np.asarray((local // 60 - 4 * 24) % HOURS)  # 1970-01-01 was a Thursday, the 5th was a Monday

"""Unusual days: those whose largest deviation is rarer than a stated number of false alarms a month allows.

A day is one test however many steps it has, since hours of one day deviate together. What is usual comes from the days
themselves: deviations of a slot are measured in its own robust spread, and how the largest of a day scatters is read
off the middle and the upper flank of all days, which a few events do not move. Never here: why (`causes`).

References: Hampel (1974) (median and MAD); Benjamini, Hochberg (1995), Controlling the false discovery rate;
Hochenbaum, Vallis, Kejariwal (2017), Automatic anomaly detection in the cloud via statistical learning (robust
residuals of a decomposition).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from components.errors import ConfigError, DataError
from components.evolution.trends.panel import Floats, Panel

MAD = 1.4826  # of a normal distribution, per standard deviation
DAYS_A_MONTH = 365.25 / 12
_MANY = 300.0  # events a step, from which on counts scatter alike to both sides
_FLANK = float(norm.cdf(1.0))
#: Days for each degree of freedom of a spread that is read off the middle and the upper flank: the relative variance of
#: that spread is 2.2 / days (asymptotic variance of normal quantiles), and of one with ν degrees of freedom 1 / (2 ν).
_DAYS_A_FREEDOM = 4.4
_DAYS_A_MAD = 2.7  # likewise of a median absolute deviation
_BULK = 0.9


@dataclass(frozen=True)
class Control:
    """How false alarms are held.

    Attributes
    ----------
    kind : "rate": so many days a month and series are expected to be flagged where nothing happens; "discovery": so
        large a share of all flagged days may be false (Benjamini–Hochberg)
    value : days a month, above 0; or a share in 0..1
    """

    kind: Literal["rate", "discovery"]
    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value < (DAYS_A_MONTH if self.kind == "rate" else 1.0):
            raise ConfigError("a rate of days a month, or a share below 1", found=f"{self}", do="Change `value`.")


@dataclass(frozen=True)
class Unusual:
    """One or more days in a row.

    Attributes
    ----------
    row : series
    first, last : steps, the whole days included
    peak : step of the largest deviation
    deviation : there, in robust standard deviations of its slot; below 0: less than usual
    excess : sum of value − expected over the days, in counts
    p : of the most unusual of the days
    """

    row: int
    first: int
    last: int
    peak: int
    deviation: float
    excess: float
    p: float


def expected(panel: Panel, cycles: int, past_only: bool) -> Floats:
    """(N, T) what is usual: the median of the same slot of the longest season in the cycles around, itself left out.

    An event is no part of what it is compared with, as it would be in a trend that was smoothed through it.

    Parameters
    ----------
    cycles : on each side
    past_only : look at cycles before alone, as one must live; NaN where there are none
    """
    season = panel.seasons[-1]
    shifts = [season * one for one in range(1, cycles + 1)]
    around = [_shifted(panel.values, shift) for shift in shifts]
    if not past_only:
        around += [_shifted(panel.values, -shift) for shift in shifts]
    stacked = np.stack(around)
    known = np.asarray(~np.isnan(stacked).all(0))
    found = np.full(panel.values.shape, np.nan)
    found[known] = np.nanmedian(stacked[:, known], axis=0)
    return found


def _few(values: Floats) -> NDArray[np.bool_]:
    """(N,) whether a series holds counts so small that their noise is skewed."""
    return np.asarray((np.nanmin(values, 1) >= 0) & (np.nanmean(values, 1) < _MANY))


def _steady(values: Floats) -> Floats:
    """Counts on a scale on which the noise of many is no wider than that of few (Anscombe 1948)."""
    return np.asarray(2 * np.sqrt(np.maximum(values, 0.0) + 0.375))


def _shifted(values: Floats, by: int) -> Floats:
    """(N, T) the value `by` steps before (after, below 0)."""
    found = np.full(values.shape, np.nan)
    if abs(by) >= values.shape[1]:
        return found
    if by > 0:
        found[:, by:] = values[:, :-by]
    else:
        found[:, :by] = values[:, -by:]
    return found


def deviations(residual: Floats, season: int, least: float = 0.0) -> Floats:
    """(N, T) residuals in robust standard deviations of their slot of a cycle; NaN stays, 0 where a slot never moves.

    A slot's spread is not taken below a tenth of the series', nor below `least`: a slot that is nearly always 0 would
    make of one event a wonder.
    """
    found = np.full(residual.shape, np.nan)
    whole = _mad(residual)
    for slot in range(season):
        part = residual[:, slot::season]
        spread = np.maximum(_mad(part), np.maximum(0.1 * whole, least))
        centred = part - _median(part)
        found[:, slot::season] = np.where(spread > 0, centred / np.where(spread > 0, spread, 1.0), centred * 0)
    return found


def _median(values: Floats) -> Floats:
    """(N, 1) medians over what is known; 0 where nothing is."""
    known = np.asarray(~np.isnan(values).all(1))
    found = np.zeros((len(values), 1))
    found[known, 0] = np.nanmedian(values[known], axis=1)
    return found


def _mad(values: Floats) -> Floats:
    return MAD * _median(np.abs(values - _median(values)))


def day_p_values(deviation: Floats, day: int) -> Floats:
    """(N, D) chance of a day at least so unusual where nothing happens; NaN where nothing is known of the day.

    The largest absolute deviation of a day is taken to be log-normal, its place and spread read off the median and the
    quantile one standard deviation above it: up to a seventh of the days may be events. As that is read off few days,
    the chance is Student's, with a degree of freedom for every 4.4 of them: on days of noise the stated rates held
    (tests).

    Parameters
    ----------
    deviation : (N, T), T whole days
    day : steps of a day
    """
    size = np.abs(deviation).reshape(len(deviation), -1, day)
    if day == 1:
        return _single(size[:, :, 0])
    known = np.asarray(~np.isnan(size).all(2))
    largest = np.where(known, np.where(np.isnan(size), 0.0, size).max(2), np.nan)
    tiny = np.log(np.maximum(largest, 1e-6))
    found = np.full(known.shape, np.nan)
    for row in np.flatnonzero(known.sum(1) >= 2):
        here = tiny[row, known[row]]
        middle, flank = np.quantile(here, [0.5, _FLANK])
        spread = max(flank - middle, 0.05)
        found[row, known[row]] = t.sf((here - middle) / spread, len(here) / _DAYS_A_FREEDOM)
    return found


def _single(size: Floats) -> Floats:
    """(N, D) chances of days of one step each: Student's, no narrower than the bulk of the deviations is."""
    found = np.full(size.shape, np.nan)
    for row, values in enumerate(size):
        known = ~np.isnan(values)
        if known.sum() >= 2:
            spread = max(1.0, float(np.quantile(values[known], _BULK)) / float(norm.ppf(0.5 + _BULK / 2)))
            found[row, known] = 2 * t.sf(values[known] / spread, max(known.sum() / _DAYS_A_MAD, 1.0))
    return found


def flagged(p: Floats, control: Control) -> NDArray[np.bool_]:
    """(N, D) the days that a control lets pass, each series by itself.

    Examples
    --------
    >>> flagged(np.array([[0.001, 0.9, 0.04]]), Control("discovery", 0.05)).tolist()
    [[True, False, False]]
    """
    if control.kind == "rate":
        return np.asarray(np.where(np.isnan(p), 1.0, p) <= control.value / DAYS_A_MONTH)
    found = np.zeros(p.shape, bool)
    for row, values in enumerate(p):
        known = values[~np.isnan(values)]
        ordered = np.sort(known)
        good = np.flatnonzero(ordered <= control.value * np.arange(1, len(ordered) + 1) / max(len(ordered), 1))
        if len(good):
            found[row] = np.where(np.isnan(values), 1.0, values) <= ordered[good[-1]]
    return found


def unusual(panel: Panel, usual: Floats, day: int, control: Control) -> list[Unusual]:
    """Unusual days of every series, neighbours as one, most unusual first.

    Parameters
    ----------
    usual : (N, T) what was expected: of `expected`, of a forecast, or the trend and cycles of a decomposition
    day : steps of a day; the panel's first step begins one

    Raises
    ------
    DataError
        There are fewer than two whole days.
    """
    days = panel.steps // day
    if days < 2:
        raise DataError("two whole days", found=f"{panel.steps} steps of {day} a day", do="Count more days.")
    values, usual = panel.values[:, : days * day], usual[:, : days * day]
    residual = values - usual
    few = _few(values)[:, None]
    deviation = np.where(few, deviations(_steady(values) - _steady(usual), day, least=1.0), deviations(residual, day))
    p = day_p_values(deviation, day)
    found = []
    for row, hit in enumerate(flagged(p, control)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], hit.astype(np.int8), [0]])))
        for begin, end in edges.reshape(-1, 2).tolist():
            part = slice(begin * day, end * day)
            there = np.nan_to_num(deviation[row, part])
            peak = int(np.abs(there).argmax())
            excess = float(np.nansum(residual[row, part]))
            least = float(np.nanmin(p[row, begin:end]))
            found.append(
                Unusual(row, begin * day, end * day - 1, begin * day + peak, float(there[peak]), excess, least)
            )
    return sorted(found, key=lambda one: (one.p, -abs(one.deviation), one.row, one.first))

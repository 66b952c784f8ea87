"""How good forecasts are: of points, of quantiles and of intervals, with how sure the mean over series is.

Every function gives one figure a series; `summary` pools them. Scales come from the training part alone. Nothing here
forecasts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.evolution.significance import Estimate
from components.evolution.trends.panel import Floats, Panel


def scale_of(panel: Panel, season: int | None = None) -> Floats:
    """(N,) mean absolute error of the seasonal naive forecast inside the series: what MASE divides by.

    Falls back to the change from step to step where a series is no longer than a cycle; NaN where it is constant.

    References
    ----------
    Hyndman, Koehler (2006), Another look at measures of forecast accuracy.

    Examples
    --------
    >>> from components.evolution.trends.panel import panel_of
    >>> scale_of(panel_of([[1.0, 2.0, 4.0]], (1,), ["a"])).tolist()
    [1.5]
    """
    m = season or panel.seasons[0]

    def mean_change(lag: int) -> Floats:
        change = np.abs(panel.values[:, lag:] - panel.values[:, :-lag])
        known = ~np.isnan(change)
        total = np.where(known, change, 0.0).sum(1)
        return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)

    scale = mean_change(m) if m < panel.steps else np.full(panel.n, np.nan)
    if m > 1 and np.isnan(scale).any() and panel.steps > 1:
        scale = np.where(np.isnan(scale), mean_change(1), scale)
    return np.where(scale > 0, scale, np.nan)


def mase(actual: Floats, point: Floats, scale: Floats) -> Floats:
    """(N,) mean absolute scaled error, 0 and up; NaN where the scale is. See `scale_of`."""
    return np.asarray(np.abs(actual - point).mean(1) / scale)


def smape(actual: Floats, point: Floats) -> Floats:
    """(N,) symmetric mean absolute percentage error, 0..200, as in M4 (Makridakis et al. 2020); 0/0 counts as 0."""
    size = np.abs(actual) + np.abs(point)
    return np.asarray((200.0 * np.abs(actual - point) / np.where(size > 0, size, 1.0)).mean(1))


def mse(actual: Floats, point: Floats) -> Floats:
    """(N,) mean squared error, in squared counts."""
    return np.asarray(((actual - point) ** 2).mean(1))


def r2(actual: Floats, point: Floats, scale: Floats) -> float:
    """Share of the variance, within series, that is explained: 1 best, 0 is each series' own mean; may be below 0.

    Series are divided by their scale and pooled: R² of one short horizon of a flat series means nothing by itself.
    """
    known = ~np.isnan(scale)
    y, f = actual[known] / scale[known, None], point[known] / scale[known, None]
    around = ((y - y.mean(1, keepdims=True)) ** 2).sum()
    return float(1 - ((y - f) ** 2).sum() / around) if around > 0 else float("nan")


def wape(actual: Floats, point: Floats) -> float:
    """Absolute errors of all series over all that happened, 0 and up."""
    return float(np.abs(actual - point).sum() / max(np.abs(actual).sum(), 1e-300))


def crps(actual: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """(N,) continuous ranked probability score from quantiles, in counts: twice the mean pinball loss.

    Parameters
    ----------
    actual : (N, H)
    quantiles : (N, H, Q)
    levels : (Q,) evenly spaced inside 0..1, such as .1 … .9

    References
    ----------
    Gneiting, Raftery (2007), Strictly proper scoring rules, §4.2; as a mean over levels: Laio, Tamea (2007).
    """
    error = actual[:, :, None] - quantiles
    return np.asarray(2 * np.maximum(levels * error, (levels - 1) * error).mean((1, 2)))


def inside(actual: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """(N, H) whether the interval, ends included, holds what happened."""
    return np.asarray((actual >= low) & (actual <= high))


def mean_over_series(values: Floats, draws: int = 1000, seed: int = 0) -> Estimate:
    """Mean of one figure a series (N,) and its interval of 95 %, NaN left out; series are drawn anew.

    Source: Efron, Tibshirani, An introduction to the bootstrap (1993).

    Examples
    --------
    >>> mean_over_series(np.ones(3))
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).integers(0, len(known), (draws, len(known)))
    low, high = np.quantile(known[drawn].mean(1), [0.025, 0.975])
    return Estimate(float(known.mean()), float(low), float(high))


def skill(values: Floats, baseline: Floats, draws: int = 1000, seed: int = 0) -> Estimate:
    """Paired difference of means over the same series, values (N,) − baseline (N,); below 0: better where less is."""
    return mean_over_series(values - baseline, draws, seed)

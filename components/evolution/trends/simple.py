"""Forecasts with nothing to fit: what every other method must beat. Vectorised over series.

Reference: Hyndman, Athanasopoulos (2021), Forecasting: principles and practice, 3rd edition, §5.2.
"""

from __future__ import annotations

import numpy as np

from components.evolution.trends.panel import Floats, Panel


def naive(panel: Panel, horizon: int) -> Floats:
    """(N, H) the last value."""
    return np.repeat(panel.values[:, -1:], horizon, axis=1)


def seasonal_naive(panel: Panel, horizon: int, season: int | None = None) -> Floats:
    """(N, H) the last cycle again; the last value where a series is shorter than one.

    Parameters
    ----------
    season : steps of a cycle; None: the first of the panel
    """
    m = season or panel.seasons[0]
    if m > panel.steps:
        return naive(panel, horizon)
    last = panel.values[:, -m:]
    last = np.where(np.isnan(last).any(1, keepdims=True), panel.values[:, -1:], last)
    return last[:, np.arange(horizon) % m]


def seasonal_mean(panel: Panel, horizon: int, cycles: int) -> Floats:
    """(N, H) the mean of the same slot over the last cycles of the longest season, as far as a series reaches back."""
    m = next((one for one in reversed(panel.seasons) if one <= panel.steps), 1)
    whole = min(cycles, panel.steps // m)
    last = panel.values[:, -m * whole :].reshape(panel.n, whole, m)
    known = ~np.isnan(last)
    count = known.sum(1)
    mean = np.where(known, last, 0.0).sum(1) / np.maximum(count, 1)
    mean = np.where(count > 0, mean, panel.values[:, -1:])
    return mean[:, np.arange(horizon) % m]

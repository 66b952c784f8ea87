"""Autoregressions and moving averages: AR by least squares for all series at once; MA, ARMA, ARIMA and their search.

References: Box, Jenkins (1970), Time series analysis; the search: Hyndman, Khandakar (2008), Automatic time series
forecasting (by statsforecast).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.evolution.trends.each import each, sane
from components.evolution.trends.panel import Floats, Panel

#: Of the mean squared regressor: keeps the equations of a constant series solvable.
_RIDGE = 1e-6


def ar(panel: Panel, horizon: int, lags: Sequence[int]) -> Floats:
    """Autoregression on given lags with an intercept, by conditional least squares, iterated over the horizon.

    Parameters
    ----------
    lags : ascending steps back, e.g. (1, 2, 3) for AR(3) or (1, 24, 168) for hours

    Returns
    -------
    (N, H); NaN where a series has fewer equations than twice the unknowns.
    """
    back = np.asarray(lags)
    longest = int(back.max())
    if longest >= panel.steps:
        return np.full((panel.n, horizon), np.nan)
    length = panel.length
    centre = np.nanmean(panel.values, 1)[:, None]
    y = np.nan_to_num(panel.values - centre)  # (N, T), 0 before the beginning
    steps = np.arange(longest, panel.steps)
    weight = (steps >= (panel.steps - length + longest)[:, None]).astype(np.float64)  # (N, E) whole equations
    left = np.stack([y[:, steps - lag] for lag in back.tolist()] + [np.ones((panel.n, len(steps)))], axis=2)
    weighted = left * weight[:, :, None]
    normal = weighted.transpose(0, 2, 1) @ left  # (N, P, P)
    right = (weighted.transpose(0, 2, 1) @ y[:, steps, None])[..., 0]
    size = np.trace(normal, axis1=1, axis2=2)[:, None, None] / normal.shape[1]
    solved = np.linalg.solve(normal + (_RIDGE * size + 1e-12) * np.eye(normal.shape[1]), right[..., None])[..., 0]
    path = np.concatenate([y, np.zeros((panel.n, horizon))], axis=1)
    for step in range(panel.steps, panel.steps + horizon):
        path[:, step] = (path[:, step - back] * solved[:, :-1]).sum(1) + solved[:, -1]
    found = path[:, panel.steps :] + centre
    found[length - longest < 2 * (len(back) + 1)] = np.nan
    return sane(panel, found)


def arima(panel: Panel, horizon: int, order: tuple[int, int, int], longest: int | None = None) -> Floats:
    """(N, H) of ARIMA(p, d, q) by maximum likelihood: (0, 0, q) is MA, (p, 0, q) ARMA.

    Parameters
    ----------
    longest : only so many last steps are fitted to; None: all
    """
    from statsforecast.models import ARIMA

    return each(panel, horizon, lambda: ARIMA(order=order), longest)


def auto_arima(panel: Panel, horizon: int, longest: int | None = None) -> Floats:
    """(N, H) of the ARIMA without season that a stepwise search by AICc chooses, p and q up to 3.

    Searched on approximate likelihoods; seasons are `mstl`'s, as a search with cycles of 24 takes minutes a series.
    """
    from statsforecast.models import AutoARIMA

    return each(panel, horizon, lambda: AutoARIMA(season_length=1, max_p=3, max_q=3, approximation=True), longest)

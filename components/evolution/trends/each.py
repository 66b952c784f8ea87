"""Asks a statistical model of one series at a time, and says nothing where the model fails.

A model of statsforecast that cannot be fitted (too short, constant, no convergence) gives NaN, and the caller fills in
a forecast that needs no fit (`methods.forecast`). Never here: which models there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from components.evolution.trends.panel import Floats, Panel

#: What the models raise on series that they cannot be fitted to.
FAILURES = (ValueError, ArithmeticError, IndexError, RuntimeError, np.linalg.LinAlgError)
#: A point forecast farther from the series' range than this many of its widths is no forecast.
_WILD = 10.0


def each(panel: Panel, horizon: int, model: Callable[[], Any], longest: int | None = None) -> Floats:
    """(N, H) point forecasts of a new model for each series, in one process; rows of NaN where it fails.

    Parameters
    ----------
    model : makes an unfitted model of statsforecast
    longest : only so many last steps are looked at; None: all
    """
    found = np.full((panel.n, horizon), np.nan)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for row, series in enumerate(panel.rows()):
            y = np.ascontiguousarray(series if longest is None else series[-longest:])
            try:
                found[row] = model().forecast(y=y, h=horizon)["mean"]
            except FAILURES:
                continue
    return sane(panel, found)


def sane(panel: Panel, point: Floats) -> Floats:
    """(N, H) the same, NaN where a forecast is not finite or has run away from its series' range."""
    low, high = np.nanmin(panel.values, 1)[:, None], np.nanmax(panel.values, 1)[:, None]
    room = _WILD * np.maximum(high - low, 1.0)
    with np.errstate(invalid="ignore"):
        wild = ~((point >= low - room) & (point <= high + room)).all(1)
    return np.where(wild[:, None], np.nan, point)

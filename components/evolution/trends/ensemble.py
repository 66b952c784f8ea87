"""Several forecasts as one: their mean or median, each series' own best, or weights by past errors.

Reference: Bates, Granger (1969), The combination of forecasts; Petropoulos, Svetunkov (2020), A simple combination of
univariate models (the median).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.evolution.trends.panel import Floats

Rule = Literal["median", "mean", "weighted", "best"]
RULES: tuple[Rule, ...] = ("median", "mean", "weighted", "best")


def combine(points: Floats, rule: Rule, best: NDArray[np.int64], weights: Floats) -> Floats:
    """Combine the points of M methods.

    Parameters
    ----------
    points : (M, N, H)
    rule : median, mean, weighted (by `weights`) or best (the method of `best`)
    best : (N,) places among the M
    weights : (N, M) rows that sum to 1

    Returns
    -------
    (N, H)

    Examples
    --------
    >>> points = np.array([[[1.0]], [[2.0]], [[9.0]]])
    >>> float(combine(points, "median", np.array([0]), np.ones((1, 3)) / 3)[0, 0])
    2.0
    """
    if rule == "median":
        return np.asarray(np.median(points, axis=0))
    if rule == "mean":
        return np.asarray(points.mean(axis=0))
    if rule == "weighted":
        return np.einsum("mnh,nm->nh", points, weights)
    return np.asarray(points[best, np.arange(points.shape[1])])

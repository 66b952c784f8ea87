"""How far each figure of a user is from that of users who do as much: in robust deviations, on both sides.

Many figures depend on how many events a user has; what is strange is what is strange among the equally busy. Where a
whole group of the equally busy is unlike the groups beside it (a dozen bots that make as many events each hide one
another), it is what the others say of it that counts. Never here: how several figures are weighed together
(`detectors`).

References: Hampel (1974), The influence curve and its role in robust estimation (median and MAD; groups beyond five of
those are replaced); Theil (1950), Sen (1968) (median of slopes).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST_PEERS = 40
_MOST_GROUPS = 12
_FLANK = 0.8413  # one standard deviation of a normal distribution
_BESIDE = 6  # groups that say what a group of as many events ought to be like
_ODD = 5.0  # deviations of the groups, beyond which one is not believed
_NORMAL = 1.4826  # MAD to standard deviation
_MOST = 50.0  # deviations beyond which farther is not stranger


def deviations(values: Floats, events: NDArray[np.int64], least: Floats | None = None) -> Floats:
    """(V, F) deviations from peers, those above the median in the spread above it, those below in the spread below.

    Parameters
    ----------
    values : (V, F), NaN where a user does not tell, which is 0 deviations
    events : (V,) of each user: peers are those in groups of as many events
    least : (F,) spreads that none is taken to be smaller than: where nearly all are alike, a chance is no wonder
    """
    n, figures = values.shape
    groups = int(np.clip(n // _LEAST_PEERS, 1, _MOST_GROUPS))
    edges = np.quantile(np.log(events), (np.arange(groups) + 0.5) / groups) if n else np.zeros(groups)
    member = np.minimum(np.argsort(np.argsort(np.log(events), kind="stable")) * groups // max(n, 1), groups - 1)
    found = np.zeros((n, figures))
    for figure in range(figures):
        column = values[:, figure]
        if np.isfinite(column).sum() < 3:
            continue
        groups_of = [member == one for one in range(groups)]
        middle = _believed(edges, np.array([_quantiles(column[here], column, [0.5])[0] for here in groups_of]))
        far = column - _along(np.log(events), edges, middle)
        flanks = np.array([_quantiles(far[here], far, [1 - _FLANK, _FLANK]) for here in groups_of])
        width = float(np.nanquantile(far, _FLANK) - np.nanquantile(far, 1 - _FLANK))
        floor = max(0.1 * width, 1e-10 if least is None else float(least[figure]))
        sides = [np.exp(_believed(edges, np.log(np.maximum(np.abs(side), floor)))) for side in flanks.T]
        below, above = (np.interp(np.log(events), edges, side) for side in sides)
        spread = np.where(far > 0, above, below)
        found[:, figure] = np.where(np.isfinite(far), np.clip(far / spread, -_MOST, _MOST), 0.0)
    return found


def _quantiles(values: Floats, whole: Floats, levels: list[float]) -> Floats:
    """Quantiles of a group; of everybody where fewer than three of it tell."""
    here = values if np.isfinite(values).sum() >= 3 else whole
    return np.nanquantile(here, levels)


def _along(x: Floats, at: Floats, values: Floats) -> Floats:
    """Values between the groups, and beyond the outermost on the lines through those next to them."""
    found = np.interp(x, at, values)
    if len(at) <= _BESIDE:
        return found
    for beyond, end, beside in ((x < at[0], 0, slice(0, _BESIDE)), (x > at[-1], -1, slice(-_BESIDE, None))):
        found += np.where(beyond, _slope(at[beside], values[beside]) * (x - at[end]), 0.0)
    return found


def _slope(x: Floats, y: Floats) -> float:
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    there = apart != 0
    return float(np.median((y[second] - y[first])[there] / apart[there])) if there.any() else 0.0


def _believed(at: Floats, values: Floats) -> Floats:
    """(G,) figures of groups, those replaced that are unlike what the groups beside them say: a line through these."""
    told, size = np.empty(len(values)), len(values)
    if size < _BESIDE + 1:
        return values
    for one in range(size):
        beside = np.argsort(np.abs(np.arange(size) - one), kind="stable")[1 : _BESIDE + 1]
        x, y = at[beside], values[beside]
        told[one] = np.median(y + _slope(x, y) * (at[one] - x))
    far = np.abs(values - told)
    return np.where(far > _ODD * _NORMAL * np.median(far), told, values)

"""How far each figure of a user is from that of users who do as much: in robust deviations, on both sides.

Many figures depend on how many events a user has; what is strange is what is strange among the equally busy. Never
here: how several figures are weighed together (`detectors`).

Reference: Hampel (1974) (median and MAD).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST_PEERS = 40
_MOST_GROUPS = 12
_FLANK = 0.8413  # one standard deviation of a normal distribution
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
        middle = np.array([_quantiles(column[here], column, [0.5])[0] for here in groups_of])
        far = column - np.interp(np.log(events), edges, middle)
        flanks = np.array([_quantiles(far[here], far, [1 - _FLANK, _FLANK]) for here in groups_of])
        width = float(np.nanquantile(far, _FLANK) - np.nanquantile(far, 1 - _FLANK))
        floor = max(0.1 * width, 1e-10 if least is None else float(least[figure]))
        below, above = (np.interp(np.log(events), edges, np.abs(flanks[:, side])) for side in (0, 1))
        spread = np.maximum(np.where(far > 0, above, below), floor)
        found[:, figure] = np.where(np.isfinite(far), np.clip(far / spread, -_MOST, _MOST), 0.0)
    return found


def _quantiles(values: Floats, whole: Floats, levels: list[float]) -> Floats:
    """Quantiles of a group; of everybody where fewer than three of it tell."""
    here = values if np.isfinite(values).sum() >= 3 else whole
    return np.nanquantile(here, levels)

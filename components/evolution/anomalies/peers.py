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


def deviations(values: Floats, events: NDArray[np.int64]) -> Floats:
    """(V, F) deviations from peers, those above the median in the spread above it, those below in the spread below.

    Parameters
    ----------
    values : (V, F), NaN where a user does not tell, which is 0 deviations
    events : (V,) of each user: peers are those in groups of as many events
    """
    n, figures = values.shape
    groups = int(np.clip(n // _LEAST_PEERS, 1, _MOST_GROUPS))
    edges = np.quantile(np.log(events), (np.arange(groups) + 0.5) / groups) if n else np.zeros(groups)
    member = np.minimum(np.argsort(np.argsort(np.log(events), kind="stable")) * groups // max(n, 1), groups - 1)
    found = np.zeros((n, figures))
    for figure in range(figures):
        column = values[:, figure]
        whole = column[np.isfinite(column)]
        if len(whole) < 3:
            continue
        floor = 0.1 * max(float(np.quantile(whole, _FLANK) - np.quantile(whole, 1 - _FLANK)), 1e-9)
        told = np.array([_bulk(column[member == one], whole) for one in range(groups)])
        middle, above, below = (np.interp(np.log(events), edges, told[:, place]) for place in range(3))
        far = column - middle
        spread = np.maximum(np.where(far > 0, above, below), floor)
        found[:, figure] = np.where(np.isfinite(far), np.clip(far / spread, -_MOST, _MOST), 0.0)
    return found


def _bulk(values: Floats, whole: Floats) -> tuple[float, float, float]:
    """Median of a group, and the distances to the quantiles one standard deviation above and below."""
    here = values[np.isfinite(values)]
    here = here if len(here) >= 3 else whole
    low, middle, high = np.quantile(here, [1 - _FLANK, 0.5, _FLANK])
    return float(middle), float(high - middle), float(middle - low)

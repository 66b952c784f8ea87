"""How hot spots come and go: the trend of each cell's G* and the class of its history.

Classes follow the published definitions of emerging hot spot analysis, for hot and for cold alike. Never here: which
cell is hot in which period (`hotspots`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from components.evolution.significance import adjusted
from components.evolution.space.hotspots import HotSpots

Floats = NDArray[np.float64]
CLASSES = (
    "none",
    "new",  # in the last period for the first time
    "consecutive",  # an unbroken run of at least two up to the last, never before, less than 90 % in all
    "intensifying",  # at least 90 % and in the last, and the trend of z goes further that way
    "persistent",  # at least 90 % and in the last, without a trend
    "diminishing",  # at least 90 % and in the last, and the trend of z goes back
    "sporadic",  # in the last, on and off, and never of the other kind
    "oscillating",  # in the last, and of the other kind before
    "historical",  # at least 90 %, but not in the last
)
_MOST = 0.9


@dataclass(frozen=True)
class Trend:
    """Mann–Kendall trend of C series.

    Attributes
    ----------
    tau : (C,) Kendall's τ with time, -1..1, ties counted as neither
    z, p, q : (C,) normal approximation with ties, two-sided p, and p adjusted over the series
    """

    tau: Floats
    z: Floats
    p: Floats
    q: Floats


def mann_kendall(series: Floats) -> Trend:
    """Whether series rise or fall, by the signs of all pairs.

    Parameters
    ----------
    series : (T, C), T ≥ 3; values in one series are exchangeable under the null, so not of overlapping windows

    References
    ----------
    Mann (1945), Nonparametric tests against trend; Kendall (1975), Rank Correlation Methods: S = Σ sign(xⱼ - xᵢ), its
    variance with ties, and one step of continuity.
    """
    n, cells = series.shape
    total = np.zeros(cells)
    for lag in range(1, n):
        total += np.sign(series[lag:] - series[:-lag]).sum(axis=0)
    order = np.sort(series, axis=0)
    run, ties = np.ones(cells), np.zeros(cells)
    for row in range(1, n + 1):  # the last round closes every run
        same = order[row] == order[row - 1] if row < n else np.zeros(cells, bool)
        ties += np.where(same, 0, run * (run - 1) * (2 * run + 5))
        run = np.where(same, run + 1, 1)
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    step = total - np.sign(total)
    z = np.divide(step, np.sqrt(variance), out=np.zeros(cells), where=variance > 0)
    p = 2 * stats.norm.sf(np.abs(z))
    return Trend(2 * total / (n * (n - 1)), z, p, adjusted(p))


@dataclass(frozen=True)
class Emerging:
    """Classes of C cells.

    Attributes
    ----------
    hot, cold : (C,) object array of names of CLASSES
    trend : of each cell's z
    """

    hot: NDArray[np.object_]
    cold: NDArray[np.object_]
    trend: Trend


def emerging(spots: HotSpots, level: float) -> Emerging:
    """Class of every cell by its periods.

    Parameters
    ----------
    spots : HotSpots of T ≥ 3 periods
    level : largest share of false discoveries, of cells that are hot and of trends

    References
    ----------
    Esri, How Emerging Hot Spot Analysis works (ArcGIS Pro documentation); Harris et al. (2017), Using emerging hot
    spot analysis to assess forest loss.
    """
    trend = mann_kendall(spots.z)
    state = spots.state(level)
    way = np.where(trend.q <= level, np.sign(trend.z), 0).astype(np.int8)
    return Emerging(_classes(state == 1, state == -1, way), _classes(state == -1, state == 1, -way), trend)


def _classes(there: NDArray[np.bool_], other: NDArray[np.bool_], way: NDArray[np.int8]) -> NDArray[np.object_]:
    """(C,) classes by where a cell was of a kind (T, C), of the other kind (T, C), and where the trend goes (C,)."""
    n = len(there)
    count, last = there.sum(axis=0), there[-1]
    run = np.argmin(np.vstack([there[::-1], np.zeros((1, there.shape[1]), bool)]), axis=0)  # length up to the last
    often = count >= _MOST * n
    rules = [
        often & ~last,
        often & (way > 0),
        often & (way < 0),
        often,
        last & (count == 1),
        last & (run == count),
        last & other.any(axis=0),
        last,
    ]
    names = ["historical", "intensifying", "diminishing", "persistent", "new", "consecutive", "oscillating", "sporadic"]
    return np.select(rules, np.array(names, dtype=object), default=CLASSES[0])

"""When the level of a series changed for good: PELT on the series without its cycles, with a penalty that noise pays.

Behaviour is autocorrelated, and a penalty for white noise finds changes everywhere; here the penalty grows with the
long-run variance. Never here: single unusual days (`unusual`).

References: Killick, Fearnhead, Eckley (2012), Optimal detection of changepoints with a linear computational cost;
Yao (1988) (penalty of BIC); Lavielle, Moulines (2000) (dependent noise). Searched by ruptures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.evolution.trends.panel import Floats

_FACTOR = 3.0  # times the log of the length, as of SIC with the place of the change unknown
_MOST_MEMORY = 0.95


@dataclass(frozen=True)
class Change:
    """Attributes
    ----------
    at : step at which the new level begins
    before, after : mean level of the segments on both sides
    size : their difference in standard deviations of the noise
    """

    at: int
    before: float
    after: float
    size: float


def change_points(series: Floats, least: int) -> list[Change]:
    """Changes of level of one series (T,), oldest first.

    Parameters
    ----------
    series : without its cycles (`mstl.Parts.adjusted`), no NaN
    least : steps of a segment at least; a shorter excursion is no change of level

    Notes
    -----
    Noise is measured by differences (Von Neumann's estimate, robust by the median), its memory by the autocorrelation
    of what is left around a first, coarse fit; both are of AR(1), whose long-run variance is σ² (1 + ρ) / (1 − ρ).
    """
    import ruptures

    series = np.asarray(series, np.float64)
    n = len(series)
    if n < 2 * least or np.ptp(series) == 0:
        return []
    step = np.diff(series)
    sigma = 1.4826 * float(np.median(np.abs(step - np.median(step)))) / np.sqrt(2)
    sigma = sigma if sigma > 0 else float(np.std(step)) / np.sqrt(2)
    if sigma == 0:
        return []

    def search(variance: float) -> list[int]:
        penalty = _FACTOR * np.log(n) * variance
        return [int(one) for one in ruptures.Pelt("l2", min_size=least, jump=1).fit(series).predict(pen=penalty)]

    rest = series - _levels(series, search(sigma**2))
    lag = float((rest[1:] * rest[:-1]).sum() / max(float((rest**2).sum()), 1e-300))
    memory = min(max(lag, 0.0), _MOST_MEMORY)
    # Differences of AR(1) have a variance of 2 σ² (1 − ρ), so sigma is too small by that.
    own = sigma**2 / (1 - memory)
    ends = search(own * (1 + memory) / (1 - memory))
    level = _levels(series, ends)
    return [
        Change(end, float(level[end - 1]), float(level[end]), float((level[end] - level[end - 1]) / np.sqrt(own)))
        for end in ends[:-1]
    ]


def _levels(series: Floats, ends: list[int]) -> Floats:
    """(T,) the mean of each segment."""
    found = np.empty(len(series))
    begin = 0
    for end in ends:
        found[begin:end] = series[begin:end].mean()
        begin = end
    return found

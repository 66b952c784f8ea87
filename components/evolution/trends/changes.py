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
_MAD = 1.4826  # of a normal distribution, per standard deviation


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
    Steps are told only where they tell the series better than a straight line does, at the same price of a parameter:
    what grows slowly changes at no day.

    The noise is taken to be AR(1), and both its size and its memory are measured by differences, on which a change of
    level is one outlier (cut off): they have a variance of 2 σ² (1 − ρ) and a correlation of −(1 − ρ) / 2 with the one
    before. The long-run variance is σ² (1 + ρ) / (1 − ρ).
    """
    import ruptures

    series = np.asarray(series, np.float64)
    n = len(series)
    if n < 2 * least or np.ptp(series) == 0:
        return []
    step = np.diff(series)
    spread = _MAD * float(np.median(np.abs(step - np.median(step))))
    spread = spread if spread > 0 else float(np.std(step))
    cut = np.clip(step - np.median(step), -3 * spread, 3 * spread)
    memory = min(max(1 + 2 * float((cut[1:] * cut[:-1]).sum() / (cut**2).sum()), 0.0), _MOST_MEMORY)
    variance = spread**2 / (2 * (1 - memory))
    penalty = _FACTOR * np.log(n) * variance * (1 + memory) / (1 - memory)
    # The linear kernel's cost is the sum of squares around the mean; this search is the one written in C.
    found = ruptures.KernelCPD(kernel="linear", min_size=least).fit(series).predict(pen=penalty)
    ends = [int(one) for one in found]
    level = _levels(series, ends)
    line = np.polynomial.Polynomial.fit(np.arange(n), series, 1)(np.arange(n))
    steps_cost = float(((series - level) ** 2).sum()) + penalty * (len(ends) - 1)
    if float(((series - line) ** 2).sum()) + penalty <= steps_cost:
        return []
    return [
        Change(end, float(level[end - 1]), float(level[end]), float((level[end] - level[end - 1]) / np.sqrt(variance)))
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

"""When the next event comes: log-normal components that everybody shares, weighed by each user's own pauses.

The components are fitted once, on the pauses of the training window. How often each one is met (by everybody, after
a pause of each kind, by this user) is counted, and moves with every event.
Never here: the clock of the request; a pause is measured from the last visible event.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.memory import loops
from components.memory.ask import Ask, Events, Floats, Ints
from components.memory.counter import checked
from components.once import made_once

PARTS = ("everybody", "after the last pause", "own")
N_COMPONENTS = 8
_BINS = 400
_LEAST_SIGMA = 0.05
_STEPS = 200
TABLE = 50
_LONGEST = 24  # log of 800 years in seconds


def fit_components(log_gap: Floats, n: int = N_COMPONENTS) -> tuple[Floats, Floats]:
    """Means and deviations (n,) of a Gaussian mixture of log(gap_s + 1), by EM on a histogram.

    Parameters
    ----------
    log_gap : (p,) logarithms of pauses
    n : components; they start at even quantiles, so the result is the same every time
    """
    if not len(log_gap):
        log_gap = np.array([0.0, np.log1p(86_400.0)])
    low, high = float(log_gap.min()), float(log_gap.max()) + 1e-6
    count, edges = np.histogram(log_gap, _BINS, (low, high))
    x = 0.5 * (edges[1:] + edges[:-1])[count > 0]
    mass = count[count > 0].astype(np.float64)
    mean = np.quantile(log_gap, (np.arange(n) + 0.5) / n)
    mean = mean + np.linspace(-1e-3, 1e-3, n)  # equal quantiles part
    sigma = np.full(n, max(float(log_gap.std()) / 2, _LEAST_SIGMA))
    weight = np.full(n, 1.0 / n)
    for _ in range(_STEPS):
        joint = weight * _normal(x, mean, sigma) + 1e-300
        share = joint / joint.sum(axis=1, keepdims=True) * mass[:, None]
        total = share.sum(axis=0) + 1e-9
        mean = (share * x[:, None]).sum(axis=0) / total
        sigma = np.sqrt((share * (x[:, None] - mean) ** 2).sum(axis=0) / total + _LEAST_SIGMA**2)
        weight = total / total.sum()
    order = np.argsort(mean, kind="stable")
    return mean[order], sigma[order]


def _normal(x: Floats, mean: Floats, sigma: Floats) -> Floats:
    """(n, C) densities at x (n,)."""
    return np.asarray(np.exp(-0.5 * ((x[:, None] - mean) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))


class GapCounts:
    """How often each component of the pauses is met.

    Parameters
    ----------
    mean, sigma : (C,) of log(gap_s + 1)
    prior : smoothing, in pauses
    """

    def __init__(self, mean: Floats, sigma: Floats, prior: float) -> None:
        self.mean, self.sigma, self.prior = mean, sigma, prior
        self.count: Floats = np.zeros(len(mean))
        self.step: Floats = np.zeros((len(mean), len(mean)))

    def _member(self, gap_s: Ints) -> Floats:
        """(n, C) to which component a pause belongs; rows sum to 1, or are 0 where there is no pause (-1).

        Read from a table of log-pauses in steps of 1 / TABLE. Membership supposes that components are met equally
        often: if it depended on what was counted before, the order of updates would matter.
        """
        return self._table[self._place(gap_s)]

    def _place(self, gap_s: Ints) -> Ints:
        """(n,) row of the table of each pause; the last where there is none."""
        place = np.minimum(np.log1p(np.maximum(gap_s, 0).astype(np.float64)) * TABLE, len(self._table) - 2)
        return np.where(gap_s >= 0, place.astype(np.int64), len(self._table) - 1)

    @made_once
    def _table(self) -> Floats:
        """(steps + 1, C); the last row is that of no pause."""
        joint = _normal((np.arange(_LONGEST * TABLE) + 0.5) / TABLE, self.mean, self.sigma) + 1e-300
        return np.concatenate([joint / joint.sum(axis=1, keepdims=True), np.zeros((1, len(self.mean)))])

    @made_once
    def shape(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(1, C) means and deviations in single precision: what answers are given in."""
        return self.mean.astype(np.float32)[None], self.sigma.astype(np.float32)[None]

    def update(self, events: Events, sign: float) -> None:
        """Add or take away events."""
        member = self._member(events.gap_s)
        self.count += sign * member.sum(axis=0)
        self.step += sign * (self._member(events.before("gap_s").astype(np.int64)).T @ member)

    def parts(self, ask: Ask) -> Floats:
        """(3, B, C) weights of the components, in the order of PARTS."""
        gap_s = ask.column("gap_s")
        return loops.gap_parts(ask.edges, gap_s, self._table, float(TABLE), self.count, self.step, self.prior)

    def density(self, parts: Floats, gap_s: Ints) -> Floats:
        """(B, 3) density of log(gap_s + 1) at the pauses (B,) under each part."""
        at = _normal(np.log1p(np.maximum(gap_s, 0).astype(np.float64)), self.mean, self.sigma)
        return np.einsum("pbc,bc->bp", parts, at)

    def merge(self, other: Self) -> None:
        """Add what another with the same components has counted."""
        self.count += other.count
        self.step += other.step

    def state(self) -> dict[str, NDArray]:
        """Arrays that hold the tables and the components."""
        return {"mean": self.mean, "sigma": self.sigma, "count": self.count, "step": self.step}

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        """Take the arrays of `state`; shapes are checked."""
        self.mean = checked(arrays["mean"], self.mean.shape, where)
        self.sigma = np.maximum(checked(arrays["sigma"], self.sigma.shape, where), _LEAST_SIGMA)
        self.__dict__.pop("_table", None)
        self.__dict__.pop("shape", None)
        self.count = checked(arrays["count"], self.count.shape, where)
        self.step = checked(arrays["step"], self.step.shape, where)

"""How much to trust each part: mixture weights by expectation–maximisation, by length of history.

Everything is fitted from one matrix: the probability that each part gave to what happened. Shared by the memory
and by the blend of models. Never here: what the parts are.

Reference: Dempster, Laird, Rubin (1977); research/spatiotemporal.md §2.6 (60 steps on the validation window).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import IntegrityError, TrainingError
from components.once import made_once

Floats = NDArray[np.float64]
TINY = 1e-30
#: Tried strengths of the pull of each bucket to the common weights, in queries; infinity: one set for all.
PULLS = (np.inf, 1000.0, 100.0, 10.0)


@dataclass(frozen=True)
class Mixture:
    """Weights of K parts in G buckets of history length.

    Attributes
    ----------
    edges : (G,) smallest history length of each bucket, ascending, the first 0
    weights : (G, K) rows sum to 1
    """

    edges: NDArray[np.int64]
    weights: Floats

    def of(self, length: NDArray[np.integer]) -> Floats:
        """(B, K) weights for histories of the given lengths (B,)."""
        if len(length) == 1:
            at = bisect.bisect_right(self._edges, int(length[0]))
            return self.weights[at - 1 : at]
        return self.weights[np.searchsorted(self.edges, length, side="right") - 1]

    @made_once
    def _edges(self) -> list[int]:
        return [int(one) for one in self.edges]

    @made_once
    def used(self) -> NDArray[np.bool_]:
        """(K,) whether a part has any weight: the others need not be asked."""
        return np.asarray((self.weights > 0).any(axis=0))

    def without_idle(self, least: float) -> Mixture:
        """Parts whose weight is below `least` in every bucket get none: they need not be asked."""
        kept = np.where((self.weights >= least).any(axis=0), self.weights, 0.0)
        return Mixture(self.edges, kept / kept.sum(axis=1, keepdims=True))

    @classmethod
    def even(cls, parts: int) -> Mixture:
        """Equal weights for everybody: what nothing is known about."""
        return cls(np.zeros(1, np.int64), np.full((1, parts), 1.0 / parts))

    def record(self) -> dict[str, object]:
        """The mixture as JSON."""
        return {"edges": self.edges.tolist(), "weights": self.weights.tolist()}

    @classmethod
    def read(cls, record: dict[str, object], parts: int, where: str) -> Mixture:
        """What `record` gave, checked: a distribution over `parts` parts in every bucket."""
        edges = np.asarray(record.get("edges", ()), np.int64)
        weights = np.asarray(record.get("weights", ()), np.float64)
        whole = (
            are_edges(edges)
            and weights.shape == (len(edges), parts)
            and bool((weights >= 0).all())
            and np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)
        )
        if not whole:
            raise IntegrityError(
                f"weights of {parts} parts that sum to 1 in every bucket",
                found=f"other numbers in {where}",
                do="Train again, or bring the folder back from DVC.",
            )
        return cls(edges, weights)


def are_edges(edges: NDArray[np.int64]) -> bool:
    """Whether these are the smallest history lengths of buckets: ascending, the first 0."""
    return edges.ndim == 1 and edges.size > 0 and edges[0] == 0 and bool((np.diff(edges) > 0).all())


def fit_weights(
    likelihood: Floats, steps: int, pull: float = 0.0, towards: Floats | None = None, weight: Floats | None = None
) -> Floats:
    """Weights (K,) that make what happened most probable.

    Parameters
    ----------
    likelihood : (Q, K) probability or density that each part gave to each observation
    steps : EM steps, each of which can only raise the likelihood (the posterior, with a pull)
    pull, towards : `pull` imaginary observations that are distributed as `towards` (K,): a Dirichlet prior
    weight : (Q,) as how many observations each counts; None: as one

    Returns
    -------
    (K,) float64
        Sums to 1; `towards` (or equal weights) without observations.
    """
    parts = likelihood.shape[1]
    start = np.full(parts, 1.0 / parts) if towards is None else towards
    weights = start.copy()
    prior = pull * start
    if not len(likelihood):
        return weights
    counted = np.ones(len(likelihood)) if weight is None else weight
    for _ in range(steps):
        joint = likelihood * weights
        seen = joint * (counted / np.maximum(joint.sum(axis=1), TINY))[:, None]
        weights = seen.sum(axis=0) + prior
        weights = weights / weights.sum()
    return np.asarray(weights)


def log_likelihood(likelihood: Floats, weights: Floats, weight: Floats | None = None) -> float:
    """Mean log-probability of Q observations under weights (K,) or (Q, K), each counted `weight` (Q,) times."""
    if not len(likelihood):
        return 0.0
    return float(np.average(np.log(np.maximum((likelihood * weights).sum(axis=1), TINY)), weights=weight))


def fit_mixture(
    likelihood: Floats,
    length: NDArray[np.integer],
    edges: Sequence[int],
    steps: int,
    weight: Floats | None = None,
) -> Mixture:
    """Mixture of K parts, with weights by history length where that is worth it.

    Each bucket is pulled towards the common weights. How strongly is decided honestly: by the likelihood of the
    second half of the observations under weights that were fitted on the first half; then all are used.

    Parameters
    ----------
    likelihood : (Q, K), in time order
    length : (Q,) events in each query's history
    edges : smallest length of each bucket; 0 is added
    steps : EM steps
    weight : (Q,) as how many observations each counts; None: as one

    Raises
    ------
    TrainingError
        A value is not a finite, non-negative number.
    """
    if not np.isfinite(likelihood).all() or (likelihood < 0).any():
        raise TrainingError(
            "finite probabilities of every part",
            found="NaN, infinite or negative values",
            do="Leave the part out that gives them.",
        )
    lows = np.unique(np.array([0, *edges], np.int64))
    counted = np.ones(len(likelihood)) if weight is None else weight
    half = len(likelihood) // 2
    best, best_value = np.inf, -np.inf
    for pull in PULLS:
        trial = _fit(likelihood[:half], length[:half], lows, steps, pull, counted[:half])
        value = log_likelihood(likelihood[half:], trial.of(length[half:]), counted[half:])
        if value > best_value + 1e-9:
            best, best_value = pull, value
    return _fit(likelihood, length, lows, steps, best, counted)


def _fit(
    likelihood: Floats, length: NDArray[np.integer], lows: NDArray[np.int64], steps: int, pull: float, weight: Floats
) -> Mixture:
    common = fit_weights(likelihood, steps, weight=weight)
    if np.isinf(pull):
        return Mixture(lows[:1], common[None])
    bucket = np.searchsorted(lows, length, side="right") - 1
    rows = [fit_weights(likelihood[bucket == b], steps, pull, common, weight[bucket == b]) for b in range(len(lows))]
    return Mixture(lows, np.stack(rows))


@dataclass(frozen=True)
class Observed:
    """What K parts gave to n things that happened.

    Attributes
    ----------
    likelihood : (n, K) probability or density, in time order
    length : (n,) events in each query's history
    weight : (n,) as how many observations each counts: of the items of a basket, all together as one
    """

    likelihood: Floats
    length: NDArray[np.int64]
    weight: Floats

    @classmethod
    def of(cls, likelihood: Floats, length: NDArray[np.int64], use: NDArray[np.bool_]) -> Observed:
        """One thing for each query, where it happened (n,)."""
        return cls(likelihood[use], length[use], np.ones(int(use.sum())))

    @classmethod
    def joined(cls, parts: int, blocks: Sequence[Observed]) -> Observed:
        """Several as one; of none, nothing."""
        every = [cls(np.zeros((0, parts)), np.zeros(0, np.int64), np.zeros(0)), *blocks]
        return cls(
            *(np.concatenate([getattr(one, name) for one in every]) for name in ("likelihood", "length", "weight"))
        )

    def mixture(self, edges: Sequence[int], steps: int) -> Mixture:
        """The mixture of the parts that makes it most probable; see `fit_mixture`."""
        return fit_mixture(self.likelihood, self.length, edges, steps, self.weight)

    def under(self, mixture: Mixture) -> float:
        """Mean log-probability under a mixture."""
        return log_likelihood(self.likelihood, mixture.of(self.length), self.weight)

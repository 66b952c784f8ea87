"""Logarithmic opinion pools: probabilities multiplied, each to the power of its weight, and made to sum to 1 again.

    log p(v) = Σ_k w_k · log p_k(v) - log Z

With weights that are learned this is stacking: a multinomial logistic regression of what happened on the parts'
log-probabilities, pulled towards equal weights and never below 0. Where a mixture believes whoever is surest, a pool
asks for agreement. Nothing here knows who the parts are.

References: Genest and Zidek (1986), Combining probability distributions; Breiman (1996), Stacked regressions (weights
not below 0); Heskes (1998), Selecting weighting factors in logarithmic opinion pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from components.errors import IntegrityError
from components.memory.mixture import Mixture, are_edges

Floats = NDArray[np.float64]
#: Smallest log-probability that a part may give: one that says never does not forbid.
FLOOR = -25.0


class Pool(Mixture):
    """Weights of K parts in G buckets of history length, none below 0; rows need not sum to 1."""

    @classmethod
    def given(cls, weights: Sequence[float]) -> Self:
        """One set of weights for everybody."""
        return cls(np.zeros(1, np.int64), np.array([weights], np.float64))

    @classmethod
    def read(cls, record: dict[str, object], parts: int, where: str) -> Self:
        """What `record` gave, checked.

        Raises
        ------
        IntegrityError
            Weights are missing, negative, all 0 or not finite.
        """
        edges = np.asarray(record.get("edges", ()), np.int64)
        weights = np.asarray(record.get("weights", ()), np.float64)
        fits = are_edges(edges) and weights.shape == (len(edges), parts)
        if not fits or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any(axis=1).all():
            raise IntegrityError(
                f"weights of {parts} parts, none below 0, in every bucket",
                found=f"other numbers in {where}",
                do="Run the blend stage again, or bring the folder back from DVC.",
            )
        return cls(edges, weights)


def pooled(log_p: Sequence[NDArray[np.float32]], weights: Floats) -> NDArray[np.float32]:
    """(B, n) log-probabilities of the pool of K log-probabilities (B, n) with weights (B, K)."""
    out = np.zeros(log_p[0].shape, np.float32)
    for part, weight in zip(log_p, weights.T, strict=True):
        out += np.maximum(part, FLOOR) * weight[:, None].astype(np.float32)
    out -= logsumexp(out, axis=1, keepdims=True)
    return out


def fit_pool(
    log_p: NDArray[np.float32], own: Floats, length: NDArray[np.integer], edges: Sequence[int], pull: float
) -> Pool:
    """Weights that make what happened most probable, by history length.

    Parameters
    ----------
    log_p : (Q, K, n) log-probabilities, not below FLOOR
    own : (Q, K) log-probabilities of what happened; of a basket, their mean over its items
    length : (Q,) events in each query's history
    edges : smallest length of each bucket; 0 is added
    pull : to equal weights that sum to 1, and of each bucket to the common weights: of a squared distance of 1 in
        nats; it weighs less the more queries there are
    """
    equal = np.full(log_p.shape[1], 1.0 / log_p.shape[1])
    common = _fit(log_p, own, pull, equal)
    lows = np.unique(np.array([0, *edges], np.int64))
    bucket = np.searchsorted(lows, length, side="right") - 1
    rows = [_fit(log_p[bucket == b], own[bucket == b], pull, common) for b in range(len(lows))]
    return Pool(lows, np.stack(rows))


def _fit(log_p: NDArray[np.float32], own: Floats, pull: float, towards: Floats) -> Floats:
    """Weights (K,) of the least loss; `towards` without observations."""
    if not len(own):
        return towards

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = np.einsum("k,qkn->qn", weights.astype(np.float32), log_p)
        total = logsumexp(logits, axis=1).astype(np.float64)
        expected = np.einsum("qn,qkn->k", np.exp(logits - total[:, None].astype(np.float32)), log_p)
        away = weights - towards
        value = float(np.sum(total - own @ weights)) + pull * float(away @ away)
        return value, expected.astype(np.float64) - own.sum(axis=0) + 2 * pull * away

    found = minimize(loss, np.maximum(towards, 1e-3), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(towards))
    best = np.asarray(found.x, np.float64)
    return best if best.sum() > 0 else towards

"""What one counter answers to a block of queries: a distribution per query, kept in its cheapest form.

A distribution over the catalogue is a sum of up to five terms: popularity, other global vectors, weights on the
events of the gathered histories, sparse (query, item) pairs, and a dense block. Kept apart, a mixture of twelve
counters costs one dense block and one scatter instead of twelve, and the probability of one item per query (all
that the fit needs) costs no dense block at all for most counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.memory import loops, rows
from components.memory.ask import Ask, Floats, Ints

_STRIDE = 1 << 32  # more than there are items


@dataclass(frozen=True)
class Share:
    """Rows sum to 1: popular + Σ coefficients + Σ habit + Σ pairs + Σ dense, for each of B queries.

    Attributes
    ----------
    popular : (B,) weight of the popularity distribution
    vectors : (distribution over the catalogue (V,), its weight (B,)) each
    habit : (m,) weights of `Ask.item_code` at `Ask.item_query`, or None
    pairs : (query (p,), item (p,), weight (p,)), or None
    dense : (B, V), or None
    """

    popular: Floats
    vectors: tuple[tuple[Floats, Floats], ...] = ()
    habit: Floats | None = None
    pairs: tuple[Ints, Ints, Floats] | None = None
    dense: NDArray[np.floating] | None = None

    def at(self, ask: Ask, query: Ints, items: Ints, popularity: Floats) -> Floats:
        """(n,) probability of items (n,) in the answers to queries (n,)."""
        value = self.popular[query] * popularity[items]
        for vector, weight in self.vectors:
            value = value + weight[query] * vector[items]
        if self.habit is not None:
            value = value + _matched(ask.item_query, ask.item_code, self.habit, query, items)
        if self.pairs is not None:
            value = value + _matched(*self.pairs, query, items)
        if self.dense is not None:
            value = value + self.dense[query, items]
        return value


def _matched(at: Ints, code: Ints, weight: Floats, query: Ints, items: Ints) -> Floats:
    """(n,) sums of weights (p,) of codes (p,) at queries (p,), for the wanted items (n,) of queries (n,)."""
    if not len(items):
        return np.zeros(0)
    wanted, which = np.unique(query * _STRIDE + items, return_inverse=True)
    key = at * _STRIDE + code
    place = np.minimum(np.searchsorted(wanted, key), len(wanted) - 1)
    hit = wanted[place] == key
    return np.asarray(np.bincount(place[hit], weight[hit], len(wanted))[which], np.float64)


def habit_share(ask: Ask, weight: Floats, prior: float) -> Share:
    """Share of weights (m,) on the known events, smoothed by `prior` events' worth of popularity; takes the weights."""
    weight = np.ascontiguousarray(weight, np.float64)
    return Share(loops.shared(weight, ask.item_query, prior, ask.size), habit=weight)


def dense_share(weight: NDArray[np.floating], prior: float) -> Share:
    """Share of non-negative weights (B, V), smoothed."""
    return Share(popular=rows.rows_shared(weight, prior), dense=weight)


def mix(ask: Ask, shares: Sequence[Share], weights: Floats, popularity: Floats) -> NDArray[np.float32]:
    """(B, V) mixture of K shares with weights (B, K); rows sum to 1 up to float32."""
    used = np.flatnonzero(weights.any(axis=0)).tolist()
    trusted = [(np.ascontiguousarray(weights[:, k]), shares[k]) for k in used]
    popular = np.zeros(ask.size)
    for weight, share in trusted:
        popular += weight * share.popular
    out = rows.outer(popular, popularity)
    for weight, share in trusted:
        for vector, coefficient in share.vectors:
            rows.add_outer(out, weight * coefficient, vector)
        if share.dense is not None:
            rows.add_dense(out, share.dense, weight.astype(share.dense.dtype))
        if share.habit is not None:
            rows.scatter(out, ask.item_query, ask.item_code, share.habit, weight)
        if share.pairs is not None:
            rows.scatter(out, *share.pairs, weight)
    return out

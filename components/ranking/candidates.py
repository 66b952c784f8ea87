"""Which items are looked at closely: at most `total` a query, from every voice, each of them once.

The newest items of the own history, the best of each voice, and what the mixture of all likes best. What is no
candidate is ranked behind, by the mixture. Never here: an order among candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory.ask import Ask, Ints
from components.memory.share import Share
from components.once import made_once
from components.params import CandidateParams
from components.ranking.best import best
from components.ranking.evidence import Evidence

Table = NDArray[np.float32]
_ALL = np.zeros(0, np.bool_)


@dataclass(frozen=True)
class Candidates:
    """Items of query b: item[offsets[b]:offsets[b+1]], ascending and distinct.

    Attributes
    ----------
    offsets : (B+1,) int64
    item : (n,) int64 codes, none of them padding or unknown
    """

    offsets: Ints
    item: Ints

    def __len__(self) -> int:
        return len(self.item)

    @made_once
    def query(self) -> Ints:
        """(n,) the query that a candidate belongs to."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def position(self, items: NDArray[np.integer]) -> Ints:
        """(B,) position among the n of one item (B,) per query; -1 where it is no candidate."""
        place = np.full(len(self.offsets) - 1, -1, np.int64)
        hit = np.flatnonzero(self.item == np.asarray(items)[self.query])
        place[self.query[hit]] = hit
        return place


def choose(evidence: Evidence, mixture: Table, params: CandidateParams) -> Candidates:
    """Candidates of B queries.

    Parameters
    ----------
    evidence : what the voices say
    mixture : (B, V) their mixture, 0 for padding and unknown; what it likes best fills the places that are left,
        and goes first where there are more than `total`
    params : how many of each kind

    Returns
    -------
    Candidates
        min(total, real items) of each query.
    """
    size, n_items = mixture.shape
    wanted = [_recent(evidence.ask, n_items, params.history)]
    wanted += [part for share in evidence.shares.values() for part in _best(share, size, n_items, params.each)]
    key = np.concatenate(wanted)
    chosen = mixture.copy()
    np.minimum(chosen, 1.0, out=chosen)
    flat = chosen.reshape(-1)
    flat[key] = 2.0 + mixture.reshape(-1)[key]  # before all others, among themselves by the mixture
    chosen[:, : UNKNOWN + 1] = -1.0
    total = min(params.total, n_items - UNKNOWN - 1)
    item = np.sort(top(chosen, total), axis=1)
    return Candidates(np.arange(size + 1) * total, item.reshape(-1))


def top(block: NDArray[np.floating], count: int) -> Ints:
    """(B, count) columns of the largest finite values of each row (B, V), best first; of equal ones the lowest.

    At most as many as every row has.
    """
    rows = [best(row, _ALL, count) for row in block]
    fewest = min((len(row) for row in rows), default=0)
    return np.stack([row[:fewest] for row in rows]) if rows else np.zeros((0, 0), np.int64)


def _recent(ask: Ask, n_items: int, count: int) -> Ints:
    """Keys query · V + item of the `count` newest distinct items of each history."""
    newest_first = (ask.item_query * n_items + ask.item_code)[::-1]
    key, steps = np.unique(newest_first, return_index=True)
    key = key[np.lexsort((steps, key // n_items))]
    query = key // n_items
    return key[np.arange(len(key)) - np.searchsorted(query, query) < count]


def _best(share: Share, size: int, n_items: int, count: int) -> list[Ints]:
    """Keys query · V + item of what one voice likes best, by the terms of its share; habits are in the history."""
    found = []
    if share.pairs is not None:
        query, item, weight = share.pairs
        order = np.lexsort((-weight, query))
        query, item = query[order], item[order]
        found.append((query * n_items + item)[np.arange(len(query)) - np.searchsorted(query, query) < count])
    every = np.arange(size)[:, None] * n_items
    if share.dense is not None:
        found.append((every + top(share.dense, count)).reshape(-1))
    found += [(every + top(vector[None, :], count)).reshape(-1) for vector, _ in share.vectors]
    return found

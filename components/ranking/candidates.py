"""Which items are looked at closely: at most `total` a query, from every voice, each of them once.

The newest items of the own history, the best of each voice, and what the mixture of all likes best. What is no
candidate is ranked behind, by the mixture. Never here: an order among candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled, released
from components.features.encoding import UNKNOWN
from components.memory.ask import Floats, Ints
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
    wanted = [recent(evidence.ask.item_query, evidence.ask.item_code, n_items, params.history)]
    wanted += _best(list(evidence.shares.values()), size, n_items, params.each)
    total = min(params.total, n_items - UNKNOWN - 1)
    item = filled(np.concatenate(wanted), mixture, total, UNKNOWN)
    return Candidates(np.arange(size + 1) * total, item)


@released
def filled(key: Ints, mixture: Table, total: int, unknown: int) -> Ints:
    """(B · total,) items of B queries, ascending: those of the keys query · V + item, then what the mixture likes best.

    Where more are keyed than there are places, the mixture chooses among them. What is no number (a network that
    failed) is liked least: every place is filled all the same.
    """
    size, n_items = mixture.shape
    wanted = np.zeros((size, n_items), np.bool_)
    for one in key:
        wanted[one // n_items, one % n_items] = True
    out, value = np.empty(size * total, np.int64), np.empty(n_items, np.float32)
    for b in range(size):
        wanted[b, : unknown + 1] = False
        first = min(int(wanted[b].sum()), total)
        if first == total:  # there are too many, or just enough
            for v in range(n_items):
                value[v] = np.float32(2.0) + mixture[b, v] if mixture[b, v] == mixture[b, v] else np.float32(-1.0)
            chosen = best(value, wanted[b], total)
            wanted[b] = False
        else:
            free = ~wanted[b]
            free[: unknown + 1] = False
            for v in range(n_items):
                value[v] = min(mixture[b, v], np.float32(1.0)) if mixture[b, v] == mixture[b, v] else np.float32(-1.0)
            chosen = best(value, free, total - first)
        for v in chosen:
            wanted[b, v] = True
        at = b * total
        for v in range(n_items):
            if wanted[b, v]:
                out[at] = v
                at += 1
    return out


def top(block: NDArray[np.floating], count: int) -> Ints:
    """(B, count) columns of the largest finite values of each row (B, V), best first; of equal ones the lowest.

    At most as many as every row has.
    """
    if len(block) == 1:
        return best(block[0], _ALL, count)[None]
    rows = [best(row, _ALL, count) for row in block]
    fewest = min((len(row) for row in rows), default=0)
    return np.stack([row[:fewest] for row in rows]) if rows else np.zeros((0, 0), np.int64)


def _best(shares: Sequence[Share], size: int, n_items: int, count: int) -> list[Ints]:
    """Keys query · V + item of what each voice likes best, by the terms of its share; habits are in the history."""
    found = [heaviest(*one.pairs, size, n_items, count) for one in shares if one.pairs is not None]
    blocks = [block for one in shares for block in _blocks(one)]
    if blocks:
        every = np.arange(size)[:, None] * n_items
        found += [(every + top(block, count)).reshape(-1) for block in blocks]
    return found


def _blocks(share: Share) -> list[NDArray[np.floating]]:
    """Its terms over the whole catalogue, (B, V) or (1, V)."""
    return [*([] if share.dense is None else [share.dense]), *(vector[None] for vector, _ in share.vectors)]


@compiled
def recent(query: Ints, item: Ints, n_items: int, count: int) -> Ints:
    """Keys query · V + item of the `count` newest distinct items of each history, of its events (m,), oldest first."""
    out, met = np.empty(len(item), np.int64), np.full(n_items, -1, np.int64)
    size, found, last = 0, 0, -1
    for e in range(len(item) - 1, -1, -1):
        if query[e] != last:
            last, found = query[e], 0
        if found < count and met[item[e]] != last:
            met[item[e]] = last
            out[size] = last * n_items + item[e]
            size += 1
            found += 1
    return out[:size]


@compiled
def heaviest(query: Ints, item: Ints, weight: Floats, size: int, n_items: int, count: int) -> Ints:
    """Keys query · V + item of the `count` heaviest pairs (p,) of each of `size` queries; of equal ones the first."""
    out, found, kept = np.empty(len(item), np.int64), np.zeros(size, np.int64), 0
    for p in np.argsort(-weight, kind="mergesort"):
        if found[query[p]] < count:
            found[query[p]] += 1
            out[kept] = query[p] * n_items + item[p]
            kept += 1
    return out[:kept]

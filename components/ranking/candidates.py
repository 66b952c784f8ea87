"""Which items are looked at closely: at most `total` a query, from every voice, each of them once.

The newest items of the own history, the best of each voice, and what the mixture of all likes best. What is no
candidate is ranked behind, by the mixture. Never here: an order among candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled, released
from components.features.encoding import UNKNOWN
from components.memory.ask import Floats, Ints
from components.once import made_once
from components.params import CandidateParams
from components.ranking.best import best
from components.ranking.evidence import Evidence

Table = NDArray[np.float32]
Bools = NDArray[np.bool_]
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
    wanted, shares = np.zeros(mixture.shape, np.bool_), evidence.shares.values()
    want_recent(wanted, evidence.ask.item_edges, evidence.ask.item_code, params.history)
    for share in shares:  # habits are in the history
        for vector, _ in share.vectors:
            want_best(wanted, vector[None], params.each)
        if share.dense is not None:
            want_best(wanted, share.dense, params.each)
        if share.pairs is not None:
            want_heaviest(wanted, *share.pairs, params.each)
    total = min(params.total, mixture.shape[1] - UNKNOWN - 1)
    item = filled(wanted, mixture, total, UNKNOWN)
    return Candidates(np.arange(len(mixture) + 1) * total, item)


@released
def filled(wanted: Bools, mixture: Table, total: int, unknown: int) -> Ints:
    """(B · total,) items of B queries, ascending: those that are wanted (B, V), then what the mixture likes best.

    Where more are wanted than there are places, the mixture chooses among them. What is no finite number (a
    network that failed) is liked least, of these the lowest code most: every place is filled all the same.
    """
    out, at = np.empty(len(wanted) * total, np.int64), 0
    for b in range(len(wanted)):
        taken = wanted[b]
        taken[: unknown + 1] = False
        places = total - taken.sum()
        if places < 0:
            others, taken, places = taken, np.zeros_like(taken), total
        else:
            others = ~taken
            others[: unknown + 1] = False
        for v in best(mixture[b], others, places):
            taken[v] = True
            places -= 1
        for v in range(len(taken)):
            if not taken[v] and not (places > 0 and others[v]):
                continue
            places -= not taken[v]
            out[at] = v
            at += 1
    return out


@compiled
def want_recent(wanted: Bools, edges: Ints, item: Ints, count: int) -> None:
    """Mark in (B, V) the `count` newest distinct items of the events edges[b]:edges[b+1], oldest first."""
    for b in range(len(wanted)):
        found = 0
        for e in range(edges[b + 1] - 1, edges[b] - 1, -1):
            if found < count and not wanted[b, item[e]]:
                wanted[b, item[e]] = True
                found += 1


@released
def want_best(wanted: Bools, block: NDArray[np.floating], count: int) -> None:
    """Mark in (B, V) the `count` largest of each row of a block (B, V), or (1, V) for all; of equal ones the lowest."""
    each = len(wanted) // max(len(block), 1)
    for row in range(len(block)):
        for v in best(block[row], _ALL, count):
            wanted[row * each : (row + 1) * each, v] = True


@compiled
def want_heaviest(wanted: Bools, query: Ints, item: Ints, weight: Floats, count: int) -> None:
    """Mark in (B, V) the `count` heaviest of the pairs (p,) of each query; of equal ones the first."""
    found = np.zeros(len(wanted), np.int64)
    for p in np.argsort(-weight, kind="mergesort"):
        if found[query[p]] < count:
            found[query[p]] += 1
            wanted[query[p], item[p]] = True

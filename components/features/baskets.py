"""Baskets: what one user did at one time, lines of one invoice, taken as one.

The one notion behind `evaluation.ties: basket`: what is asked (`evaluation.protocol`), what memory, blends and rankers
learn from (`memory.replay`) and what a network learns (`training.batches`) are these. Order within one is nobody's
truth. Never here: which windows or rows are asked about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.store import Store


@dataclass(frozen=True)
class Baskets:
    """Q baskets in time order, of T rows in all.

    Attributes
    ----------
    begin : (Q,) int64 row of the first event of the whole basket: a history that ends before it shows nothing of it
    member : (T,) int64 the rows that were asked for, of an item that stands twice the first alone
    offsets : (Q+1,) int64; the rows of basket q are member[offsets[q]:offsets[q+1]]
    """

    begin: NDArray[np.int64]
    member: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        """(Q,) the first of each basket's rows."""
        return self.member[self.offsets[:-1]]


def basket_begin(store: Store) -> NDArray[np.int64]:
    """(N,) row of the first event of the basket that each event is in."""
    time_s = np.asarray(store["time_s"])
    new = np.ones(store.n_events, bool)
    new[1:] = (np.diff(time_s) != 0) | (np.diff(store.user) != 0)
    return np.flatnonzero(new)[np.cumsum(new) - 1]


def baskets_of(store: Store, rows: NDArray[np.int64]) -> Baskets:
    """The baskets of some rows (n,) of a store, oldest first.

    Parameters
    ----------
    store : the log
    rows : distinct; only these are members
    """
    run = basket_begin(store)[rows]
    item = np.asarray(store["item"])[rows]
    order = np.lexsort((rows, item, run))
    distinct = np.ones(len(order), bool)
    distinct[1:] = (np.diff(run[order]) != 0) | (np.diff(item[order]) != 0)
    kept = np.sort(order[distinct])
    run, member = run[kept], rows[kept]
    by_time = np.lexsort((member, run, np.asarray(store["time_s"])[member]))
    run, member = run[by_time], member[by_time]
    new = np.ones(len(run), bool)
    new[1:] = np.diff(run) != 0
    start = np.flatnonzero(new)
    return Baskets(run[start], member, np.append(start, len(member)).astype(np.int64))

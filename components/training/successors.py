"""Fills a transition head from the training window: what followed each item, one event later, two, and so on.

Counts of pairs within a user, the most frequent kept; where counts are equal the smaller code is. Never reads a row
outside the training window.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.models.transitions import TransitionHead


def count_successors(store: Store, trained: NDArray[np.bool_], head: TransitionHead) -> None:
    """Fill the tables of `head` in place.

    Parameters
    ----------
    store : of the log
    trained : (N,) rows that may be counted
    head : (lags, V, K) tables
    """
    for lag in range(1, head.lags + 1):
        successor, count, total = successors(store, trained, lag, head.items, head.successor.shape[2])
        head.successor[lag - 1].copy_(torch.from_numpy(successor))
        head.count[lag - 1].copy_(torch.from_numpy(count))
        head.total[lag - 1].copy_(torch.from_numpy(total))


def successors(
    store: Store, trained: NDArray[np.bool_], lag: int, items: int, keep: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """The `keep` most frequent items `lag` events after each item, and how often each came; 0 where there are fewer.

    Returns
    -------
    (V, keep) int32, (V, keep) float32, (V,) float32
        Codes, counts, and how many events followed in all.
    """
    item, user = np.asarray(store["item"]).astype(np.int64), store.user
    code, count = np.zeros((items, keep), np.int32), np.zeros((items, keep), np.float32)
    before, after = item[:-lag], item[lag:]
    use = (user[:-lag] == user[lag:]) & trained[:-lag] & trained[lag:] & (before > UNKNOWN) & (after > UNKNOWN)
    pair, times = np.unique(before[use] * items + after[use], return_counts=True)
    row = pair // items
    order = np.lexsort((pair, -times, row))
    row, column, times = row[order], pair[order] % items, times[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    kept = rank < keep
    code[row[kept], rank[kept]] = column[kept]
    count[row[kept], rank[kept]] = times[kept]
    total = np.bincount(row, weights=times, minlength=items).astype(np.float32)
    return code, count, total

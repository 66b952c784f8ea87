"""How good a list of next items is: how much of what happened is in it, and whether in its order.

Lists are codes, 0 behind their end; what was written is compared with what followed, in time or in number. Never asks
a model and never ranks a catalogue: that is `judge`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from components.features.store import WINDOWS
from components.predictor import Queries


def following(queries: Queries, steps: int, span_s: float | None, window: str | None = None) -> NDArray[np.int64]:
    """(Q, n) codes of the n events that followed each visible history, 0 where it ended.

    Parameters
    ----------
    queries : their store holds what followed; with history "train_only" that is but the rest of the session
    steps : n
    span_s : seconds from the last visible event (from the request, where there is none) behind which nothing counts;
        None: n events, however late
    window : whose events alone count; None: those of every window
    """
    store = queries.store
    row = queries.stop[:, None] + np.arange(steps)  # (Q, n)
    end = np.asarray(store.offsets)[queries.user.astype(np.int64) + 1][:, None]
    there = row < end
    row = np.where(there, row, 0)
    if window is not None:
        there &= np.asarray(store["window"])[row] == WINDOWS[window]
    time_s = np.asarray(store["time_s"])
    if span_s is not None:
        last = time_s[np.maximum(queries.stop - 1, 0)]
        begin = np.where(queries.stop > queries.start, last, queries.time_s)
        there &= time_s[row] - begin[:, None] <= span_s
    return np.where(there, np.asarray(store["item"])[row], 0).astype(np.int64)


def _first(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(Q, n) whether a code is no padding and stands for the first time in its list."""
    same = codes[:, :, None] == codes[:, None, :]  # (Q, n, n)
    again = np.tril(same, -1).any(2)
    result: NDArray[np.bool_] = (codes > 0) & ~again
    return result


def set_recall(written: NDArray[np.int64], actual: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q,) share in 0..1 of the different items that followed which (Q, n) `written` holds; NaN where none followed.

    An item that training never saw (code 1) cannot be written and counts as missed.

    Examples
    --------
    >>> set_recall(np.array([[5, 7, 0]]), np.array([[7, 7, 9]])).tolist()
    [0.5]
    """
    first = _first(actual)
    hit = first & (actual[:, :, None] == written[:, None, :]).any(2)
    count = first.sum(1)
    return np.where(count > 0, hit.sum(1) / np.maximum(count, 1), np.nan)


def order_agreement(written: NDArray[np.int64], actual: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q,) Kendall's tau in -1..1 of the items in both lists, by where they first stand; NaN with fewer than two.

    Source: Kendall (1938); without ties, for an item stands first in one place.

    Examples
    --------
    >>> order_agreement(np.array([[5, 7, 9]]), np.array([[9, 7, 5]])).tolist()
    [-1.0]
    """
    same = actual[:, :, None] == written[:, None, :]  # (Q, m, n)
    hit = _first(actual) & same.any(2)
    place = same.argmax(2)  # (Q, m) first place in the written list
    pair = hit[:, :, None] & hit[:, None, :] & np.triu(np.ones(same.shape[1:2] * 2, bool), 1)  # (Q, m, m)
    sign = np.sign(place[:, None, :] - place[:, :, None])
    count = pair.sum((1, 2))
    return np.where(count > 0, (sign * pair).sum((1, 2)) / np.maximum(count, 1), np.nan)


def judge_lists(written: NDArray[np.int64], actual: NDArray[np.int64]) -> Mapping[str, float]:
    """Means over queries: `set_recall@n` and `kendall_tau`, and the number of queries that each is a mean of."""
    recall, tau = set_recall(written, actual), order_agreement(written, actual)
    n = written.shape[1]
    return {
        f"set_recall@{n}": _mean(recall),
        "kendall_tau": _mean(tau),
        "queries": float(np.isfinite(recall).sum()),
        "queries_with_order": float(np.isfinite(tau).sum()),
    }


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

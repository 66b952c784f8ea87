"""Metrics of ranked items: one value per query, so that means, intervals, slices and differences share the arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError

Floats = NDArray[np.float64]

#: Names of the ranked-item metrics; those of AT_K are followed by @k.
AT_K = ("hr", "ndcg", "precision", "recall", "f1")


def item_metric(name: str, ranks: Floats, offsets: NDArray[np.int64]) -> Floats:
    """A metric of ranked items for each query.

    Parameters
    ----------
    name : "hr@10", "ndcg@10", "precision@5", "recall@5", "f1@5" or "mrr"
    ranks : (T,) rank of each right item among all items
    offsets : (Q+1,) the right items of query q are offsets[q]:offsets[q+1]

    Returns
    -------
    (Q,) in [0, 1]; NaN where the query has no right item to find

    Raises
    ------
    ConfigError
        No metric has that name.

    Examples
    --------
    >>> item_metric("hr@3", np.array([1.0, 4.0, np.inf]), np.arange(4)).tolist()
    [1.0, 0.0, 0.0]
    >>> item_metric("mrr", np.array([2.0, 4.0]), np.array([0, 2])).tolist()
    [0.5]
    """
    if name == "mrr":
        return mean_reciprocal_rank(ranks, offsets)
    kind, _, depth = name.partition("@")
    functions = dict(zip(AT_K, (hit_rate, ndcg, precision, recall, f1), strict=True))
    if kind not in functions or not depth.isdigit() or int(depth) < 1:
        raise ConfigError(
            "the name of a metric of ranked items",
            found=f"`{name}`",
            do=f"Use mrr or one of {', '.join(AT_K)} with @k.",
        )
    return functions[kind](ranks, offsets, int(depth))


def _relevant(ranks: Floats, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """(Q,) right items that were asked about."""
    return _sum(~np.isnan(ranks), offsets).astype(np.int64)


def _sum(values: NDArray, offsets: NDArray[np.int64]) -> Floats:
    """(Q,) sums of values (T,) over each query's right items; 0 for a query without any."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return total[offsets[1:]] - total[offsets[:-1]]


def _asked(values: Floats, relevant: NDArray[np.int64]) -> Floats:
    return np.where(relevant > 0, values, np.nan)


def hit_rate(ranks: Floats, offsets: NDArray[np.int64], k: int) -> Floats:
    """(Q,) 1 where at least one right item is among the first k, else 0.

    Examples
    --------
    >>> hit_rate(np.array([3.0, 11.0]), np.arange(3), 10).tolist()
    [1.0, 0.0]
    """
    return _asked(np.minimum(_sum(ranks <= k, offsets), 1.0), _relevant(ranks, offsets))


def recall(ranks: Floats, offsets: NDArray[np.int64], k: int) -> Floats:
    """(Q,) share of the right items that are among the first k, of those that could be: hits / min(k, right).

    With one right item this is the hit rate.

    Examples
    --------
    >>> recall(np.array([1.0, 2.0, 30.0]), np.array([0, 3]), 2).tolist()
    [1.0]
    """
    relevant = _relevant(ranks, offsets)
    return _asked(_sum(ranks <= k, offsets) / np.clip(relevant, 1, k), relevant)


def precision(ranks: Floats, offsets: NDArray[np.int64], k: int) -> Floats:
    """(Q,) share of the first k that are right: hits / k, at most min(k, right) / k.

    Examples
    --------
    >>> precision(np.array([1.0, 7.0]), np.array([0, 2]), 10).tolist()
    [0.2]
    """
    return _asked(_sum(ranks <= k, offsets) / k, _relevant(ranks, offsets))


def f1(ranks: Floats, offsets: NDArray[np.int64], k: int) -> Floats:
    """(Q,) harmonic mean of precision and (plain) recall at k: 2·hits / (k + right), 0 where nothing is hit.

    Examples
    --------
    >>> f1(np.array([1.0]), np.array([0, 1]), 1).tolist()
    [1.0]
    """
    relevant = _relevant(ranks, offsets)
    return _asked(2 * _sum(ranks <= k, offsets) / (k + relevant), relevant)


def ndcg(ranks: Floats, offsets: NDArray[np.int64], k: int) -> Floats:
    """(Q,) discounted cumulative gain at k over the best that is achievable with as many right items.

    Gains are binary and the discount is 1 / log2(rank + 1).

    References
    ----------
    Järvelin, Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4).

    Examples
    --------
    >>> ndcg(np.array([1.0, 3.0]), np.arange(3), 10).tolist()
    [1.0, 0.5]
    """
    relevant = _relevant(ranks, offsets)
    hit = ranks <= k
    gain = _sum(np.where(hit, 1 / np.log2(np.where(hit, ranks, 1.0) + 1), 0.0), offsets)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    best = ideal[np.minimum(relevant, k)]
    return _asked(gain / np.where(best > 0, best, 1.0), relevant)


def mean_reciprocal_rank(ranks: Floats, offsets: NDArray[np.int64]) -> Floats:
    """(Q,) 1 / rank of the best right item; 0 for a miss.

    References
    ----------
    Voorhees (1999), The TREC-8 question answering track report.

    Examples
    --------
    >>> mean_reciprocal_rank(np.array([4.0, np.inf]), np.arange(3)).tolist()
    [0.25, 0.0]
    """
    relevant = _relevant(ranks, offsets)
    inverse = np.where(np.isnan(ranks), 0.0, 1 / np.where(np.isnan(ranks), 1.0, ranks))
    filled = np.append(inverse, 0.0)  # reduceat needs every start inside the array
    best = np.maximum.reduceat(filled, offsets[:-1]) if len(offsets) > 1 else np.empty(0)
    return _asked(best, relevant)

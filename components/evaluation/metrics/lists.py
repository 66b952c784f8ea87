"""Metrics of the lists that a model shows: figures of the whole, whoever was right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def coverage(lists: NDArray[np.integer], n_items: int) -> float:
    """Share of the catalogue that is in at least one list; codes 0 are empty places.

    Examples
    --------
    >>> coverage(np.array([[2, 3], [2, 0]]), 4)
    0.5
    """
    return len(np.unique(lists[lists > 0])) / n_items if n_items else float("nan")


def gini(lists: NDArray[np.integer], n_items: int) -> float:
    """Inequality of how often items are shown: 0 = all equally, towards 1 = one item only.

    References
    ----------
    Fleder, Hosanagar (2009), Blockbuster culture's next rise or fall, Management Science 55(5).

    Examples
    --------
    >>> gini(np.array([[2, 3]]), 2)
    0.0
    """
    _, count = np.unique(lists[lists > 0], return_counts=True)
    if not len(count):
        return float("nan")
    shown = np.concatenate([np.zeros(n_items - len(count)), np.sort(count)])
    place = np.arange(1, n_items + 1)
    return float(np.sum((2 * place - n_items - 1) * shown) / (n_items * shown.sum()))


def intra_list_diversity(lists: NDArray[np.integer], category: NDArray[np.integer]) -> Floats:
    """(Q,) share of the pairs in each list whose categories differ; NaN for lists shorter than two.

    Parameters
    ----------
    lists : (Q, k) item codes, 0 = empty
    category : (V,) category of each item code

    References
    ----------
    Ziegler et al. (2005), Improving recommendation lists through topic diversification, WWW.

    Examples
    --------
    >>> intra_list_diversity(np.array([[2, 3]]), np.array([0, 0, 5, 6])).tolist()
    [1.0]
    """
    kind = np.where(lists > 0, category[lists], -1)
    equal, pairs = np.zeros(len(lists)), np.zeros(len(lists))
    for one in range(kind.shape[1]):
        both = (kind[:, one : one + 1] >= 0) & (kind[:, one + 1 :] >= 0)
        pairs += both.sum(axis=1)
        equal += (both & (kind[:, one : one + 1] == kind[:, one + 1 :])).sum(axis=1)
    return np.where(pairs > 0, 1 - equal / np.maximum(pairs, 1), np.nan)


def novelty(lists: NDArray[np.integer], count: NDArray[np.integer]) -> Floats:
    """(Q,) mean surprise of each list in bits: -log2 of the item's share of the training events (add one).

    Parameters
    ----------
    lists : (Q, k) item codes, 0 = empty
    count : (V,) training events of each item code

    References
    ----------
    Zhou et al. (2010), Solving the apparent diversity–accuracy dilemma of recommender systems, PNAS 107(10).

    Examples
    --------
    >>> novelty(np.array([[2, 2]]), np.array([0, 0, 1, 1])).tolist()
    [1.0]
    """
    real = np.asarray(count[2:], float) + 1
    bits = np.concatenate([[0.0, 0.0], -np.log2(real / real.sum())])
    shown = lists > 0
    return np.where(
        shown.any(axis=1), np.where(shown, bits[lists], 0.0).sum(axis=1) / np.maximum(shown.sum(axis=1), 1), np.nan
    )


def popularity_lift(lists: NDArray[np.integer], answers: NDArray[np.integer], count: NDArray[np.integer]) -> float:
    """Mean training count of what is shown over that of what people chose; 1 = no popularity bias, more = bias.

    Examples
    --------
    >>> popularity_lift(np.array([[2]]), np.array([3]), np.array([0, 0, 8, 4]))
    2.0
    """
    shown, chosen = lists[lists > 0], answers[answers > 1]
    base = float(np.mean(count[chosen])) if len(chosen) else 0.0
    return float(np.mean(count[shown])) / base if len(shown) and base > 0 else float("nan")

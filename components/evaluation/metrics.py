"""What a judgement is worth: every metric as a plain function of arrays.

Metrics of ranked items give one value per query, so that the same arrays serve means, intervals, slices and paired
differences. Metrics of lists and of calibration are figures of the whole. Ranks come from `evaluation.ranks`: they
start at 1, ties share their mean rank, an infinite rank is a miss, and NaN means that nothing was asked.

Never here: which query is counted (`evaluation.judge`) or how sure a mean is (`evaluation.significance`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

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


def expected_calibration_error(probability: Floats, hit: NDArray, bins: int = 15) -> float:
    """Mean distance between what was said and what came true, over bins with equally many queries.

    Parameters
    ----------
    probability : (Q,) said for the answer that was given
    hit : (Q,) whether it was right

    Returns
    -------
    float
        In [0, 1]; NaN without queries.

    References
    ----------
    Nguyen, O'Connor (2015), Posterior calibration and exploratory analysis for NLP models (adaptive bins).

    Examples
    --------
    >>> expected_calibration_error(np.array([0.5, 0.5]), np.array([0, 1]), bins=1)
    0.0
    """
    if len(probability) == 0:
        return float("nan")
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(p) * abs(float(probability[p].mean()) - float(np.asarray(hit, float)[p].mean())) for p in parts]
    return float(sum(gaps) / len(order))


def macro_f1(truth: NDArray[np.integer], guess: NDArray[np.integer]) -> float:
    """Mean over the classes that occur, in truth or guess, of their F1; in [0, 1], NaN without queries.

    Examples
    --------
    >>> round(macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1])), 3)
    0.667
    """
    if len(truth) == 0:
        return float("nan")
    size = int(max(truth.max(), guess.max())) + 1
    both = np.bincount(truth[truth == guess], minlength=size)
    sums = np.bincount(truth, minlength=size) + np.bincount(guess, minlength=size)
    return float(np.mean(2 * both[sums > 0] / sums[sums > 0]))


def macro_auc(truth: NDArray[np.integer], probability: Floats) -> float:
    """Area under the ROC curve of each class against the rest, averaged over classes with both; ties count half.

    Parameters
    ----------
    truth : (Q,) class
    probability : (Q, A) of each class

    Returns
    -------
    float
        In [0, 1], ½ for guessing; NaN where no class has both kinds.

    References
    ----------
    Hanley, McNeil (1982), The meaning and use of the area under a ROC curve, Radiology 143.

    Examples
    --------
    >>> macro_auc(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    1.0
    """
    areas = []
    for code in range(probability.shape[1]):
        right = truth == code
        n_right, n_wrong = int(right.sum()), int((~right).sum())
        if n_right and n_wrong:
            _, inverse, count = np.unique(probability[:, code], return_inverse=True, return_counts=True)
            middle = np.cumsum(count) - (count - 1) / 2
            areas.append((middle[inverse][right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))
    return float(np.mean(areas)) if areas else float("nan")


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


def crps_log(weight: Floats, mean: Floats, sigma: Floats, value: Floats) -> Floats:
    """(Q,) continuous ranked probability score of Gaussian mixtures, in closed form; lower is better, ≥ 0.

    For a log-normal mixture of gaps, `mean` and `sigma` are those of log(gap + 1) and the score is in its units
    (0.1 ≈ ten per cent of the gap).

    Parameters
    ----------
    weight, mean, sigma : (Q, C)
    value : (Q,) what happened

    References
    ----------
    Grimit, Gneiting, Berrocal, Johnson (2006), The continuous ranked probability score for circular variables …,
    Q. J. R. Meteorol. Soc. 132, equation 5.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> round(float(crps_log(one, 0 * one, one, np.zeros(1))[0]), 4)
    0.2337
    """
    near = np.sum(weight * _absolute(value[:, None] - mean, sigma), axis=1)
    apart = np.zeros(len(value))
    for one in range(weight.shape[1]):
        spread = np.sqrt(sigma[:, one : one + 1] ** 2 + sigma**2)
        part = weight[:, one : one + 1] * weight * _absolute(mean[:, one : one + 1] - mean, spread)
        apart += part.sum(axis=1)
    return np.asarray(near - 0.5 * apart)


def _absolute(mean: Floats, sigma: Floats) -> Floats:
    """Expectation of |X| for X normal."""
    z = mean / sigma
    return np.asarray(2 * sigma * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + mean * (2 * ndtr(z) - 1))


def haversine_km(latitude: NDArray, longitude: NDArray, other_latitude: NDArray, other_longitude: NDArray) -> Floats:
    """Great-circle distance in km between points in degrees; the Earth's mean radius is 6,371.0088 km.

    Examples
    --------
    >>> zero, ninety = np.zeros(1), np.full(1, 90.0)
    >>> round(float(haversine_km(zero, zero, ninety, zero)[0]))
    10008
    """
    a, b, c, d = (np.radians(np.asarray(x, np.float64)) for x in (latitude, longitude, other_latitude, other_longitude))
    part = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return np.asarray(2 * 6371.0088 * np.arcsin(np.sqrt(np.minimum(part, 1.0))))

"""Metrics of what was said to be likely: calibration, classes, and distributions of a number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


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

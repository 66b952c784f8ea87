"""Was what was said of users right, how surely, and how much better than something simple?

One row is one user, so users are drawn anew for intervals; all methods are judged on the same draws. Rows carry
weights: how often a draw holds each user.

Never here: what was said (`churn`, `survival`, `backtest`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from components.evolution.significance import Estimate

Floats = NDArray[np.float64]
#: (truth, said, weight), each (U,) → a figure
Measure = Callable[[Floats, Floats, Floats], float]
_BINS = 10
_FLOOR = 1e-6  # of a probability; a calibrator that says never is not infinitely wrong


@dataclass(frozen=True)
class Verdict:
    """A figure of one method, and by how much it differs from the simple method's on the same users."""

    method: str
    measure: str
    estimate: Estimate
    difference: Estimate


def auc(truth: Floats, said: Floats, weight: Floats) -> float:
    """Probability that a user with truth 1 is given more than one with 0, ties half; NaN without both.

    References
    ----------
    Hanley, McNeil (1982), The meaning and use of the area under a ROC curve, Radiology 143.

    Examples
    --------
    >>> auc(np.array([0.0, 1, 1]), np.array([0.1, 0.1, 0.7]), np.ones(3))
    0.75
    """
    level = np.unique(said, return_inverse=True)[1]
    yes, no = (np.bincount(level, weights=weight * part) for part in (truth, 1 - truth))
    both = yes.sum() * no.sum()
    return float(np.dot(yes, np.cumsum(no) - no / 2) / both) if both > 0 else float("nan")


def brier(truth: Floats, said: Floats, weight: Floats) -> float:
    """Mean squared distance of probability and outcome, 0 … 1; ¼ for saying one half (Brier 1950)."""
    return float(np.average((said - truth) ** 2, weights=weight))


def log_loss(truth: Floats, said: Floats, weight: Floats) -> float:
    """Mean surprise in nats; probabilities within a millionth of 0 and 1 count as that."""
    sure = np.clip(said, _FLOOR, 1 - _FLOOR)
    return float(np.average(-np.log(np.where(truth > 0, sure, 1 - sure)), weights=weight))


def ece(truth: Floats, said: Floats, weight: Floats) -> float:
    """Expected calibration error, 0 … 1: mean distance of said and found over ten bins of equally many users.

    Users who were told the same stay in one bin, so that the order of rows never matters.

    References
    ----------
    Nguyen, O'Connor (2015), Posterior calibration and exploratory analysis for natural language processing models.
    """
    edges = np.quantile(said, np.linspace(0, 1, _BINS + 1)[1:-1])
    group = np.searchsorted(edges, said, side="right")
    gap = np.bincount(group, weights=weight * (said - truth))
    return float(np.abs(gap).sum() / weight.sum())


def mae(truth: Floats, said: Floats, weight: Floats) -> float:
    """Mean absolute error."""
    return float(np.average(np.abs(said - truth), weights=weight))


def rmse(truth: Floats, said: Floats, weight: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.average((said - truth) ** 2, weights=weight)))


def total_error(truth: Floats, said: Floats, weight: Floats) -> float:
    """How far the sum is off, as a share of the true sum; above 0: too much was said. NaN where the true sum is 0."""
    total = float(np.dot(truth, weight))
    return float(np.dot(said, weight)) / total - 1 if total else float("nan")


CHANCES: Mapping[str, Measure] = {"auc": auc, "brier": brier, "ece": ece, "log_loss": log_loss}
COUNTS: Mapping[str, Measure] = {"total_error": total_error, "mae": mae, "rmse": rmse}


def compare(
    truth: Floats,
    said: Mapping[str, Floats],
    simple: str,
    measures: Mapping[str, Measure],
    draws: int,
    confidence: float,
    seed: int,
) -> list[Verdict]:
    """Judge several methods on the same users.

    Parameters
    ----------
    truth : (U,) what happened
    said : method → (U,) what it said
    simple : the method that the others are compared with
    measures : name → measure
    draws, confidence, seed : of the bootstrap over users

    Returns
    -------
    list of Verdict
    """
    found: dict[str, dict[str, list[float]]] = {name: {key: [] for key in measures} for name in said}
    for weight in _weights(len(truth), draws, seed):
        for name, values in said.items():
            for key, measure in measures.items():
                found[name][key].append(measure(truth, values, weight))
    return [
        Verdict(
            name,
            key,
            spread(np.array(found[name][key]), confidence),
            spread(np.array(found[name][key]) - np.array(found[simple][key]), confidence),
        )
        for name in said
        for key in measures
    ]


def _weights(n: int, draws: int, seed: int) -> Iterator[Floats]:
    """First everyone once, then each draw of n users with replacement, as counts (n,)."""
    yield np.ones(n)
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)


def spread(values: Floats, confidence: float) -> Estimate:
    """An estimate from its value and its draws (1 + D,), the value first.

    The interval is the normal one by the draws' deviation: percentiles of a distance (a calibration error, say) would
    all lie above it, since noise is never negative there.

    References
    ----------
    Davison, Hinkley (1997), Bootstrap Methods and their Application, section 5.2.
    """
    value, drawn = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not np.isfinite(value) or len(drawn) < 2:
        return Estimate(value, float("nan"), float("nan"))
    reach = float(ndtri(0.5 + confidence / 2) * drawn.std(ddof=1))
    return Estimate(value, value - reach, value + reach)

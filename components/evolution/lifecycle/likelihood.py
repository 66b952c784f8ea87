"""Maximum likelihood for models whose parameters are all positive: fitted, and told how surely, in their logarithms.

Never here: a likelihood of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtri

from components.errors import TrainingError

Floats = NDArray[np.float64]
Model = TypeVar("Model")
_STEP = 1e-3  # of a log-parameter, for second differences: the error is of the order of its square
_PRECISION = {"ftol": 1e-12, "gtol": 1e-7, "eps": 1e-6, "maxiter": 300}
_BOUND = 12.0  # of |log-parameter|: beyond, the data do not tell the parameter from 0 or ∞


@dataclass(frozen=True)
class Fitted(Generic[Model]):
    """A model at the maximum of its likelihood.

    Attributes
    ----------
    model : a frozen dataclass of K positive parameters
    log_likelihood : of all users, in nats
    covariance : (K, K) of the logarithms of the parameters, from the observed information; NaN of a parameter that ran
        to 0 or ∞ (the others are then as sure as that leaves them), and of all where the likelihood is flat
    n : users
    """

    model: Model
    log_likelihood: float
    covariance: Floats
    n: int

    @property
    def names(self) -> tuple[str, ...]:
        """(K,) names of the parameters."""
        return tuple(one.name for one in fields(self.model))  # type: ignore[arg-type]

    @property
    def values(self) -> Floats:
        """(K,) parameters."""
        return np.array(astuple(self.model))  # type: ignore[call-overload]

    @property
    def standard_error(self) -> Floats:
        """(K,) of the parameters, by the delta method."""
        return self.values * np.sqrt(np.diag(self.covariance))

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """(K,), (K,) Wald bounds, taken of the logarithms so that they stay positive."""
        reach = ndtri(0.5 + confidence / 2) * np.sqrt(np.diag(self.covariance))
        return self.values * np.exp(-reach), self.values * np.exp(reach)

    @property
    def aic(self) -> float:
        """Akaike's criterion; less is better."""
        return 2 * len(self.names) - 2 * self.log_likelihood


def maximise(
    kind: Callable[..., Model], log_likelihood: Callable[[Model], Floats], weight: Floats, starts: list[list[float]]
) -> Fitted[Model]:
    """Maximise a weighted sum of log-likelihoods over positive parameters, from several starts.

    Parameters
    ----------
    kind : makes a model of K positive numbers
    log_likelihood : model → (R,) log-likelihood of each distinct row of data
    weight : (R,) how many users each row stands for
    starts : first guesses of the K parameters

    Returns
    -------
    Fitted

    Raises
    ------
    TrainingError
        No start reached a maximum.

    References
    ----------
    Efron, Hinkley (1978), Assessing the accuracy of the maximum likelihood estimator: observed versus expected
    Fisher information, Biometrika 65.
    """
    n = float(weight.sum())

    def loss(log_parameters: Floats) -> float:
        value = float(np.dot(weight, log_likelihood(kind(*np.exp(log_parameters).tolist()))))
        return -value / n if np.isfinite(value) else np.inf

    best: Any = None
    for start in starts:
        found = minimize(
            loss, np.log(start), method="L-BFGS-B", bounds=[(-_BOUND, _BOUND)] * len(start), options=_PRECISION
        )
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise TrainingError(
            "a finite likelihood",
            found="none from any start",
            do="Check that there are repeat occasions to learn from.",
        )
    inner = np.abs(best.x) < _BOUND - 0.01
    covariance = np.full((len(best.x), len(best.x)), np.nan)
    covariance[np.ix_(inner, inner)] = _inverse(n * _hessian(loss, best.x)[np.ix_(inner, inner)])
    return Fitted(kind(*np.exp(best.x).tolist()), -n * float(best.fun), covariance, round(n))


def _inverse(information: Floats) -> Floats:
    """Inverse of a positive definite matrix; NaN of another, or of one that is not finite."""
    if not np.isfinite(information).all() or not len(information) or np.linalg.eigvalsh(information).min() <= 0:
        return np.full_like(information, np.nan)
    return np.asarray(np.linalg.inv(information), np.float64)


def _hessian(loss: Callable[[Floats], float], at: Floats) -> Floats:
    """(K, K) second differences, central."""
    k = len(at)
    step = _STEP * np.eye(k)
    found = np.empty((k, k))
    for i in range(k):
        for j in range(i, k):
            plus = loss(at + step[i] + step[j]) + loss(at - step[i] - step[j])
            minus = loss(at + step[i] - step[j]) + loss(at - step[i] + step[j])
            found[i, j] = found[j, i] = (plus - minus) / (4 * _STEP**2)
    return found


def distinct(*columns: Floats) -> tuple[tuple[Floats, ...], Floats]:
    """Distinct rows of some columns (U,), and how often each occurs: a likelihood is asked once for those alike."""
    rows, count = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return tuple(rows.T), count.astype(np.float64)

"""Pareto/NBD: users come at random at their own rate, and leave for good at a random time of their own.

Occasions while alive are Poisson at rate λ ~ Gamma(r, α); the lifetime is exponential at rate μ ~ Gamma(s, β). Unlike
under BG/NBD, a user who came once may have left. Everything that needs an integral over the time of leaving takes it
from one function, `_log_left`, in logarithms.

Never here: how a user is told from events (`purchases`), or what they spend (`gamma_gamma`).

References
----------
Schmittlein, Morrison, Colombo (1987), Counting your customers: who are they and what will they do next?, Management
Science 33(1); the form of the likelihood: Fader, Hardie (2005), A note on deriving the Pareto/NBD model and related
expressions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, hyp2f1

from components.evolution.lifecycle.likelihood import Fitted, distinct, maximise
from components.evolution.lifecycle.purchases import Purchases

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ParetoNbd:
    """Parameters, all positive; alpha and beta in the unit of time of the purchases."""

    r: float
    alpha: float
    s: float
    beta: float

    def log_likelihood(self, purchases: Purchases) -> Floats:
        """(U,) nats."""
        counted = gammaln(self.r + purchases.x) - gammaln(self.r)
        given = self.r * np.log(self.alpha) + self.s * np.log(self.beta)
        return counted + given + np.logaddexp(*self._log_alive_or_left(purchases))

    def _log_alive_or_left(self, purchases: Purchases) -> tuple[Floats, Floats]:
        """(U,), (U,) log of the likelihood's parts: alive at T, and left between t_x and T."""
        whole = purchases.T
        alive = -(self.r + purchases.x) * np.log(self.alpha + whole) - self.s * np.log(self.beta + whole)
        return alive, self._log_left(purchases.x, purchases.t_x, whole)

    def _log_left(self, x: Floats, low: Floats, high: Floats) -> Floats:
        """(U,) log ∫ s (α+y)^-(r+x) (β+y)^-(s+1) dy from low to high; -∞ where they are equal.

        The antiderivative is Fader and Hardie's hypergeometric term, by Euler's transformation: what remains is a
        series of positive terms, and what may overflow is a logarithm.
        """
        total = self.r + self.s + x
        near, far = (self._antiderivative(x, at) for at in (low, high))
        with np.errstate(divide="ignore"):  # log 0 = -∞: no time to have left in
            less = np.log(-np.expm1(np.minimum(far - near, 0)))
        return np.log(self.s) - np.log(total) + near + less

    def _antiderivative(self, x: Floats, at: Floats) -> Floats:
        """(U,) log of the integral from `at` to ∞, times (r+s+x)/s."""
        r, s, alpha, beta = self.r, self.s, self.alpha, self.beta
        total = r + s + x
        if alpha >= beta:
            rest = (beta + at) / (alpha + at)
            lifted = -s * np.log(rest) + np.log(hyp2f1(1.0, r + x, total + 1, 1 - rest))
            return lifted - total * np.log(alpha + at)
        rest = (alpha + at) / (beta + at)
        lifted = (1 - r - x) * np.log(rest) + np.log(hyp2f1(1.0, s + 1, total + 1, 1 - rest))
        return lifted - total * np.log(beta + at)

    def p_alive(self, purchases: Purchases) -> Floats:
        """(U,) probability of not having left at T."""
        alive, left = self._log_alive_or_left(purchases)
        return np.exp(alive - np.logaddexp(alive, left))

    def p_active(self, purchases: Purchases, horizon: float) -> Floats:
        """(U,) probability of any occasion within a horizon ≥ 0 that begins where the purchases end.

        A user who is alive stays silent by leaving before the next occasion, or by neither happening.
        """
        x, whole = purchases.x, purchases.T
        end = whole + horizon
        alive, left = self._log_alive_or_left(purchases)
        neither = -(self.r + x) * np.log(self.alpha + end) - self.s * np.log(self.beta + end)
        silent = np.logaddexp(neither, self._log_left(x, whole, end))
        return np.exp(alive - np.logaddexp(alive, left)) * -np.expm1(np.minimum(silent - alive, 0))

    def expected(self, purchases: Purchases, horizon: float) -> Floats:
        """(U,) expected occasions within a horizon; finite for every s."""
        lasting = self.beta + purchases.T
        spread = np.log1p(horizon / lasting)
        power = (self.s - 1) * spread
        # (1 - e^-p)/(s-1), whose limit at s = 1 is the logarithm itself
        weeks = lasting * spread * np.where(np.abs(power) > 0, -np.expm1(-power) / np.where(power == 0, 1, power), 1)
        return self.p_alive(purchases) * (self.r + purchases.x) / (self.alpha + purchases.T) * weeks


def fit_pareto_nbd(purchases: Purchases) -> Fitted[ParetoNbd]:
    """Maximum likelihood; users with equal histories are counted together.

    Raises
    ------
    TrainingError
        The likelihood has no finite value.
    """
    (x, t_x, whole), weight = distinct(purchases.x, purchases.t_x, purchases.T)
    rows = Purchases(x, t_x, whole, np.zeros_like(x), np.zeros_like(x))
    scale = max(float(np.dot(weight, whole) / weight.sum()), 1e-9) / 4
    starts = [[0.5, scale, 0.5, scale], [1.0, scale, 1.0, 4 * scale]]
    return maximise(ParetoNbd, lambda model: model.log_likelihood(rows), weight, starts)

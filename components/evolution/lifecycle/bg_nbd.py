"""BG/NBD: users come at random at their own rate, and after any occasion may leave for good.

Occasions while alive are Poisson at rate λ ~ Gamma(r, α); after each repeat occasion a user leaves with probability
p ~ Beta(a, b). A user without a repeat occasion is alive with certainty under this model, so `p_alive` must not rank
who comes again: `p_active` does.

Never here: how a user is told from events (`purchases`), or what they spend (`gamma_gamma`).

References
----------
Fader, Hardie, Lee (2005), "Counting your customers" the easy way: an alternative to the Pareto/NBD model, Marketing
Science 24(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, gammaln, hyp2f1

from components.evolution.lifecycle.likelihood import Fitted, distinct, maximise
from components.evolution.lifecycle.purchases import Purchases

Floats = NDArray[np.float64]
_NEAR_ONE = 1e-4  # of a: the expectation is regular there, its formula is 0/0


@dataclass(frozen=True)
class BgNbd:
    """Parameters, all positive; alpha in the unit of time of the purchases."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, purchases: Purchases) -> Floats:
        """(U,) nats (equation 6 of the paper), in logarithms throughout."""
        x = purchases.x
        counted = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha)
        stays = betaln(self.a, self.b + x) - betaln(self.a, self.b)
        alive = -(self.r + x) * np.log(self.alpha + purchases.T)
        return counted + stays + alive + np.logaddexp(0, self._log_odds_gone(purchases))

    def _log_odds_gone(self, purchases: Purchases) -> Floats:
        """(U,) log odds that a user has left; -∞ without a repeat occasion."""
        x, r = purchases.x, self.r
        silent = (r + x) * np.log((self.alpha + purchases.T) / (self.alpha + purchases.t_x))
        left = np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1)
        return np.where(x > 0, left + silent, -np.inf)

    def p_alive(self, purchases: Purchases) -> Floats:
        """(U,) probability of not having left; 1 for every user without a repeat occasion."""
        return expit(-self._log_odds_gone(purchases))

    def p_active(self, purchases: Purchases, horizon: float) -> Floats:
        """(U,) probability of any occasion within a horizon ≥ 0 that begins where the purchases end."""
        silent = (self.r + purchases.x) * np.log1p(horizon / (self.alpha + purchases.T))
        return self.p_alive(purchases) * -np.expm1(-silent)

    def expected(self, purchases: Purchases, horizon: float) -> Floats:
        """(U,) expected occasions within a horizon (equation 10).

        The hypergeometric function is taken by Euler's transformation: its exponents then do not grow with x.
        """
        if abs(self.a - 1) < _NEAR_ONE:  # the mean of both sides errs by the square of the distance
            sides = [BgNbd(self.r, self.alpha, a, self.b) for a in (1 - _NEAR_ONE, 1 + _NEAR_ONE)]
            return np.asarray(0.5 * sum(one._expected_alive(purchases, horizon) for one in sides)) * self.p_alive(
                purchases
            )
        return self._expected_alive(purchases, horizon) * self.p_alive(purchases)

    def _expected_alive(self, purchases: Purchases, horizon: float) -> Floats:
        a, b, r, x = self.a, self.b, self.r, purchases.x
        z = horizon / (self.alpha + purchases.T + horizon)
        tail = (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, a + b + x - 1, z)
        return np.asarray((a + b + x - 1) / (a - 1) * (1 - tail))


def fit_bg_nbd(purchases: Purchases) -> Fitted[BgNbd]:
    """Maximum likelihood; users with equal histories are counted together.

    Raises
    ------
    TrainingError
        The likelihood has no finite value.
    """
    (x, t_x, whole), weight = distinct(purchases.x, purchases.t_x, purchases.T)
    rows = Purchases(x, t_x, whole, np.zeros_like(x), np.zeros_like(x))
    scale = max(float(np.dot(weight, whole) / weight.sum()), 1e-9) / 8  # a unit of time is the caller's choice
    starts = [[0.5, scale, 1.0, 2.0], [1.0, 2 * scale, 0.3, 3.0]]
    return maximise(BgNbd, lambda model: model.log_likelihood(rows), weight, starts)

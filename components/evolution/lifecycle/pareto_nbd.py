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
from scipy.special import gammaln

from components.evolution.lifecycle.likelihood import Fitted, distinct, maximise
from components.evolution.lifecycle.purchases import Purchases

Floats = NDArray[np.float64]
_NODES, _WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(32))
_NODES = _NODES + 0.5  # on 0 … 1
_NEGLIGIBLE = 45.0  # nats: what an integrand that has fallen by so much adds is beyond float64


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

        Gauss–Legendre in log(y + the smaller of α and β), where the integrand is smooth at every scale, over the part
        that is not negligible. The hypergeometric form of the same integral (Fader, Hardie 2005) is a difference of
        large numbers, and slow to sum where α and β are far apart.
        """
        sides = sorted([(self.alpha, self.r + x), (self.beta, np.full_like(x, self.s + 1))], key=lambda side: side[0])
        (near, near_power), (far, far_power) = ((start + low, power) for start, power in sides)
        spent = [
            at * np.expm1(np.minimum(_NEGLIGIBLE / power, 700)) for at, power in ((near, near_power), (far, far_power))
        ]
        length = np.log1p(np.minimum(high - low, np.minimum(*spent)) / near)
        step = length[:, None] * _NODES  # (U, nodes) log((y + near) / (low + near))
        ahead = np.log1p(near[:, None] * np.expm1(step) / far[:, None])
        inside = np.exp((1 - near_power)[:, None] * step - far_power[:, None] * ahead) @ _WEIGHTS
        with np.errstate(divide="ignore"):  # log 0 = -∞: no time to have left in
            summed = np.log(length * inside)
        return np.log(self.s) + summed + (1 - near_power) * np.log(near) - far_power * np.log(far)

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

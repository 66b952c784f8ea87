"""Gamma–Gamma: what a user's occasions are worth, pulled to everyone's mean where little of theirs is known.

Values of one user are Gamma(p, ν) with ν ~ Gamma(q, γ) over users, and do not depend on how often the user comes: look
at the correlation of both (`dependence`) before believing it.

Never here: how often a user comes.

References
----------
Fader, Hardie (2013), The gamma-gamma model of monetary value; Colombo, Jiang (1999), A stochastic RFM model, Journal of
Interactive Marketing 13(3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from components.errors import DataError
from components.evolution.lifecycle.likelihood import Fitted, maximise
from components.evolution.lifecycle.purchases import Purchases

Floats = NDArray[np.float64]
_FEWEST = 10  # users with a valued repeat occasion; three parameters tell nothing of fewer


@dataclass(frozen=True)
class GammaGamma:
    """Parameters, all positive; gamma in the unit of the values."""

    p: float
    q: float
    gamma: float

    def log_likelihood(self, purchases: Purchases) -> Floats:
        """(U,) nats of the mean value of those with valued > 0."""
        p, q, gamma, x, mean = self.p, self.q, self.gamma, purchases.valued, purchases.mean_value
        shape = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        return shape + (p * x - 1) * np.log(mean) + p * x * np.log(x) - (p * x + q) * np.log(gamma + x * mean)

    def expected_value(self, purchases: Purchases) -> Floats:
        """(U,) expected value of an occasion; everyone's mean for a user without valued ones.

        NaN where it is infinite (q ≤ 1, and little known of the user).
        """
        p, q, x = self.p, self.q, purchases.valued
        spent = np.where(x > 0, x * np.nan_to_num(purchases.mean_value), 0.0)
        below = p * x + q - 1
        return np.where(below > 0, p * (self.gamma + spent) / np.where(below > 0, below, 1), np.nan)


def fit_gamma_gamma(purchases: Purchases) -> Fitted[GammaGamma]:
    """Maximum likelihood over the users with valued repeat occasions.

    Raises
    ------
    DataError
        There are hardly any.
    TrainingError
        The likelihood has no finite value.
    """
    known = _valued(purchases)
    if len(known) < _FEWEST:
        raise DataError(
            f"at least {_FEWEST} users with repeat occasions of positive value",
            found=f"{len(known)} of {len(purchases)}",
            do="Leave values out, or take a longer log.",
        )
    mean = float(np.average(known.mean_value, weights=known.valued))
    return maximise(
        GammaGamma, lambda m: m.log_likelihood(known), np.ones(len(known)), [[2.0, 3.0, mean], [6, 4, mean / 2]]
    )


def dependence(purchases: Purchases) -> float:
    """Pearson correlation of log frequency and log mean value, −1 … 1, NaN with nothing to tell it; assumed to be 0."""
    known = _valued(purchases)
    if len(known) < _FEWEST or np.ptp(known.valued) == 0 or np.ptp(known.mean_value) == 0:
        return float("nan")
    return float(np.corrcoef(np.log(known.valued), np.log(known.mean_value))[0, 1])


def _valued(purchases: Purchases) -> Purchases:
    keep = purchases.valued > 0
    columns = (purchases.x, purchases.t_x, purchases.T, purchases.valued, purchases.mean_value)
    return Purchases(*(column[keep] for column in columns))

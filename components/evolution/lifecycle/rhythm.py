"""A user's own rhythm: how long their pauses are, as far as their pauses tell and otherwise as everyone's.

Log-pauses are normal-like about a mean of the user's own; the means scatter over users. A user's mean is shrunk to
everyone's by how much one pause tells of it (empirical Bayes); how far a single pause strays from the user's mean is
a quantile over everyone. A pause counts once it has ended: "silent longer than 95 % of the pauses that ended".

Never here: what a silence means (`states`).

References
----------
Efron, Morris (1975), Data analysis using Stein's estimator and its generalizations, JASA 70; variance components by
moments: Searle, Casella, McCulloch (1992), Variance Components, chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.lifecycle.occasions import Occasions

Floats = NDArray[np.float64]
_FEWEST = 20  # pauses; a quantile near 1 tells nothing of fewer
_ROUNDING = 1e-6  # of a unit: who always comes after seven days is not late on the seventh
_PURE = 1e9  # pull where users do not differ: the own mean is not believed at all


@dataclass(frozen=True)
class Rhythm:
    """What everyone's pauses are like.

    Attributes
    ----------
    mean : of log-pauses (pauses in units) of a user, over users
    pull : how many pauses everyone's mean weighs, variance within users over that between them; > 0
    stray : ascending log-distances from the user's own mean that the quantiles of `fit_rhythm` of all pauses stay below
    pauses : that it was learned from
    """

    mean: float
    pull: float
    stray: tuple[float, ...]
    pauses: int

    def limits(self, log_sum: Floats, count: NDArray[np.int64]) -> Floats:
        """Longest silences, in whole units, that do not pass each quantile.

        Parameters
        ----------
        log_sum, count : (...) sum of a user's log-pauses, and how many

        Returns
        -------
        (..., quantiles), ascending along the last axis; at least 1
        """
        own = (log_sum + self.pull * self.mean) / (count + self.pull)
        longest = np.floor(np.exp(own[..., None] + np.array(self.stray)) + _ROUNDING)
        return np.maximum(longest, 1.0)


def fit_rhythm(occasions: Occasions, before: int, quantiles: tuple[float, ...]) -> Rhythm:
    """Learn everyone's rhythm from the pauses that ended before a unit.

    Parameters
    ----------
    occasions : Occasions
    before : pauses that end in or after this unit are not looked at
    quantiles : ascending, within (0, 1), of pauses about the user's own mean

    Returns
    -------
    Rhythm

    Raises
    ------
    DataError
        Fewer than 20 pauses have ended.
    """
    rows = np.flatnonzero((occasions.gap > 0) & (occasions.unit < before))
    if len(rows) < _FEWEST:
        raise DataError(
            f"at least {_FEWEST} pauses that ended before unit {before}",
            found=str(len(rows)),
            do="Choose later moments, a shorter unit, or a longer log.",
        )
    user, log_gap = occasions.user[rows], np.log(occasions.gap[rows])
    count = np.bincount(user, minlength=occasions.n_users)
    log_sum = np.bincount(user, log_gap, occasions.n_users).astype(np.float64)
    mean, pull = _components(log_gap, user, log_sum, count)
    # the own mean of the other pauses of the user: a pause is near a mean that holds it
    others = (log_sum[user] - log_gap + pull * mean) / (count[user] - 1 + pull)
    stray = np.quantile(log_gap - others, quantiles)
    return Rhythm(mean, pull, tuple(float(one) for one in stray), len(rows))


def _components(
    log_gap: Floats, user: NDArray[np.int64], log_sum: Floats, count: NDArray[np.int64]
) -> tuple[float, float]:
    """Mean over users, and variance within users over that between them (one-way random effects, by moments)."""
    known = count > 0
    users, total = int(known.sum()), int(count.sum())
    own = log_sum[known] / count[known]
    within_sum = float(np.sum((log_gap - (log_sum / np.maximum(count, 1))[user]) ** 2))
    if total == users:  # one pause each: nothing tells own from everyone's
        return float(own.mean()), 1.0
    within = within_sum / (total - users)
    grand = float(log_gap.mean())
    size = (total - float(np.sum(count[known].astype(float) ** 2)) / total) / max(users - 1, 1)
    between = (float(np.sum(count[known] * (own - grand) ** 2)) / max(users - 1, 1) - within) / max(size, 1e-12)
    pull = min(max(within / between, 1 / _PURE), _PURE) if between > 0 else _PURE
    weight = count[known] / (count[known] + pull)  # precision of each own mean, up to a factor
    return float(np.average(own, weights=weight)), pull

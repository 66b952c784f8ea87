"""Figures of users weighed together: one score a user, the larger the stranger, and what chance gives so large.

ECOD asks how far out each figure lies among all; the forest how soon a user stands alone; the tails, how rare the
rarest figure is if the bulk goes on as it does within one deviation;
a history that turns is a score of its own. Never here: what users do (`behaviour`).

References: Li et al. (2022), ECOD: unsupervised outlier detection using empirical cumulative distribution functions;
Liu, Ting, Zhou (2008), Isolation forest; Benjamini, Hochberg (1995).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata, skew, t

from components.evolution.significance import adjusted

Floats = NDArray[np.float64]
#: As in trends/unusual: users for each degree of freedom of a spread read off the middle and the upper flank.
_USERS_A_FREEDOM = 4.4
_FLANK, _FAR = 0.8413, 0.95
_TREES, _SAMPLE = 200, 256
_MOST = 500.0  # nats, beyond which an exponential is 0


def ecod(deviation: Floats) -> Floats:
    """(V,) sums over figures of −log of the emptier tail: left, right, or the one that the skewness points to.

    Parameters
    ----------
    deviation : (V, F)
    """
    n = len(deviation)
    left = -np.log(rankdata(deviation, method="max", axis=0) / n)
    right = -np.log(rankdata(-deviation, method="max", axis=0) / n)
    lean = np.nan_to_num(skew(deviation, axis=0))
    pointed = np.where(lean < 0, left, np.where(lean > 0, right, left + right))
    return np.asarray(np.maximum(np.maximum(left, right), pointed).sum(1))


def forest(deviation: Floats, seed: int) -> Floats:
    """(V,) scores of an isolation forest, in 0..1."""
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(n_estimators=_TREES, max_samples=min(_SAMPLE, len(deviation)), random_state=seed, n_jobs=1)
    return -np.asarray(model.fit(deviation).score_samples(deviation), np.float64)


def tails(deviation: Floats) -> Floats:
    """(V,) size of the largest deviation of any figure."""
    return np.asarray(np.abs(deviation).max(1)) if deviation.shape[1] else np.zeros(len(deviation))


def chance(score: Floats) -> Floats:
    """(V,) chance of a score at least so large among users like most, from the bulk of all.

    The logarithm of scores is taken to be normal in its bulk, as wide as the wider of two quantiles says; a twentieth
    of the users may be strange.
    """
    return _beyond(np.log(np.maximum(score, 1e-30)))


def turned(score: Floats, looks: NDArray[np.int64]) -> Floats:
    """(V,) the same of log-likelihood ratios, which are taken to be normal themselves; 1 where there is none (NaN).

    Nor is it smaller than what a ratio says by itself: chance gives one of x or more with 1 / x at most (Markov's
    inequality), in each of the `looks` (V,) at a history.
    """
    p, known = np.ones(len(score)), np.isfinite(score)
    if known.any():
        least = looks[known] * np.exp(-np.clip(score[known], 0.0, _MOST))
        p[known] = np.minimum(np.maximum(_beyond(score[known]), least), 1.0)
    return p


def _beyond(size: Floats) -> Floats:
    middle, flank, far = np.quantile(size, [0.5, _FLANK, _FAR])
    spread = max(float(flank - middle), float(far - middle) / float(norm.ppf(_FAR)), 1e-6)
    return np.asarray(t.sf((size - middle) / spread, max(len(size) / _USERS_A_FREEDOM, 1.0)))


def any_chance(chances: Sequence[Floats]) -> Floats:
    """(V,) chance of the rarest of several of a user (Bonferroni)."""
    return np.asarray(np.minimum(1.0, len(chances) * np.stack(list(chances)).min(0)))


def strange(p: Floats, level: float) -> NDArray[np.bool_]:
    """(V,) users beyond chance, a share of at most `level` of them falsely (Benjamini–Hochberg)."""
    return np.asarray(adjusted(p) <= level)

"""The chance that a user is silent for a whole horizon: calibrated on an earlier origin, judged on a later one.

At a moment, a scorer is also asked one horizon earlier; what it said then is held against what happened since, and
that correction is applied to what it says now. Nothing of the horizon that is judged is ever looked at.

Never here: how a score comes about (`scorers`).

References
----------
Platt (1999), Probabilistic outputs for support vector machines; Zadrozny, Elkan (2002), Transforming classifier scores
into accurate multiclass probability estimates (isotonic); Niculescu-Mizil, Caruana (2005), Predicting good
probabilities with supervised learning.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from components.errors import ConfigError, DataError
from components.evolution.lifecycle.measures import CHANCES, Verdict, compare
from components.evolution.lifecycle.occasions import Occasions
from components.evolution.lifecycle.scorers import LEARNERS, PROBABLE, active, scorer

Floats = NDArray[np.float64]
Calibration = Literal["none", "isotonic", "platt"]
BASE_RATE = "base_rate"
AS_SAID = ", as said"


def p_churn(occasions: Occasions, moment: int, horizon: int, name: str, calibration: Calibration) -> Floats:
    """Calibrated chance of no occasion in units moment … moment+horizon-1.

    Parameters
    ----------
    occasions : Occasions
        Those in or after the moment change nothing.
    moment, horizon : units
    name : of a scorer; "base_rate" says of everyone what share was silent in the horizon before the moment
    calibration : isotonic (any rising curve), platt (a logistic one, for few users), none (what the model says)

    Returns
    -------
    (U,) of the users of `occasions.before(moment)`, within [0, 1]

    Raises
    ------
    DataError
        The log does not reach back far enough: one horizon before the moment to calibrate, one more for a scorer that
        learns from labels.
    ConfigError
        There is no such scorer, or it says no probability of its own.
    """
    if name == BASE_RATE:
        _reaches(occasions, moment, horizon, name)
        return np.full(occasions.before(moment).n_users, 1 - active(occasions, moment - horizon, horizon).mean())
    if calibration == "none" and name not in PROBABLE:
        raise ConfigError(f"a scorer among {', '.join(sorted(PROBABLE))}", found=f"`{name}`", do="Calibrate it.")
    now = scorer(name)(occasions, moment, horizon)
    return expit(-now) if calibration == "none" else _corrected(occasions, moment, horizon, name, now, calibration)


def _corrected(
    occasions: Occasions, moment: int, horizon: int, name: str, now: Floats, calibration: Calibration
) -> Floats:
    """(V,) chances of silence from scores `now`, by what the scorer said one horizon earlier and what came of it."""
    _reaches(occasions, moment, horizon, name)
    past = moment - horizon
    said, came = scorer(name)(occasions, past, horizon), active(occasions, past, horizon)
    return 1 - calibrated(said, came, now, calibration)


def _reaches(occasions: Occasions, moment: int, horizon: int, name: str) -> None:
    reach = 2 if name in LEARNERS else 1
    if moment - reach * horizon <= occasions.unit.min():
        raise DataError(
            f"occasions more than {reach * horizon} units before unit {moment}, to calibrate {name} by",
            found=f"the first in unit {int(occasions.unit.min())}",
            do="Take a shorter horizon, or a longer log.",
        )


def calibrated(said: Floats, came: NDArray[np.bool_], now: Floats, calibration: Calibration) -> Floats:
    """Probabilities of scores `now` (V,), by what came of scores `said` (U,) before; rising with the score."""
    if came.all() or not came.any():
        return np.full(len(now), float(came.mean()))
    if calibration == "isotonic":
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(said, came.astype(float))
        return np.asarray(curve.predict(now), np.float64)
    centre, spread = said.mean(), max(float(said.std()), 1e-9)
    line = LogisticRegression(C=1e6).fit(((said - centre) / spread)[:, None], came)
    return np.asarray(line.predict_proba(((now - centre) / spread)[:, None])[:, 1])


def judge_churn(
    occasions: Occasions,
    moment: int,
    horizon: int,
    names: tuple[str, ...],
    calibration: Calibration,
    draws: int,
    confidence: float,
    seed: int,
) -> list[Verdict]:
    """Judge calibrated chances of churn at a moment whose horizon is over; differences are to recency.

    Parameters
    ----------
    occasions : Occasions
    moment, horizon : units; moment + horizon ≤ occasions.end
    names : scorers; recency, frequency and the base rate are always among those judged
    calibration : see `p_churn`; not none
    draws, confidence, seed : of the bootstrap over users

    Returns
    -------
    list of Verdict
        auc, brier, ece, log_loss of each; a model's own probabilities stand beside the calibrated ones as
        "<name>, as said": where fewer come with every horizon, an earlier origin may mislead.

    Raises
    ------
    DataError
        The horizon is not over, or the log does not reach back far enough.
    """
    if moment + horizon > occasions.end:
        raise DataError(
            f"a log until unit {moment + horizon}",
            found=f"its end at unit {occasions.end}",
            do="Take an earlier moment.",
        )
    silent = (~active(occasions, moment, horizon)).astype(np.float64)
    said = {BASE_RATE: p_churn(occasions, moment, horizon, BASE_RATE, calibration)}
    for name in dict.fromkeys(("recency", "frequency", *names)):
        now = scorer(name)(occasions, moment, horizon)
        said[name] = _corrected(occasions, moment, horizon, name, now, calibration)
        if name in PROBABLE:
            said[f"{name}{AS_SAID}"] = expit(-now)
    return compare(silent, said, "recency", CHANCES, draws, confidence, seed)

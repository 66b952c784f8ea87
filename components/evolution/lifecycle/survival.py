"""How long until the next occasion, or until a user is lost; those for whom it has not happened yet are counted too.

Kaplan–Meier curves and Cox regression by lifelines, which is imported here alone and when needed (it costs a second).

Never here: a state (`states`), or a probability that was calibrated (`churn`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError, TrainingError
from components.evolution.lifecycle.occasions import Occasions
from components.evolution.lifecycle.rhythm import Rhythm
from components.evolution.lifecycle.states import limits_of

Floats = NDArray[np.float64]
_SIGNIFICANT = 0.05  # p below which hazards are said not to be proportional


@dataclass(frozen=True)
class Durations:
    """Time at risk of U users, in units.

    Attributes
    ----------
    time : (U,) until it happened, or until the user was last watched
    happened : (U,) false: censored
    """

    time: Floats
    happened: NDArray[np.bool_]


def until_next(occasions: Occasions, moment: int, end: int) -> Durations:
    """From a moment to the next occasion, of the users of `occasions.before(moment)`; watched until `end`.

    An occasion in the unit of the moment itself is one unit away.
    """
    count = occasions.count_before(np.array([moment, end]))
    known = count[:, 0] > 0
    happened = (count[:, 1] > count[:, 0])[known]
    row = np.minimum((occasions.offsets[:-1] + count[:, 0])[known], len(occasions.unit) - 1)
    return Durations(np.where(happened, occasions.unit[row] - moment + 1, end - moment).astype(np.float64), happened)


def until_second(occasions: Occasions, end: int) -> Durations:
    """From the first occasion to the second, of the users of `occasions.before(end)`."""
    known = occasions.before(end)
    start = known.offsets[:-1]
    happened = np.diff(known.offsets) > 1
    row = np.minimum(start + 1, len(known.unit) - 1)
    return Durations(np.where(happened, known.gap[row], end - 1 - known.unit[start]).astype(np.float64), happened)


def until_churned(occasions: Occasions, end: int, rhythm: Rhythm) -> Durations:
    """From the first occasion to the first moment at which the user is churned (`states.states_at`).

    The date is that of passing the limit, not of the last occasion before: only so is it known when it happens, and
    nobody who will come again is counted as lost in hindsight. Who comes again later was churned all the same.
    """
    known = occasions.before(end)
    first, limit = known.unit[known.offsets[:-1]], limits_of(known, rhythm).after[:, 2]
    following = np.append(known.unit[1:], end)
    following[known.offsets[1:] - 1] = end
    rows = np.flatnonzero(following - known.unit > limit)
    user, at = np.unique(known.user[rows], return_index=True)
    time = (end - first).astype(np.float64)
    time[user] = known.unit[rows[at]] + limit[rows[at]] + 1 - first[user]
    happened = np.zeros(known.n_users, bool)
    happened[user] = True
    return Durations(time, happened)


def kaplan_meier(durations: Durations, confidence: float, group: NDArray[np.object_] | None = None) -> pl.DataFrame:
    """Share to whom it has not happened yet, with pointwise bands (Greenwood's variance on the log-log scale).

    Parameters
    ----------
    durations : (U,)
    confidence : of the bands
    group : (U,) names; a curve each. None: one curve, "all"

    Returns
    -------
    pl.DataFrame
        group, time (units), at_risk, happened, censored, survival, low, high: a row for each time at which anything
        happens or anyone is lost sight of.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53; Kalbfleisch, Prentice (1980).
    """
    from lifelines import KaplanMeierFitter

    names = np.full(len(durations.time), "all", object) if group is None else group
    parts = []
    for name in np.unique(names.astype(str)):
        rows = names.astype(str) == name
        curve = KaplanMeierFitter(alpha=1 - confidence).fit(durations.time[rows], durations.happened[rows])
        table, band = curve.event_table, curve.confidence_interval_survival_function_
        parts.append(
            pl.DataFrame(
                {
                    "group": [name] * len(table),
                    "time": table.index.to_numpy(np.float64),
                    "at_risk": table["at_risk"].to_numpy(np.int64),
                    "happened": table["observed"].to_numpy(np.int64),
                    "censored": table["censored"].to_numpy(np.int64),
                    "survival": curve.survival_function_.to_numpy()[:, 0],
                    "low": band.to_numpy()[:, 0],
                    "high": band.to_numpy()[:, 1],
                }
            )
        )
    return pl.concat(parts)


def log_rank(durations: Durations, group: NDArray[np.object_]) -> float:
    """p of all groups having one curve (log-rank; Mantel 1966); NaN for one group."""
    from lifelines.statistics import multivariate_logrank_test

    if len(np.unique(group.astype(str))) < 2:
        return float("nan")
    return float(multivariate_logrank_test(durations.time, group.astype(str), durations.happened).p_value)


@dataclass(frozen=True)
class Cox:
    """A fitted proportional-hazards model.

    Attributes
    ----------
    table : covariate, hazard_ratio (of one standard deviation), low, high, p, proportional_p, proportional
    concordance : share of pairs in the right order, on what it was fitted on; ½ for guessing
    users, happened : how many
    verdict : whether hazards are proportional, in words
    """

    table: pl.DataFrame
    concordance: float
    users: int
    happened: int
    verdict: str
    _fitter: object
    _names: tuple[str, ...]
    _centre: Floats
    _spread: Floats

    def p_happened(self, traits: dict[str, Floats], time: float) -> Floats:
        """(U,) probability that it happens within a time that the fit has seen the end of."""
        frame = _frame(traits, self._names, self._centre, self._spread)
        return 1 - self._fitter.predict_survival_function(frame, times=[time]).to_numpy()[0]  # type: ignore[attr-defined]


def fit_cox(durations: Durations, traits: dict[str, Floats], confidence: float) -> Cox:
    """Cox regression of durations on standardised traits, with the check of its assumption.

    Parameters
    ----------
    durations : (U,)
    traits : name → (U,) what was known when the time began; constants are left out
    confidence : of the intervals

    Returns
    -------
    Cox
        proportional_p is of the scaled Schoenfeld residuals against the rank of time; where it is small, the ratio
        changes with time.

    Raises
    ------
    DataError
        Nothing happened, or no trait differs between users.
    TrainingError
        The regression did not converge.

    References
    ----------
    Cox (1972), Regression models and life-tables, JRSS B 34; Grambsch, Therneau (1994), Proportional hazards tests and
    diagnostics based on weighted residuals, Biometrika 81; ties: Efron (1977), JASA 72.
    """
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError
    from lifelines.statistics import proportional_hazard_test

    names = tuple(name for name, values in traits.items() if np.ptp(values) > 0)
    if not names or not durations.happened.any():
        raise DataError(
            "events, and traits that differ",
            found=f"{int(durations.happened.sum())} events, {len(names)} traits",
            do="Take an earlier moment, or a longer log.",
        )
    centre = np.array([traits[name].mean() for name in names])
    scale = np.array([traits[name].std() for name in names])
    frame = _frame(traits, names, centre, scale).assign(time=durations.time, happened=durations.happened)
    try:
        fitter = CoxPHFitter(alpha=1 - confidence).fit(frame, "time", "happened")
    except ConvergenceError as error:
        raise TrainingError(
            "a Cox regression that converges",
            found=str(error).split("\n")[0],
            do="Leave out traits that tell the same.",
        ) from error
    check = proportional_hazard_test(fitter, frame, time_transform="rank").summary["p"]
    p_proportional = np.array([float(check.loc[name]) for name in names])
    found, bounds = fitter.summary.loc[list(names)], np.exp(fitter.confidence_intervals_.loc[list(names)].to_numpy())
    table = pl.DataFrame(
        {
            "covariate": list(names),
            "hazard_ratio": found["exp(coef)"].to_numpy(np.float64),
            "low": bounds[:, 0],
            "high": bounds[:, 1],
            "p": found["p"].to_numpy(np.float64),
            "proportional_p": p_proportional,
            "proportional": p_proportional >= _SIGNIFICANT,
        }
    )
    happened = int(durations.happened.sum())
    return Cox(
        table, float(fitter.concordance_index_), len(frame), happened, _verdict(table), fitter, names, centre, scale
    )


def _frame(traits: dict[str, Floats], names: tuple[str, ...], centre: Floats, scale: Floats):  # type: ignore[no-untyped-def]
    import pandas as pd

    return pd.DataFrame({name: (traits[name] - centre[i]) / scale[i] for i, name in enumerate(names)})


def _verdict(table: pl.DataFrame) -> str:
    changing = table.filter(~pl.col("proportional"))["covariate"].to_list()
    if not changing:
        return "No sign against proportional hazards (Schoenfeld residuals, 5 %)."
    return (
        f"Hazards are not proportional in {', '.join(changing)} (Schoenfeld residuals, 5 %): "
        "read the ratio as a mean over the time watched."
    )

"""The life cycle of a log's users, whole: where they stand, how they move, who will be lost, what to expect of each.

What is judged is judged on the newest horizon, which nothing that is judged has seen; what is told of users now is
fitted anew on everything. A log too short for a part leaves that part empty, and says why.

Never here: a method of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError, TrainingError
from components.evolution.lifecycle import tables
from components.evolution.lifecycle.backtest import backtest
from components.evolution.lifecycle.churn import judge_churn, p_churn
from components.evolution.lifecycle.customer_base import CustomerBase, fit_customer_base, judge_customer_base
from components.evolution.lifecycle.occasions import Occasions, occasions_of
from components.evolution.lifecycle.purchases import purchases_of
from components.evolution.lifecycle.rhythm import Rhythm, fit_rhythm
from components.evolution.lifecycle.scorers import PROBABLE, traits
from components.evolution.lifecycle.states import STATES, states_at
from components.evolution.lifecycle.survival import (
    Durations,
    fit_cox,
    kaplan_meier,
    until_churned,
    until_next,
    until_second,
)
from components.evolution.lifecycle.transitions import chain, count_moves, forecast, transitions
from components.features.store import Store
from components.params import LifecycleParams


@dataclass(frozen=True)
class Lifecycle:
    """Tables of the life cycle; those without rows say why among the notes.

    Attributes
    ----------
    states : moment, state, users, share, suppressed
    transitions : from, to, users, moves, probability, low, high, suppressed
    forecast : moment, step, state, users, as_last_time, suppressed
    backtest : steps, method, metric, value … of forecasts of states
    parameters : model, parameter, value, standard_error, low, high, log_likelihood, aic, users
    judged : what, method, measure, value, low, high, difference …: occasions, comes_again, value, and churn, on the
        newest horizon
    survival : what (second, churned), group, time (units), survival, low, high, at_risk, happened, censored
    hazards : of the time to the next occasion: covariate, hazard_ratio, low, high, p, proportional_p, proportional
    by_state : state, users, means of what `users` says, suppressed
    users : user_id, state, p_alive, p_active, expected_occasions, value_per_occasion, expected_value, p_churn; of
        single people, not for a report
    notes : what to know when reading them
    """

    states: pl.DataFrame
    transitions: pl.DataFrame
    forecast: pl.DataFrame
    backtest: pl.DataFrame
    parameters: pl.DataFrame
    judged: pl.DataFrame
    survival: pl.DataFrame
    hazards: pl.DataFrame
    by_state: pl.DataFrame
    users: pl.DataFrame
    notes: tuple[str, ...]


def lifecycle(log: Store | pl.DataFrame, params: LifecycleParams, seed: int, zone: str = "UTC") -> Lifecycle:
    """Tell the life cycle of a log's users.

    Parameters
    ----------
    log, zone : Store or pl.DataFrame, and IANA time zone
        See `occasions.occasions_of`.
    params : LifecycleParams
    seed : of every draw

    Returns
    -------
    Lifecycle

    Raises
    ------
    SchemaError, DataError
        The log has not what is needed, or too little of it to tell anyone's rhythm.
    """
    occasions = occasions_of(log, params.unit_s, params.actions, zone)
    moments = moments_of(occasions, params)
    origin = max(1, len(moments) - max(params.steps) - params.origins)
    rhythm = fit_rhythm(occasions, int(moments[min(origin, len(moments) - 1)]), params.limits)
    states = states_at(occasions, moments, rhythm, params.fresh)
    notes: list[str] = []
    curves, hazards = _survival(occasions, rhythm, params, notes)
    base = fit_customer_base(occasions, occasions.end)
    users = _users(occasions, base, states[:, -1], params, notes)
    return Lifecycle(
        states=tables.states_table(states, moments, params.unit_s, params.min_users),
        transitions=tables.transitions_table(transitions(states, params.confidence), params.min_users),
        forecast=_forecast(states, moments, params),
        backtest=_or_note(lambda: _backtest(states, params, seed), "The forecast of states was not judged", notes),
        parameters=base.parameters(params.confidence),
        judged=_judged(occasions, params, notes, seed),
        survival=curves,
        hazards=hazards,
        by_state=tables.by_state(users, params.min_users),
        users=users,
        notes=(*notes, *_assumptions(base)),
    )


def moments_of(occasions: Occasions, params: LifecycleParams) -> NDArray[np.int64]:
    """(M,) units at which states are told, the last one the end of the log.

    Raises
    ------
    DataError
        The log is shorter than one step between moments.
    """
    moments = occasions.end - params.every * np.arange(params.moments)[::-1]
    moments = moments[moments > occasions.unit.min()]
    if len(moments) < 2:
        raise DataError(
            f"a log longer than {params.every} units",
            found=f"{occasions.end - int(occasions.unit.min())} units",
            do="Tell states more often, or take a longer log.",
        )
    return np.asarray(moments, np.int64)


def _forecast(states: NDArray[np.int8], moments: NDArray[np.int64], params: LifecycleParams) -> pl.DataFrame:
    learned = states[:, max(0, states.shape[1] - 1 - params.chain_moves) :]
    moving = chain(count_moves(learned, np.ones(len(states))))
    now = np.bincount(states[:, -1], minlength=len(STATES))[1:]
    expected = forecast(moving, now, max(params.steps))
    dates = [tables.date_of(int(moments[-1]) + k * params.every, params.unit_s) for k in range(len(expected))]
    return tables.forecast_table(expected, dates, params.min_users)


def _backtest(states: NDArray[np.int8], params: LifecycleParams, seed: int) -> pl.DataFrame:
    return tables.backtest_table(
        backtest(
            states,
            params.steps,
            params.origins,
            params.chain_moves,
            params.bootstrap,
            params.confidence,
            seed,
        )
    )


def _judged(occasions: Occasions, params: LifecycleParams, notes: list[str], seed: int) -> pl.DataFrame:
    moment, horizon = occasions.end - params.horizon, params.horizon
    draw = (params.bootstrap, params.confidence, seed)

    def counts() -> pl.DataFrame:
        found = judge_customer_base(occasions, moment, horizon, *draw)
        return pl.concat([_named(what, tables.verdicts_table(verdicts)) for what, verdicts in found.items()])

    def churn() -> pl.DataFrame:
        names = tuple(dict.fromkeys((params.churn, *sorted(PROBABLE))))
        calibration = "isotonic" if params.calibration == "none" else params.calibration
        return _named(
            "churn", tables.verdicts_table(judge_churn(occasions, moment, horizon, names, calibration, *draw))
        )

    parts = [
        _or_note(counts, "What models expect was not judged", notes),
        _or_note(churn, "Chances of churn were not judged", notes),
    ]
    return pl.concat([part for part in parts if part.height] or [pl.DataFrame()])


def _survival(
    occasions: Occasions, rhythm: Rhythm, params: LifecycleParams, notes: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    def curve(what: str, durations: Durations) -> pl.DataFrame:
        return _named(what, tables.thinned(kaplan_meier(durations, params.confidence), params.min_users))

    curves = [
        curve("second", until_second(occasions, occasions.end)),
        curve("churned", until_churned(occasions, occasions.end, rhythm)),
    ]

    def hazards() -> pl.DataFrame:
        moment = occasions.end - params.horizon
        fitted = fit_cox(
            until_next(occasions, moment, occasions.end), traits(purchases_of(occasions, moment)), params.confidence
        )
        notes.append(fitted.verdict)
        return fitted.table

    return pl.concat(curves), _or_note(hazards, "No hazards were told", notes)


def _users(
    occasions: Occasions, base: CustomerBase, state: NDArray[np.int8], params: LifecycleParams, notes: list[str]
) -> pl.DataFrame:
    names = pl.DataFrame({"user_id": occasions.users.tolist(), "state": np.array(STATES)[state].tolist()})

    def churn() -> pl.DataFrame:
        chance = p_churn(occasions, occasions.end, params.horizon, params.churn, params.calibration)
        return pl.DataFrame({"p_churn": chance})

    found = _or_note(churn, "No chance of churn is told of users", notes)
    if not found.height:
        found = pl.DataFrame({"p_churn": pl.repeat(None, names.height, dtype=pl.Float64, eager=True)})
    return pl.concat([names, base.users(params.model, params.horizon), found], how="horizontal")


def _assumptions(base: CustomerBase) -> list[str]:
    if base.value is None:
        return ["No values: too few users have repeat occasions of positive value."]
    return [
        f"The value model takes how often and how much for independent; their correlation is {base.dependence:+.2f} "
        "(logarithms)."
    ]


def _named(what: str, table: pl.DataFrame) -> pl.DataFrame:
    return table.select(pl.lit(what).alias("what"), pl.all())


def _or_note(make: Callable[[], pl.DataFrame], without: str, notes: list[str]) -> pl.DataFrame:
    """What `make` returns; an empty table, and a note, where the log does not suffice for it."""
    try:
        return make()
    except (DataError, TrainingError) as error:
        notes.append(f"{without}: {error}")
        return pl.DataFrame()

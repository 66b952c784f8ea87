"""The findings as tables that a report can show: times as dates, verdicts as rows, and no row about a handful of users.

Never here: a figure that is not already there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.evolution.lifecycle.backtest import Score
from components.evolution.lifecycle.measures import Verdict
from components.evolution.lifecycle.states import STATES
from components.evolution.lifecycle.transitions import PRESENT, Transitions
from components.evolution.significance import Estimate
from components.evolution.suppression import suppress

_FIGURES = dict.fromkeys(("value", "low", "high", "difference", "difference_low", "difference_high"), pl.Float64)
_EPOCH = dt.datetime(1970, 1, 1)  # local time of users


def date_of(unit: int, unit_s: int) -> dt.datetime:
    """Beginning of a unit on the users' clocks."""
    return _EPOCH + dt.timedelta(seconds=int(unit) * unit_s)


def thinned(curve: pl.DataFrame, least: int) -> pl.DataFrame:
    """A survival curve whose steps are about `least` users or more each; its end, where fewer are left, is cut off."""
    parts = []
    for part in curve.partition_by("group", maintain_order=True):
        leave = (part["happened"] + part["censored"]).to_numpy()
        step, waiting = np.zeros(len(leave), np.int64), 0
        for row, gone in enumerate(leave[:-1]):  # one row for each time, not for each user
            waiting = 0 if waiting >= least else waiting
            waiting += gone
            step[row + 1] = step[row] + (waiting >= least)
        parts.append(
            part.with_columns(step=step)
            .group_by("group", "step", maintain_order=True)
            .agg(
                pl.col("time", "survival", "low", "high").last(),
                pl.col("at_risk").first(),
                pl.col("happened", "censored").sum(),
            )
            .filter(pl.col("happened") + pl.col("censored") >= least)
            .drop("step")
        )
    return pl.concat(parts)


def states_table(states: NDArray[np.int8], moments: NDArray[np.int64], unit_s: int, least: int) -> pl.DataFrame:
    """moment, state, users, share: of the users who are there."""
    rows = []
    for column, moment in enumerate(moments):
        count = np.bincount(states[:, column], minlength=len(STATES))[1:]
        total = max(int(count.sum()), 1)
        rows += [
            {"moment": date_of(int(moment), unit_s), "state": name, "users": int(n), "share": int(n) / total}
            for name, n in zip(PRESENT, count, strict=True)
        ]
    return suppress(pl.DataFrame(rows), "users", ["share"], least, ["moment"])


def transitions_table(found: Transitions, least: int) -> pl.DataFrame:
    """from, to, users, moves, probability, low, high."""
    rows = [
        {
            "from": start,
            "to": end,
            "users": int(found.users[i, j]),
            "moves": int(found.count[i, j]),
            "probability": float(found.probability[i, j]),
            "low": float(found.low[i, j]),
            "high": float(found.high[i, j]),
        }
        for i, start in enumerate(PRESENT)
        for j, end in enumerate(PRESENT)
    ]
    table = pl.DataFrame(rows).fill_nan(None)
    return suppress(table, "users", ["moves", "probability", "low", "high"], least, ["from"])


def forecast_table(expected: NDArray[np.float64], dates: Sequence[dt.datetime], least: int) -> pl.DataFrame:
    """moment, step, state, users (expected, in whole users; step 0 is now), as_last_time (users now).

    Whole users, because now could be reckoned back from exact expectations.
    """
    rows = [
        {"moment": date, "step": step, "state": name, "users": round(float(n)), "as_last_time": round(float(now))}
        for step, (date, line) in enumerate(zip(dates, expected, strict=True))
        for name, n, now in zip(PRESENT, line, expected[0], strict=True)
    ]
    hidden = suppress(pl.DataFrame(rows), "as_last_time", [], least, ["step"])
    small = (pl.col("users") > 0) & (pl.col("users") < least) | (pl.col("suppressed") & (pl.col("step") == 0))
    return hidden.with_columns(pl.when(~small).then(pl.col("users")), suppressed=pl.col("suppressed") | small)


def backtest_table(scores: Sequence[Score]) -> pl.DataFrame:
    """steps, method, metric, value, low, high, difference, difference_low, difference_high (to "as last time").

    Null: ∞, the log loss of a method that says never, or not to be told.
    """
    return pl.DataFrame(
        [
            {"steps": one.steps, "method": one.method, "metric": one.metric, **_columns(one.estimate, one.difference)}
            for one in scores
        ],
        schema_overrides=_FIGURES,
    )


def verdicts_table(verdicts: Sequence[Verdict]) -> pl.DataFrame:
    """method, measure, value, low, high, difference, difference_low, difference_high (to the simple method)."""
    return pl.DataFrame(
        [{"method": v.method, "measure": v.measure, **_columns(v.estimate, v.difference)} for v in verdicts],
        schema_overrides=_FIGURES,
    )


def by_state(users: pl.DataFrame, least: int) -> pl.DataFrame:
    """state, users and the means over them of what is expected of each user."""
    means = [name for name in users.columns if name not in {"user_id", "state"}]
    table = users.group_by("state").agg(pl.len().cast(pl.Int64).alias("users"), pl.col(means).mean())
    order = pl.DataFrame({"state": list(PRESENT)})
    table = order.join(table, on="state", how="left", maintain_order="left").with_columns(pl.col("users").fill_null(0))
    return suppress(table.with_columns(whole=0), "users", means, least, ["whole"]).drop("whole")


def _columns(estimate: Estimate, difference: Estimate) -> dict[str, float | None]:
    found = (estimate.value, estimate.low, estimate.high, difference.value, difference.low, difference.high)
    return {name: one if np.isfinite(one) else None for name, one in zip(_FIGURES, found, strict=True)}

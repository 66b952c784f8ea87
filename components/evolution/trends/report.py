"""What the log says of trends, as one JSON record: forecasts, seasons, unusual days and their causes, changes of level.

Never here: how a figure is computed, or a page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.trends import happened
from components.evolution.trends.ahead import ahead
from components.evolution.trends.hidden import hidden_counts
from components.evolution.trends.panel import SEASONS, Step
from components.evolution.trends.series import TOTAL, Shown, Split, crossed, name_of, shown, split
from components.evolution.trends.unusual import expected
from components.params import TrendParams

Record = dict[str, Any]
_GROWTH_DAYS = 28
_TOLD = 5  # spans whose causes are told


def trend_report(log: Log, params: TrendParams, holidays: NDArray[np.int64], by_hour: bool, seed: int) -> Record:
    """Every figure of this room for one log.

    Parameters
    ----------
    log : Log
    params : TrendParams
    holidays : (H,) public holidays, days since 1970
    by_hour : whether the log's times know hours
    seed : of every draw

    Raises
    ------
    DataError
        The log covers fewer than two whole weeks.
    """
    splits = _splits(log, params)
    days = shown(log, [splits[name] for name in _named(params, "day") if name in splits], "day")
    if days.panel.steps < 14:
        raise DataError("two whole weeks of log", found=f"{days.panel.steps} whole days", do="Ingest more days.")
    hours = shown(log, [splits[name] for name in days.parts], "hour", counted_users=False) if by_hour else None
    series = {step: _of_step(log, splits, params, step, days) for step in SEASONS if step in params.steps}
    if not by_hour:
        series.pop("hour", None)
    tables = {step: _counted(one, step, params) for step, one in series.items() if not isinstance(one, str)}
    tables["day"] = days
    hidden = hidden_counts(tables, params.least_users)
    usual = expected(days.panel, params.around, past_only=False)
    told = happened.counts(days, usual, hidden["day"])
    unusual = happened.unusual_days(hours, days, told, params)
    spans = [one for one in unusual["days"] if one["by"] == TOTAL][:_TOLD]
    found: Record = {
        "users": log.n_users,
        "days": days.panel.steps,
        "growth": happened.growth(log, days, _GROWTH_DAYS),
        "holidays": happened.on_holidays(days, usual, holidays, params.permutations, seed),
        "unusual": unusual,
        "causes": happened.made_of(days, usual, told, spans),
        "changes": happened.changes(days, params.level_days, params.least_users),
        "cycles": [],
        "counts": [
            _rows(step, told if step == "day" else happened.counts(one, None, hidden[step]))
            for step, one in sorted(tables.items(), key=lambda table: table[0] != "day")
        ],
        "steps": {},
    }
    for step, one in series.items():
        if isinstance(one, str):
            found["steps"][step] = {"missing": one}
            continue
        latest = one.latest(params.steps[step].latest)
        found["cycles"] += happened.cycles(latest, params.level, seed)
        found["steps"][step] = _ahead(latest, params.steps[step], params)
    return dict(plain(found))


def _splits(log: Log, params: TrendParams) -> dict[str, Split]:
    """Every split that is asked of a step and has two values or more."""
    asked = {tuple(by) for step in params.steps.values() for by in step.by}
    found = [split(log, by, params.resolution, params.most, params.least_users) for by in sorted(asked)]
    return {one.name: one for one in found if len(one.values) > 1}


def _named(params: TrendParams, step: Step) -> list[str]:
    return [name_of(by) for by in params.steps[step].by]


def _counted(series: Shown, step: Step, params: TrendParams) -> Shown:
    """The steps whose counts are told."""
    latest = series.latest(params.steps[step].latest)
    return latest.latest(7 * params.steps[step].horizon) if step == "hour" else latest


def _of_step(log: Log, splits: dict[str, Split], params: TrendParams, step: Step, days: Shown) -> Shown | str:
    if step == "day":
        return days
    try:
        return shown(log, [splits[name] for name in _named(params, step) if name in splits], step)
    except DataError as error:
        return str(error)


def _ahead(series: Shown, asked: Any, params: TrendParams) -> Record:
    try:
        return {"series": series.panel.keys.to_dicts()} | ahead(series, asked, params)
    except DataError as error:
        return {"missing": str(error)}


def _rows(step: str, told: pl.DataFrame) -> Record:
    """Counts as columns, which JSON holds in less room than rows; of crossed splits none is told."""
    plain_splits = [by for by in told["by"].unique() if not crossed(by)]
    frame = told.filter(pl.col("by").is_in(plain_splits)).with_columns(pl.col("begin").dt.strftime("%Y-%m-%dT%H:%M:%S"))
    return {"step": step} | {name: frame[name].to_list() for name in frame.columns}

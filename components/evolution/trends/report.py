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
from components.evolution.trends.panel import SEASONS, Step
from components.evolution.trends.series import TOTAL, Shown, Split, shown, split
from components.evolution.trends.unusual import expected
from components.params import TrendParams

Record = dict[str, Any]
_NOISE = 20  # series of white noise that a season's strength is compared with
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
    usual = expected(days.panel, params.around, past_only=False)
    told = happened.counts(days, usual, params.least_users)
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
        "counts": [_rows("day", told)],
        "steps": {},
    }
    for step in SEASONS:
        asked = params.steps.get(step)
        if asked is None or (step == "hour" and not by_hour):
            continue
        series = days if step == "day" else _of_step(log, splits, params, step)
        if isinstance(series, str):
            found["steps"][step] = {"missing": series}
            continue
        latest = series.latest(asked.latest)
        found["cycles"] += happened.cycles(latest, _NOISE, params.level, seed)
        found["steps"][step] = _ahead(latest, asked, params)
        if step != "day":
            kept = latest if step == "week" else latest.latest(7 * asked.horizon)
            found["counts"].append(_rows(step, happened.counts(kept, None, params.least_users)))
    return dict(plain(found))


def _splits(log: Log, params: TrendParams) -> dict[str, Split]:
    """Every split that is asked of a step and has two values or more."""
    asked = {tuple(by) for step in params.steps.values() for by in step.by}
    found = [split(log, by, params.resolution, params.most, params.least_users) for by in sorted(asked)]
    return {one.name: one for one in found if len(one.values) > 1}


def _named(params: TrendParams, step: Step) -> list[str]:
    return [" × ".join(by) for by in params.steps[step].by]


def _of_step(log: Log, splits: dict[str, Split], params: TrendParams, step: Step) -> Shown | str:
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
    """Counts as columns, which JSON holds in less room than rows."""
    frame = told.with_columns(pl.col("begin").dt.strftime("%Y-%m-%dT%H:%M:%S"))
    return {"step": step} | {name: frame[name].to_list() for name in frame.columns}

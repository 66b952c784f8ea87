"""Forecasts of the shown series at one step: chosen on one origin, judged on later ones, adding up, with intervals.

Never here: what happened (`happened`), or words.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from components.errors import DataError
from components.evolution.trends.accuracy import scale_of
from components.evolution.trends.backtest import Backtest
from components.evolution.trends.conformal import calibrate
from components.evolution.trends.methods import method_of
from components.evolution.trends.outlook import BASELINE, ENSEMBLE, Outlook, Plan, outlook
from components.evolution.trends.panel import Floats, Panel
from components.evolution.trends.scorecard import Scores, score
from components.evolution.trends.series import Shown, adding_up, begin_of
from components.params import TrendParams, TrendStepParams

Record = dict[str, Any]
ADDING_UP = "ensemble, adding up"
_CYCLES = 2  # of the longest season that a series must hold before the oldest origin, where it has a season


def ahead(series: Shown, asked: TrendStepParams, params: TrendParams) -> Record:
    """What comes next of every series, what was chosen, and how such forecasts fared from past origins.

    Parameters
    ----------
    series : the latest steps that forecasts may look at
    asked : of this step
    params : of all steps

    Raises
    ------
    DataError
        The log is too short for so many origins.
    """
    panel, plan = _plan(series.panel, asked, params)
    found = outlook(panel, {name: method_of(name) for name in asked.methods}, plan)
    judged = found.judged
    summed = np.stack([
        adding_up(series, point, scale)
        for point, scale in zip(judged.point[ENSEMBLE], judged.scale, strict=True)
    ])  # fmt: skip
    judged = judged.with_point(ADDING_UP, summed)
    point = adding_up(series, found.point[ENSEMBLE], scale_of(panel))
    levels = np.asarray(params.levels)
    intervals = calibrate(judged.residual(ADDING_UP), judged.scale[-1], levels)
    return {
        "horizon": plan.horizon,
        "origins": plan.origins,
        "apart": plan.apart or plan.horizon,
        "levels": list(levels),
        "begins": [begin_of(panel, panel.steps + step).isoformat() for step in range(plan.horizon)],
        "point": point,
        "quantiles": holding(point, intervals.quantiles(point, np.zeros(panel.n)), levels),
        "selected": _selected(found),
        "rule": found.rule,
        "scores": {name: _scores(judged, name, levels) for name in judged.point},
    }


def holding(point: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """(S, H, Q) quantiles that hold the point (S, H) between them, also where all past errors were to one side."""
    middle = point[:, :, None]
    held = np.where(levels <= 0.5, np.minimum(quantiles, middle), np.maximum(quantiles, middle))
    return np.where(levels == 0.5, quantiles, held)


def _plan(panel: Panel, asked: TrendStepParams, params: TrendParams) -> tuple[Panel, Plan]:
    """As asked, with more origins where few series leave too few errors for the outermost level.

    A log too short for that has its origins closer than a horizon, whole cycles apart; then it has its longest cycle
    left out.
    """
    tail = min(params.levels[0], 1 - params.levels[-1])
    # One origin more than the level needs, so that what is judged can be left out of what calibrates.
    origins = max(params.origins, int(np.ceil((1 / tail - 1) / panel.n - 1e-9)) + 1)
    for kept in range(len(panel.seasons), -1, -1):
        seasons = panel.seasons[:kept] or (1,)
        cycle = max((one for one in seasons if one <= asked.horizon * 7), default=1)
        before = _CYCLES * max(cycle, asked.horizon) + 1
        for apart in (asked.horizon, *range(asked.horizon - asked.horizon % seasons[0], 0, -seasons[0])):
            plan = Plan(
                horizon=asked.horizon,
                origins=origins,
                least=params.shortlist[0],
                most=params.shortlist[1],
                levels=params.levels,
                apart=None if apart == asked.horizon else apart,
            )
            if panel.steps >= plan.first + before:
                return replace(panel, seasons=seasons), plan
    raise DataError(
        f"{plan.first + before} whole {panel.step}s to forecast {asked.horizon} from {origins + 1} origins",
        found=f"{panel.steps}",
        do="Ask a shorter horizon or fewer origins.",
    )


def _selected(found: Outlook) -> list[Record]:
    """What every candidate was worth at the origin that chose, and whether it was shortlisted."""
    error = {name: float(np.nanmean(found.selected_by.mase(name))) for name in found.selected_by.point}
    return [
        {"method": name, "mase": error[name], "shortlisted": name in found.selection.names,
         "filled": found.selected_by.filled[name]}
        for name in sorted(error, key=lambda name: error[name])
    ]  # fmt: skip


def _scores(judged: Backtest, name: str, levels: Floats) -> Scores:
    """Of one method over all origins that judge; its intervals come from the other origins."""
    quantiles = _held_out(judged, name, levels)
    return score(
        _flat(judged.actual),
        _flat(judged.point[name]),
        _flat(judged.point[BASELINE]),
        judged.scale[0],
        None if quantiles is None else quantiles,
        levels,
    )


def _held_out(judged: Backtest, name: str, levels: Floats) -> Floats | None:
    """(S, K · H, Q) quantiles at each origin, calibrated on the errors of the other origins."""
    count = len(judged.steps_back)
    residual = judged.residual(name)
    parts = []
    for k in range(count):
        others = np.delete(residual, k, axis=0)
        try:
            known = calibrate(others, judged.scale[0], levels)
        except DataError:
            return None
        parts.append(known.quantiles(judged.point[name][k], np.zeros(residual.shape[1])))
    return np.concatenate(parts, axis=1)


def _flat(values: Floats) -> Floats:
    """(S, K · H) of (K, S, H)."""
    return np.asarray(values.transpose(1, 0, 2).reshape(values.shape[1], -1))

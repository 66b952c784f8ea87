"""What comes next, and how sure it is: candidates chosen on one origin, judged on later ones, combined, with intervals.

The origins in time order: the oldest selects a shortlist and each series' own weights; those after it choose the rule
of combination, are the backtest that is reported, each with the rule that the others choose, and calibrate the
intervals; then the shortlist is asked from the end of the panel. Never here: a test, which is whatever comes after the
panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from components.errors import ConfigError
from components.evolution.trends.backtest import Backtest, backtest, origins
from components.evolution.trends.conformal import Conformal, calibrate
from components.evolution.trends.ensemble import RULES, Rule
from components.evolution.trends.methods import METHODS, Method, completed
from components.evolution.trends.panel import Floats, Panel
from components.evolution.trends.selection import Selection, combined, select
from components.params.section import Section

BASELINE, ENSEMBLE = "seasonal_naive", "ensemble"


class Plan(Section):
    """How an outlook is made.

    Attributes
    ----------
    horizon : H steps
    origins : K that judge and calibrate; one more, before them, selects
    least, most : methods of the shortlist
    levels : (Q,) quantiles, ascending, symmetric around .5
    apart : steps between origins that judge; None: a horizon, so that no two forecasts share a step
    """

    horizon: int = Field(ge=1)
    origins: int = Field(ge=1)
    least: int = Field(ge=1)
    most: int = Field(ge=1)
    levels: tuple[float, ...] = Field(min_length=1)
    apart: int | None = Field(default=None, ge=1)

    @property
    def judging(self) -> tuple[int, ...]:
        """Steps back of the origins that judge, oldest first."""
        return origins(self.horizon, self.origins, apart=self.apart)

    @property
    def first(self) -> int:
        """Steps back of the origin that selects, a horizon before the others: a network that stands as a candidate may
        see nothing after it."""
        return self.horizon + self.judging[0]


@dataclass(frozen=True)
class Outlook:
    """Attributes
    ----------
    point : method → (N, H) of the shortlist, the baseline and the ensemble
    selection : the shortlist
    rule : of combination, and `rules`: the mean MASE of each at the later origins
    selected_by : of every candidate at the selecting origin
    judged : backtest of shortlist, baseline and ensemble at the later origins; no origin chose the rule it is judged by
    intervals : method → its conformal quantiles
    """

    point: Mapping[str, Floats]
    selection: Selection
    rule: Rule
    rules: Mapping[str, float]
    selected_by: Backtest
    judged: Backtest
    intervals: Mapping[str, Conformal]

    def quantiles(self, name: str = ENSEMBLE, floor: Floats | None = None) -> Floats:
        """(N, H, Q) of a method, not below `floor` (N,)."""
        return self.intervals[name].quantiles(self.point[name], floor)


def outlook(
    panel: Panel, candidates: Mapping[str, Method], plan: Plan, renewed: Mapping[str, Method] | None = None
) -> Outlook:
    """Choose, judge, combine and forecast.

    Parameters
    ----------
    panel : all that is known
    candidates : name → method
    renewed : methods that take a candidate's place for the last forecast: networks trained again on the whole panel

    Raises
    ------
    ConfigError
        There are fewer than two candidates, or one is named "ensemble".
    DataError
        The series are too short for so many origins.
    """
    if len(candidates) < 2 or ENSEMBLE in candidates:
        raise ConfigError(
            f'at least two candidates, none named "{ENSEMBLE}"', found=", ".join(candidates) or "none", do="Name more."
        )
    horizon = plan.horizon
    selected_by = backtest(panel, candidates, horizon, (plan.first,))
    selection = select(selected_by, plan.least, plan.most)
    named = {name: candidates[name] for name in selection.names}
    named.setdefault(BASELINE, METHODS[BASELINE])
    judged = backtest(panel, named, horizon, plan.judging)
    ensemble = combined(selection, judged, RULES)
    judged = judged.with_point(ENSEMBLE, ensemble.point)
    point = {name: completed(panel, {**named, **(renewed or {})}[name](panel, horizon)).point for name in named}
    point[ENSEMBLE] = selection.answer(ensemble.rule, [point[name] for name in selection.names])
    levels = np.asarray(plan.levels)
    intervals = {name: calibrate(judged.residual(name), judged.scale[-1], levels) for name in judged.point}
    return Outlook(point, selection, ensemble.rule, ensemble.rules, selected_by, judged, intervals)

"""Choosing methods on one origin, before the origins that judge the choice.

Never here: the test. A choice among many on few steps is partly luck, so that what was chosen must be judged by later
origins (`backtest`), beside seasonal naive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.trends.backtest import Backtest
from components.evolution.trends.ensemble import Rule, combine
from components.evolution.trends.panel import Floats


@dataclass(frozen=True)
class Selection:
    """What one origin says of M shortlisted methods.

    Attributes
    ----------
    names : (M,) the shortlist, the first the best single one among those kept
    best : (N,) place in `names` of each series' own best
    weights : (N, M) inverse errors, rows sum to 1
    """

    names: tuple[str, ...]
    best: NDArray[np.int64]
    weights: Floats

    def answer(self, rule: Rule, points: Sequence[Floats]) -> Floats:
        """(N, H) of the shortlist's points, M arrays (N, H), by a rule of combination."""
        return combine(np.stack(list(points)), rule, self.best, self.weights)


def select(judged: Backtest, least: int, most: int) -> Selection:
    """Shortlist by greedy forward selection of the median's mean MASE, and each series' own best of them.

    Parameters
    ----------
    judged : at one origin (K = 1)
    least, most : methods of the shortlist; between them it stops where none helps any more. One origin is little to
        choose by, and a few that are alike good are surer than the one that was best

    References
    ----------
    Caruana et al. (2004), Ensemble selection from libraries of models (greedy, here without repetition).
    """
    if len(judged.steps_back) != 1 or len(judged.point) < 1:
        raise DataError(
            "methods judged at one origin", found=f"{len(judged.steps_back)} origins", do="Use `at(k, k + 1)`."
        )
    names, actual, scale = list(judged.point), judged.actual[0], judged.scale[0]
    points = {name: judged.point[name][0] for name in names}

    def error(members: Sequence[str]) -> float:
        middle = np.median(np.stack([points[name] for name in members]), axis=0)
        return float(np.nanmean(np.abs(actual - middle).mean(1) / scale))

    chosen: list[str] = []
    so_far = np.inf
    while len(chosen) < min(most, len(names)):
        found = {name: error([*chosen, name]) for name in names if name not in chosen}
        best = min(found, key=lambda name: found[name])
        if found[best] >= so_far and len(chosen) >= least:
            break
        chosen.append(best)
        so_far = found[best]
    own = np.stack([np.abs(actual - points[name]).mean(1) for name in chosen])  # (M, N)
    inverse = 1 / np.maximum(own, 1e-3 * np.maximum(own.max(0), 1e-12))
    return Selection(tuple(chosen), own.argmin(0), (inverse / inverse.sum(0)).T)


@dataclass(frozen=True)
class Combined:
    """A shortlist's points at every origin of a backtest, and the rule that combines them from now on.

    Attributes
    ----------
    point : (K, N, H) at each origin by the rule that was best at those that share no step with it
    rule : best at all of them
    rules : mean MASE of each
    """

    point: Floats
    rule: Rule
    rules: dict[str, float]


def combined(selection: Selection, judged: Backtest, rules: Sequence[Rule]) -> Combined:
    """Choose among rules of combination by the mean MASE at later origins, and answer each origin without itself.

    Parameters
    ----------
    judged : of the shortlist, at origins after the one that selected
    rules : the first is taken where nothing speaks for another one, as for an origin that has no others
    """
    each = [judged.point[name] for name in selection.names]
    origins = range(len(judged.steps_back))
    said = {rule: np.stack([selection.answer(rule, [point[k] for point in each]) for k in origins]) for rule in rules}
    error = {rule: np.abs(judged.actual - said[rule]).mean(2) / judged.scale for rule in rules}  # (K, N)

    def best(among: Sequence[int]) -> Rule:
        return min(rules, key=lambda rule: float(np.nanmean(error[rule][among]))) if among else rules[0]

    back, horizon = judged.steps_back, judged.actual.shape[2]
    apart = [[other for other in origins if abs(back[other] - back[k]) >= horizon] for k in origins]
    point = np.stack([said[best(others)][k] for k, others in enumerate(apart)])
    return Combined(point, best(list(origins)), {rule: float(np.nanmean(error[rule])) for rule in rules})

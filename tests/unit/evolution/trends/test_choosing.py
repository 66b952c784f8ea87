"""Rolling origins, selection, ensembles and the outlook: in the order of time, and no better than they can know."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import ConfigError, DataError
from components.evolution.trends.accuracy import mase, scale_of
from components.evolution.trends.ahead import holding
from components.evolution.trends.backtest import Backtest, backtest, origins
from components.evolution.trends.ensemble import RULES, combine
from components.evolution.trends.methods import METHODS, Method
from components.evolution.trends.outlook import ENSEMBLE, Plan, outlook
from components.evolution.trends.panel import Floats, Panel, panel_of
from components.evolution.trends.scorecard import score
from components.evolution.trends.selection import Selection, combined, select

STEPS = np.arange(140)


def plan(horizon: int = 7, least: int = 2, most: int = 3) -> Plan:
    return Plan(horizon=horizon, origins=3, least=least, most=most, levels=tuple(np.arange(1, 10) / 10))


def weeks(n: int = 6, seed: int = 0) -> Panel:
    """Daily series with a week and a little noise."""
    rng = np.random.default_rng(seed)
    season = 10 + 3 * np.sin(2 * np.pi * STEPS / 7)
    return panel_of(
        [scale * (season + rng.normal(0, 0.5, len(STEPS))) for scale in 1 + np.arange(n)], (7,), list("abcdefgh"[:n])
    )


def constant(value: float) -> Method:
    return lambda panel, horizon: np.full((panel.n, horizon), value)


def test_origins_do_not_overlap_and_end_at_the_end() -> None:
    assert origins(5, 2) == (10, 5)
    assert origins(5, 1, skip=2) == (15,)


def test_a_backtest_shows_methods_only_the_past() -> None:
    seen: list[int] = []

    def spy(panel: Panel, horizon: int) -> Floats:
        seen.append(panel.steps)
        return METHODS["naive"](panel, horizon)

    panel = weeks()
    found = backtest(panel, {"spy": spy}, 7, origins(7, 3))
    assert seen == [119, 126, 133]
    assert np.array_equal(found.actual[0], panel.values[:, 119:126])
    assert np.array_equal(found.residual("spy"), found.actual - found.point["spy"])
    assert found.at(1, 2).steps_back == (14,)


def test_origins_must_be_in_order_and_inside() -> None:
    with pytest.raises(DataError, match="oldest to the newest"):
        backtest(weeks(), METHODS, 7, (7, 14))
    with pytest.raises(DataError, match="after the origin"):
        backtest(weeks(), METHODS, 7, (3,))
    with pytest.raises(DataError, match="more than 140 steps"):
        backtest(weeks(), METHODS, 7, (140,))


def test_selection_takes_the_best_first_and_each_series_own() -> None:
    panel = weeks(2)
    methods = {"bad": constant(1e6), "seasonal_naive": METHODS["seasonal_naive"], "first": constant(10.0)}
    found = select(backtest(panel, methods, 7, (7,)), least=2, most=2)
    assert found.names == ("seasonal_naive", "first")
    assert found.weights.sum(1) == pytest.approx(np.ones(2))
    assert (found.weights[:, 0] > found.weights[:, 1]).all()
    assert found.best.tolist() == [0, 0]
    with pytest.raises(DataError, match="one origin"):
        select(backtest(panel, methods, 7, (14, 7)), 2, 2)


def test_combinations() -> None:
    points = np.array([[[0.0], [0.0]], [[1.0], [1.0]], [[8.0], [8.0]]])
    weights = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    best = np.array([2, 0])
    found = [combine(points, rule, best, weights)[:, 0].tolist() for rule in ("median", "mean", "weighted", "best")]
    assert found == [[1.0, 1.0], [3.0, 3.0], [0.5, 8.0], [8.0, 0.0]]
    same = np.repeat(points[:1], 3, axis=0)
    for rule in RULES:
        assert combine(same, rule, best, weights).tolist() == points[0].tolist()


def test_an_outlook_beats_its_baseline_and_holds_its_intervals() -> None:
    panel = weeks(8)
    known, actual = panel.until(14), panel.after(14, 7)
    names = ["seasonal_naive", "seasonal_mean", "naive", "ces", "damped"]
    found = outlook(known, {name: METHODS[name] for name in names}, plan())
    assert set(found.point) == {*found.selection.names, "seasonal_naive", ENSEMBLE}
    assert found.judged.steps_back == (21, 14, 7)
    assert found.selected_by.steps_back == (28,)
    scale = found.judged.scale[-1]
    levels = np.arange(1, 10) / 10
    said = score(actual, found.point[ENSEMBLE], found.point["seasonal_naive"], scale, found.quantiles(), levels)
    assert said.against_naive.value < 0
    assert said.coverage is not None
    assert 0.6 < said.coverage.value < 1.0
    assert (np.diff(found.quantiles(), axis=2) >= 0).all()


def test_no_origin_chooses_the_rule_it_is_judged_by() -> None:
    """The mean is best at all three origins together, for the newest one's sake; without that one, the median is."""
    point = {name: np.full((3, 1, 1), value) for name, value in (("a", 0.0), ("b", 1.0), ("c", 5.0))}
    actual = np.array([1.4, 1.4, 2.0]).reshape(3, 1, 1)
    judged = Backtest((3, 2, 1), actual, np.ones((3, 1)), point, {}, {})
    chosen = Selection(("a", "b", "c"), np.array([0]), np.array([[0.0, 0.0, 1.0]]))
    found = combined(chosen, judged, RULES)
    assert found.rule == "mean"
    assert found.rules["mean"] == pytest.approx(0.4)
    assert found.point.ravel().tolist() == [2, 2, 1]
    overlapping = Backtest((4, 3, 2), actual.repeat(2, axis=2), np.ones((3, 1)), {
        name: one.repeat(2, axis=2) for name, one in point.items()
    }, {}, {})  # fmt: skip
    assert combined(chosen, overlapping, RULES).point[:, 0, 0].tolist() == [2, 1, 1]  # the middle one has no others


def test_what_is_reported_is_what_comes_next() -> None:
    """White noise, 150 times: the ensemble's error at past origins is that of the next horizon, within its error."""
    rng, gap = np.random.default_rng(4), []
    methods = {name: METHODS[name] for name in ("seasonal_naive", "naive", "seasonal_mean")}
    for _ in range(150):
        values = 50 + 10 * rng.normal(size=(3, 84))
        known = panel_of(list(values[:, :-7]), (7,), list("abc"))
        found = outlook(known, methods, plan(most=3))
        after = mase(values[:, -7:], found.point[ENSEMBLE], scale_of(known))
        gap.append(float(np.mean(after) - np.mean(found.judged.mase(ENSEMBLE))))
    assert abs(np.mean(gap)) < 2.5 * np.std(gap) / np.sqrt(len(gap))


def test_origins_of_a_short_log_overlap_but_for_the_one_that_selects() -> None:
    asked = Plan(horizon=7, origins=3, least=2, most=2, levels=(0.1, 0.5, 0.9), apart=2)
    found = outlook(weeks(8), {name: METHODS[name] for name in ("seasonal_naive", "naive")}, asked)
    assert found.judged.steps_back == (11, 9, 7)
    assert found.selected_by.steps_back == (18,)
    assert asked.first == 18


def test_quantiles_hold_the_point_where_all_errors_were_to_one_side() -> None:
    levels = np.array([0.1, 0.5, 0.9])
    found = holding(np.array([[5.0]]), np.array([[[7.0, 8.0, 9.0]]]), levels)
    assert found.tolist() == [[[5.0, 8.0, 9.0]]]
    assert holding(np.array([[8.5]]), found, levels).tolist() == found.tolist()
    assert holding(np.array([[11.0]]), found, levels).tolist() == [[[5.0, 8.0, 11.0]]]


def test_a_renewed_method_answers_last_only() -> None:
    panel = weeks()
    found = outlook(
        panel,
        {"a": constant(10.0), "seasonal_naive": METHODS["seasonal_naive"]},
        plan(),
        {"a": constant(99.0)},
    )
    assert (found.point["a"] == 99.0).all()
    assert (found.judged.point["a"] == 10.0).all()


def test_too_little_to_choose_from() -> None:
    with pytest.raises(ConfigError, match="at least two"):
        outlook(weeks(), {"naive": METHODS["naive"]}, plan())
    with pytest.raises(DataError, match="more than"):
        outlook(weeks(), {"naive": METHODS["naive"], "ces": METHODS["ces"]}, plan(60))

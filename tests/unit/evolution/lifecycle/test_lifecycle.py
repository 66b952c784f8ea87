"""The public face: tables that hold together, and no row about a handful of people."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from components.errors import DataError
from components.evolution.lifecycle import Lifecycle, lifecycle
from components.evolution.lifecycle.tables import thinned
from components.evolution.suppression import suppress
from components.params import LifecycleParams
from tests.unit.evolution.lifecycle.logs import days, frame, simulated

SETTINGS = {
    "unit_s": 86_400, "actions": None, "every": 28, "moments": 12, "limits": (0.8, 0.95, 0.99), "fresh": 28,
    "chain_moves": 3, "steps": (1, 3), "origins": 3, "horizon": 60, "model": "pareto_nbd", "churn": "pareto_nbd",
    "calibration": "platt", "min_users": 5, "bootstrap": 50, "confidence": 0.95,
}  # fmt: skip


def params(**changed: object) -> LifecycleParams:
    return LifecycleParams.model_validate(SETTINGS | changed)


@pytest.fixture(scope="module")
def whole() -> Lifecycle:
    return lifecycle(frame(simulated(300, 400, seed=6)), params(), 0)


def test_tables_hold_together(whole: Lifecycle) -> None:
    assert whole.users.height == 300
    assert whole.users["p_churn"].is_between(0, 1).all()
    now = whole.states.filter(pl.col("moment") == whole.states["moment"].max())
    assert now["users"].drop_nulls().sum() <= 300
    assert now.filter(~pl.col("suppressed"))["share"].sum() == pytest.approx(now["users"].sum() / 300)
    assert whole.by_state["state"].to_list() == ["new", "active", "lapsing", "dormant", "churned", "returning"]
    step0 = whole.forecast.filter(pl.col("step") == 0)
    assert step0["users"].to_list() == step0["as_last_time"].to_list() == now["users"].to_list()
    assert set(whole.judged["what"]) == {"occasions", "comes_again", "value", "churn"}
    assert set(whole.survival["what"]) == {"second", "churned"}
    assert whole.hazards.height == 4
    assert set(whole.backtest["steps"]) == {1, 3}
    assert len(whole.notes) == 2
    lost = whole.by_state.filter(pl.col("state") == "churned")["p_churn"][0]
    assert lost > whole.by_state.filter(pl.col("state") == "active")["p_churn"][0]


def test_no_row_is_about_a_handful(whole: Lifecycle) -> None:
    for table in (whole.states, whole.transitions, whole.by_state):
        shown = table.filter(~pl.col("suppressed"))["users"]
        assert ((shown == 0) | (shown >= 5)).all()
        assert table.filter(pl.col("suppressed"))["users"].is_null().all()
    assert whole.transitions["suppressed"].any()
    assert (whole.survival["happened"] + whole.survival["censored"] >= 5).all()
    assert (
        not lifecycle(frame(simulated(60, 250, seed=1)), params(min_users=1, horizon=40), 0)
        .transitions["suppressed"]
        .any()
    )


def test_the_one_that_a_total_would_betray_takes_another_with_it() -> None:
    table = pl.DataFrame({"group": ["a"] * 4 + ["b"] * 3, "users": [3, 9, 7, 0, 2, 4, 50], "share": [0.1] * 7})
    found = suppress(table, "users", ["share"], 5, ["group"])
    assert found["suppressed"].to_list() == [True, False, True, False, True, True, False]
    assert found["share"].is_null().to_list() == found["suppressed"].to_list()
    assert found["users"].to_list() == [None, 9, None, 0, None, None, 50]
    assert suppress(table, "users", ["share"], 1, ["group"])["suppressed"].sum() == 0


def test_what_is_hidden_of_a_group_is_never_about_a_handful() -> None:
    table = pl.DataFrame({"group": ["a"] * 3 + ["b"] * 3 + ["c"] * 2, "users": [3, 0, 0, 50, 2, 2, 0, 9]})
    found = suppress(table, "users", [], 5, ["group"])
    assert found["suppressed"].to_list() == [True] * 6 + [False] * 2


def test_a_curve_is_thinned_to_steps_of_many() -> None:
    curve = pl.DataFrame(
        {
            "group": ["all"] * 6, "time": [0.0, 1, 2, 3, 4, 5], "at_risk": [12, 12, 10, 9, 5, 2],
            "happened": [0, 2, 0, 4, 2, 0], "censored": [0, 0, 1, 0, 1, 2],
            "survival": [1.0, 0.8, 0.8, 0.5, 0.3, 0.3], "low": [0.0] * 6, "high": [1.0] * 6,
        }
    )  # fmt: skip
    found = thinned(curve, 3)
    assert found["time"].to_list() == [2, 3, 4]  # the two who are left at the end are cut off
    assert found["at_risk"].to_list() == [12, 9, 5]
    assert (found["happened"] + found["censored"]).to_list() == [3, 4, 3]
    assert found["survival"].to_list() == [0.8, 0.5, 0.3]
    assert thinned(curve, 1)["time"].to_list() == [1, 2, 3, 4, 5]


def test_a_short_log_says_what_it_cannot_tell() -> None:
    found = lifecycle(frame(simulated(80, 130, seed=2)), params(every=10, horizon=50, moments=4, steps=(2,)), 0)
    assert found.users.height == 80
    assert any("not judged" in note and "shorter horizon" in note for note in found.notes)
    with pytest.raises(DataError, match="longer than 28 units"):
        lifecycle(frame(days([1, 2], [3, 4])), params(), 0)


@pytest.mark.parametrize(
    "wrong",
    [{"limits": (0.9, 0.8, 0.99)}, {"steps": (0,)}, {"churn": "recency", "calibration": "none"}, {"min_users": 0}],
)
def test_knobs_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        params(**wrong)

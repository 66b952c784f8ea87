"""What counts for which list and which user, and what an experiment says of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence, joined
from components.experiments.outcomes import outcomes
from components.experiments.plan import Plan
from components.experiments.results import results
from components.params import load_params
from components.serving.intake import Refusal, check
from components.serving.state.record import Record
from tests.conftest import ROOT
from tests.experiments import HOUR_US, START_US, did, log_of, plan, shown

LATER_US = START_US + 1_000 * HOUR_US


def read(of: Plan, records: list) -> Evidence:
    evidence = Evidence(of)
    evidence.follow(log_of(records))
    return evidence


def counted(of: Plan, records: list) -> list[tuple]:
    evidence = read(of, records)
    found = joined(evidence.shown, evidence.happened, of.horizon_us)
    return found.select("list_id", "item_id", "position", "reward").rows()


def test_an_event_counts_within_the_horizon_and_after_the_list() -> None:
    one = plan(horizon_h=24)
    lists = shown(one, "u", ["a", "b"], 10, "L")
    assert counted(one, [*lists, did("u", "b", 11)]) == [("L", "b", 2, 1.0)]
    assert counted(one, [*lists, did("u", "b", 34)]) == [("L", "b", 2, 1.0)]
    for other in (did("u", "b", 34.1), did("u", "b", 10), did("u", "b", 9), did("u", "c", 11), did("v", "b", 11)):
        assert counted(one, [*lists, other]) == []


def test_the_order_of_arrival_does_not_matter() -> None:
    one = plan()
    records = [*shown(one, "u", ["a"], 10), *shown(one, "v", ["a"], 11), did("u", "a", 12), did("v", "a", 13)]
    rng = np.random.default_rng(0)
    whole = outcomes(read(one, records), LATER_US)[0]
    for _ in range(5):
        order = rng.permutation(len(records))
        assert outcomes(read(one, [records[n] for n in order]), LATER_US)[0].equals(whole)


def test_an_event_counts_once_for_each_list() -> None:
    one = plan()
    twice = [*shown(one, "u", ["a", "b", "a"], 10, "L"), *shown(one, "u", ["a"], 11, "M"), did("u", "a", 12)]
    assert sorted(counted(one, twice)) == [("L", "a", 1, 1.0), ("M", "a", 1, 1.0)]
    user = outcomes(read(one, twice), LATER_US)[0].row(0, named=True)
    assert (user["lists"], user["conversion"], user["reward"], user["hit_rate"]) == (2, 1.0, 1.0, 1.0)


def test_actions_have_their_worth() -> None:
    one = plan(rewards={"purchase": 5.0, "view": 0.5})
    found = outcomes(read(one, [
        *shown(one, "u", ["a"], 1), did("u", "a", 2, "view"), did("u", "a", 3, "purchase"), did("u", "a", 4, "like"),
        *shown(one, "v", ["a"], 1), did("v", "a", 2, "like"),
    ]), LATER_US)[0]  # fmt: skip
    assert dict(found.select("user_id", "reward").rows()) == {"u": 5.5, "v": 0.0}
    assert dict(found.select("user_id", "conversion").rows()) == {"u": 1.0, "v": 0.0}


def test_only_the_first_places_hit() -> None:
    one = plan(k=2)
    records = [*shown(one, "u", ["a", "b", "c"], 1), did("u", "c", 2), *shown(one, "u", ["c"], 3), did("u", "c", 4)]
    assert outcomes(read(one, records), LATER_US)[0]["hit_rate"].to_list() == [0.5]


def test_a_user_ripens_once_and_nothing_later_changes_them() -> None:
    one = plan(window_h=48, horizon_h=24)
    first = [*shown(one, "u", ["a"], 0), *shown(one, "u", ["b"], 47)]
    late = [*shown(one, "u", ["c"], 49), did("u", "c", 50), did("u", "b", 72)]
    before = outcomes(read(one, first), START_US + 72 * HOUR_US)[0]
    assert not before["ripe"][0]
    after = outcomes(read(one, first + late), START_US + 73 * HOUR_US)[0]
    assert after["ripe"][0]
    assert after["lists"].to_list() == [2]
    assert after["reward"].to_list() == [0.0]


def test_a_tombstone_takes_what_came_before_it() -> None:
    one, evidence = plan(), Evidence(plan())
    state = log_of([*shown(one, "u", ["a"], 1), did("u", "a", 2), *shown(one, "v", ["a"], 1)])
    evidence.follow(state)
    state.forget("u")
    state.append(shown(one, "u", ["b"], 5))
    evidence.follow(state)
    assert evidence.shown.select("user_id", "item_id").rows() == [("v", "a"), ("u", "b")]
    assert evidence.happened.height == 0
    assert evidence.follow(state) == 0


def test_lists_of_others_and_of_before_do_not_count() -> None:
    one, state = plan(), log_of(shown(plan(), "u", ["a"], 1))
    evidence = Evidence(one.model_copy(update={"offset": state.head()}))
    state.append(shown(plan(name="other"), "u", ["b"], 1))
    evidence.follow(state)
    assert evidence.shown.height == 0


def test_a_user_with_lists_of_the_wrong_arm_is_left_out_and_told() -> None:
    one = plan()
    wrong = "champion" if arm_of(one, "u") == "challenger" else "challenger"
    found = results(read(one, [*shown(one, "u", ["a"], 1, arm=wrong), *shown(one, "v", ["a"], 1)]), LATER_US)
    assert found.misplaced == 1
    assert sum(found.users.values()) == 1
    assert "not theirs" in found.warnings[0]


def _people(one: Plan, n: int, rates: dict[str, float], seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    records = []
    for number in range(n):
        user, at = f"u{number}", number * 0.01
        records += shown(one, user, ["a", "b"], at)
        if rng.random() < rates[arm_of(one, user)]:
            records.append(did(user, "b", at + 1))
    return records


def test_a_difference_is_found_by_user_and_said() -> None:
    one = plan(least_users=100)
    found = results(read(one, _people(one, 2_000, {"champion": 0.2, "challenger": 0.4})), LATER_US)
    value, low, high = found.primary.path.last
    assert low < 0.2 < high
    assert low > 0
    assert value == pytest.approx(0.2, abs=0.05)
    assert sum(found.ripe.values()) == 2_000
    assert found.verdict().startswith("The challenger is better in conversion")
    assert not found.warnings
    assert list(found.differences) == ["conversion", "reward", "hit_rate"]


def test_users_that_are_lost_in_one_arm_are_noticed() -> None:
    one = plan(least_users=100)
    kept = _people(one, 3_000, {"champion": 0.2, "challenger": 0.2})
    lost = [r for r in kept if arm_of(one, r.user_id) == "champion" or not r.user_id.endswith(("1", "2"))]
    assert results(read(one, kept), LATER_US).ratio.broken is False
    found = results(read(one, lost), LATER_US)
    assert found.ratio.broken
    assert "no figure here may be trusted" in found.warnings[0]


def test_nobody_yet() -> None:
    found = results(read(plan(), []), LATER_US)
    assert found.verdict().startswith("Too few users")


def test_a_place_that_no_column_holds_is_refused_and_breaks_no_look() -> None:
    one = plan()
    raw = {"user_id": "u", "item_id": "a", "timestamp": "2025-06-01T10:00:00Z", "probability": 1.0}
    now = dt.datetime(2025, 6, 1, 11, tzinfo=dt.UTC)
    at = [check("impression", raw | {"position": place}, load_params(ROOT / "params.yaml").events, now)
          for place in (2**31 - 1, 2**31)]  # fmt: skip
    assert isinstance(at[0], Record)
    assert isinstance(at[1], Refusal)
    assert at[1].rule == "position_out_of_range"
    old = shown(one, "u", ["a"], 10, "L")[0]  # as a log may hold it that was kept before the rule
    beyond = replace(old, payload=old.payload | {"position": 2**31})
    assert read(one, [beyond, *shown(one, "v", ["a"], 10, "M")]).shown["list_id"].to_list() == ["M"]


def test_as_of_a_moment_only_what_was_shown_by_then_is_there() -> None:
    one = plan()
    evidence = read(one, [*shown(one, "u", ["a"], 10), *shown(one, "v", ["a"], 30)])
    found = {at: sum(results(evidence, START_US + at * HOUR_US).users.values()) for at in (0, 10, 29, 30)}
    assert found == {0: 0, 10: 1, 29: 1, 30: 2}
    assert results(evidence, START_US).ratio.champion + results(evidence, START_US).ratio.challenger == 0

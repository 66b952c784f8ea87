"""The gate: how often chance passes it, whether a gain does, and each of its conditions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.params import GateParams
from components.registry.decision import Case, Decision, Side
from components.registry.gate import decide

PARAMS = GateParams(
    confidence=0.95,
    margin=0.002,
    max_slice_loss=0.02,
    min_slice_queries=100,
    max_ece=0.1,
    max_latency_ms=50,
    max_size_mb=200,
    min_coverage=0.01,
)
HOLDS = {"ece": 0.02, "latency_ms": 2.0, "size_mb": 10.0, "coverage": 0.5}


def make_case(user: np.ndarray, **changes: object) -> Case:
    return replace(
        Case(
            user=user,
            slices={},
            window={"start_s": 0, "stop_s": 1},
            expected=3,
            looks=1,
            metric="ndcg@10",
            settled=None,
            draws=300,
            seed=0,
        ),
        **changes,
    )


def log_of_queries(rng: np.random.Generator, users: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Users with few or many queries, each with a quality of their own; values as of an NDCG."""
    count = np.minimum(1 + rng.geometric(0.12, users), 60)
    user = np.repeat(np.arange(users), count)
    level = rng.beta(2, 5, users)
    return user, level[user]


def answers(rng: np.random.Generator, level: np.ndarray, gain: float = 0.0) -> np.ndarray:
    hit = rng.random(len(level)) < np.clip(level + gain, 0, 1)
    return np.where(hit, 1 / np.log2(1 + rng.integers(1, 11, len(level))), 0.0)


def side(name: str, value: np.ndarray, **changes: object) -> Side:
    return replace(Side(name=name, digest=name * 3, value=value, **HOLDS), **changes)


def test_equal_models_are_rarely_promoted() -> None:
    trials, passed, naive = 400, 0, 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        user, level = log_of_queries(rng)
        # A taste that each model has for each user makes queries of a user depend on each other.
        a, b = (answers(rng, level, 0.15 * rng.standard_normal(150)[user]) for _ in range(2))
        secondary = [{"hr@10": (v > 0).astype(float), "mrr": v**2} for v in (a, b)]
        case = make_case(user, seed=trial)
        decision = decide(side("b", b, secondary=secondary[1]), side("a", a, secondary=secondary[0]), [], case, PARAMS)
        passed += decision.promote
        naive += b.mean() > a.mean()
    assert naive / trials > 0.4
    assert passed / trials <= 0.06


def test_a_planted_gain_is_found() -> None:
    trials, passed = 100, 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        user, level = log_of_queries(rng, users=600)
        a, b = answers(rng, level), answers(rng, level, 0.06)
        passed += decide(side("b", b), side("a", a), [], make_case(user, seed=trial), PARAMS).promote
    assert passed / trials >= 0.9


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, values of the champion, values of a challenger that is better on nearly every query."""
    rng = np.random.default_rng(0)
    user, level = log_of_queries(rng)
    old = answers(rng, level)
    return user, old, np.clip(old + 0.1, 0, 1)


def test_better_is_promoted_and_the_record_holds_everything(pair: tuple) -> None:
    user, old, new = pair
    decision = decide(side("new", new), side("old", old), [], make_case(user), PARAMS)
    assert decision.promote
    assert decision.expected == 3
    assert Decision.from_record(decision.as_record()) == decision
    assert {check.name for check in decision.checks} == {
        "users", "primary", "calibration", "latency", "size", "coverage",
    }  # fmt: skip


def test_worse_is_refused_and_says_so(pair: tuple) -> None:
    user, old, new = pair
    decision = decide(side("old", old), side("new", new), [], make_case(user), PARAMS)
    assert decision.outcome == "refuse"
    assert "worse" in decision.summary


@pytest.mark.parametrize(
    ("changes", "gained"),
    [
        ({}, None),
        ({"size_mb": 7.9}, "smaller"),
        ({"latency_ms": 0.9}, "faster"),
        ({"latency_ms": 1.2}, None),
        ({"coverage": 0.61}, "wider"),
    ],
)
def test_equal_quality_needs_a_gain_elsewhere(pair: tuple, changes: dict, gained: str | None) -> None:
    user, old, _ = pair
    decision = decide(side("new", old, **changes), side("old", old), [], make_case(user), PARAMS)
    assert decision.promote == (gained is not None)
    assert gained is None or any(gained in check.sentence for check in decision.checks)


def test_a_gain_in_a_secondary_metric_counts_when_the_primary_holds(pair: tuple) -> None:
    user, old, new = pair
    mine = side("new", old, secondary={"hr@10": new})
    assert decide(mine, side("old", old, secondary={"hr@10": old}), [], make_case(user), PARAMS).promote
    lost = side("new", old - 0.01, secondary={"hr@10": new})
    assert not decide(lost, side("old", old, secondary={"hr@10": old}), [], make_case(user), PARAMS).promote


def test_a_losing_slice_blocks_a_winner(pair: tuple) -> None:
    user, old, new = pair
    cold = user < 40
    value = np.where(cold, old - 0.05, new)
    assert decide(side("new", value), side("old", old), [], make_case(user), PARAMS).promote
    decision = decide(side("new", value), side("old", old), [], make_case(user, slices={"cold users": cold}), PARAMS)
    assert decision.outcome == "refuse"
    assert "cold users" in decision.summary
    small = decide(
        side("new", value), side("old", old), [], make_case(user, slices={"few": cold & (user < 10)}), PARAMS
    )
    assert small.promote  # fewer users than an interval can be computed for


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("calibration", {"ece": 0.11}),
        ("latency", {"latency_ms": 51.0}),
        ("size", {"size_mb": 201.0}),
        ("coverage", {"coverage": 0.009}),
        ("latency", {"latency_ms": float("nan")}),
    ],
)
def test_each_bound_holds(pair: tuple, name: str, changes: dict) -> None:
    user, old, new = pair
    decision = decide(side("new", new, **changes), side("old", old), [], make_case(user), PARAMS)
    assert [check.name for check in decision.checks if not check.passed] == [name]
    assert not decision.promote


def test_the_first_champion_must_beat_the_best_counter(pair: tuple) -> None:
    user, old, new = pair
    low = side("popularity", old - 0.2)
    assert decide(side("new", new), None, [low, side("markov", old)], make_case(user), PARAMS).promote
    decision = decide(side("new", old), None, [low, side("markov", old)], make_case(user), PARAMS)
    assert decision.outcome == "refuse"
    assert "markov" in decision.summary
    assert not decide(side("new", new), None, [], make_case(user), PARAMS).promote


def test_counters_that_were_not_scored_are_named_and_no_number_hides_none(pair: tuple) -> None:
    user, old, new = pair
    sick = side("popularity", np.where(np.arange(len(old)) == 0, np.nan, old - 0.2))
    case = make_case(user, unscored=["near", "trajectory"])
    decision = decide(side("new", new), None, [sick, side("markov", old)], case, PARAMS)
    [told] = [check.sentence for check in decision.checks if check.name == "first champion"]
    assert "new beats markov, the best of 2 baselines" in told
    assert "Not scored, so not compared: near, trajectory." in told


def test_values_that_are_no_numbers_cannot_win(pair: tuple) -> None:
    user, old, new = pair
    sick = np.where(new > 0.5, new, np.nan)
    decision = decide(side("new", sick), side("old", old), [], make_case(user), PARAMS)
    assert decision.checks[1].value == pytest.approx(float(np.mean(np.nan_to_num(sick) - old)))
    assert not decide(side("new", np.full(len(old), np.nan)), side("old", old), [], make_case(user), PARAMS).promote


def test_a_handful_of_users_proves_nothing() -> None:
    user = np.repeat(np.arange(19), 1000)
    decision = decide(side("new", np.ones(19_000)), side("old", np.zeros(19_000)), [], make_case(user), PARAMS)
    assert decision.outcome == "refuse"
    assert "19 users" in decision.summary


def test_every_look_at_a_window_costs(pair: tuple) -> None:
    user, old, _ = pair
    new = old + np.where(np.random.default_rng(1).random(len(old)) < 0.03, 0.2, -0.002)
    lows = [
        decide(side("new", new), side("old", old), [], make_case(user, looks=looks), PARAMS).checks[1].low
        for looks in (1, 20)
    ]
    assert lows[0] is not None
    assert lows[1] is not None
    assert lows[1] < lows[0]


def test_what_is_settled_is_nothing_to_decide(pair: tuple) -> None:
    user, old, new = pair
    decision = decide(side("new", new), side("old", old), [], make_case(user, settled="The same artifact."), PARAMS)
    assert decision.outcome == "nothing"
    assert not decision.promote
    assert decision.summary == "The same artifact."


def test_the_largest_gap_between_declared_groups_is_told_and_refuses_nothing(pair: tuple) -> None:
    user, old, new = pair
    worse = user % 3 == 0
    new = np.where(worse, old, new)  # nobody loses, but a third gains nothing
    groups = {"user kind": {"a": worse, "b": user % 3 == 1, "c": user % 3 == 2}, "user all": {"x": user >= 0}}
    decision = decide(side("new", new), side("old", old), [], make_case(user, groups=groups), PARAMS)
    (told,) = [check for check in decision.checks if check.name == "largest gap"]
    assert decision.promote
    assert told.passed
    assert told.value is not None
    assert told.low is not None
    mean = {name: new[mask].mean() for name, mask in groups["user kind"].items()}
    assert told.value == pytest.approx(max(mean.values()) - min(mean.values()))
    assert "user kind" in told.sentence
    assert "under old" in told.sentence
    first = decide(side("new", new), None, [side("counter", old)], make_case(user, groups=groups), PARAMS)
    assert [check.name for check in first.checks if check.name == "largest gap"] == ["largest gap"]

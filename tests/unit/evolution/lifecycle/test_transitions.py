"""Moves between states: shares and how sure they are, where they lead, and whether that was right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.errors import DataError
from components.evolution.lifecycle.backtest import backtest
from components.evolution.lifecycle.states import ABSENT, ACTIVE, CHURNED, LAPSING, NEW
from components.evolution.lifecycle.transitions import PRESENT, S, chain, count_moves, forecast, transitions
from components.evolution.significance import wilson

A, L = PRESENT.index("active"), PRESENT.index("lapsing")


def coded(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int8)


def chained(users: int, moments: int, stay: float = 0.8, seed: int = 0) -> np.ndarray:
    """Users who are active or lapsing, and change between the two with a known chance."""
    rng = np.random.default_rng(seed)
    change = rng.random((users, moments)) > stay
    return np.where(np.cumsum(change, axis=1) % 2, LAPSING, ACTIVE).astype(np.int8)


def test_moves_are_counted_once_users_are_there() -> None:
    found = transitions(coded([ABSENT, NEW, ACTIVE, LAPSING], [ACTIVE, ACTIVE, ACTIVE, ACTIVE], [ABSENT] * 4), 0.95)
    assert found.count.sum() == 5
    assert found.count[A].tolist() == [0, 3, 1, 0, 0, 0]
    assert found.users[A].tolist() == [0, 1, 1, 0, 0, 0]
    assert found.probability[A, A] == 0.75
    assert np.isnan(found.probability[L]).all()
    assert np.isnan(found.low[L]).all()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = []
    for seed in range(300):
        found = transitions(chained(40, 6, seed=seed), 0.9)
        held.append(found.low[A, A] <= 0.8 <= found.high[A, A])
    assert 0.85 < np.mean(held) < 0.96


def test_intervals_are_as_wide_as_drawing_users_makes_them() -> None:
    """Users who differ: each of the 20 moves of one tells little that the others did not."""
    rng = np.random.default_rng(0)
    stay = rng.choice([0.3, 0.95], 150)
    leaves = rng.random((150, 20)) > stay[:, None]
    states = np.full((150, 40), ACTIVE, np.int8)
    states[:, 1::2] = np.where(leaves, LAPSING, ACTIVE)
    found = transitions(states, 0.95)
    drawn = []
    for _ in range(400):
        count = count_moves(states[rng.integers(0, 150, 150)], np.ones(150))
        drawn.append(count[A, A] / count[A].sum())
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert found.high[A, A] - found.low[A, A] == pytest.approx(high - low, rel=0.15)
    plain_low, plain_high = wilson(found.probability[A, A], found.count[A].sum(), 0.95)
    assert high - low > 1.5 * (plain_high - plain_low)


def test_a_share_of_nothing_is_not_sure() -> None:
    found = transitions(np.full((30, 50), ACTIVE, np.int8), 0.95)
    low, high = wilson(np.array([0.0]), np.array([30.0]), 0.95)
    assert found.high[A, L] == pytest.approx(high[0])  # 30 users, not 1,470 moves
    assert (low[0], found.low[A, L]) == (0, 0)


@settings(max_examples=50, deadline=None)
@given(arrays(np.int8, (12, 5), elements=st.integers(0, 6)), st.integers(0, 5))
def test_forecasts_keep_everyone(raw: np.ndarray, steps: int) -> None:
    states = np.where(np.maximum.accumulate(raw, axis=1) > 0, np.maximum(raw, 1), 0).astype(np.int8)
    moving = chain(count_moves(states, np.ones(12)))
    assert moving.sum(axis=1) == pytest.approx(1)
    assert (moving >= 0).all()
    now = np.bincount(states[:, -1], minlength=7)[1:]
    found = forecast(moving, now, steps)
    assert found.shape == (steps + 1, S)
    assert found.sum(axis=1) == pytest.approx(now.sum())
    assert found[-1] == pytest.approx(now @ np.linalg.matrix_power(moving, steps))


def test_a_known_chain_is_forecast_as_its_power() -> None:
    states = chained(4000, 8)
    moving = chain(count_moves(states, np.ones(len(states))))
    assert moving[A, A] == pytest.approx(0.8, abs=0.01)
    assert forecast(moving, np.eye(S, dtype=int)[A], 2)[-1, A] == pytest.approx(0.8**2 + 0.2**2, abs=0.01)


def scores(states: np.ndarray, **options: object) -> dict[tuple[int, str, str], object]:
    asked = {"steps": (1, 2), "origins": 2, "window": 99, "draws": 60, "confidence": 0.95, "seed": 0} | options
    return {(one.steps, one.method, one.metric): one for one in backtest(states, **asked)}  # type: ignore[arg-type]


def test_markov_is_ahead_where_users_move_and_not_where_they_stay() -> None:
    moving = scores(chained(800, 8, stay=0.3))
    better = moving[1, "markov", "brier"]
    assert better.estimate.value == pytest.approx(2 * 0.3 * 0.7, abs=0.03)  # 1 - Σp², the best there is
    assert better.difference.high < 0
    assert moving[1, "as_last_time", "brier"].estimate.value == pytest.approx(2 * 0.7, abs=0.05)
    assert moving[1, "markov", "accuracy"].estimate.value == pytest.approx(0.7, abs=0.03)
    still = scores(np.repeat(coded([ACTIVE], [CHURNED]), 6, axis=1)[np.arange(400) % 2])
    assert still[2, "as_last_time", "brier"].estimate.value == 0
    assert still[2, "markov", "brier"].difference.value >= 0
    assert still[1, "markov", "share_error"].estimate.value < 0.01


def test_a_forecast_knows_nothing_after_its_origin() -> None:
    states = chained(300, 8, stay=0.9)
    turned = states.copy()
    turned[:, -1] = LAPSING + ACTIVE - states[:, -2]  # everyone changes at last: judged by it, not learned from it
    found = scores(turned, steps=(1,), origins=1, window=1)[1, "markov", "accuracy"]
    assert found.estimate.value == 0
    recent = scores(
        np.concatenate([chained(300, 6, 0.1), chained(300, 6, 0.9)], axis=1), steps=(1,), origins=1, window=3
    )
    assert recent[1, "markov", "accuracy"].estimate.value > 0.8
    with pytest.raises(DataError, match="at least 4 moments"):
        scores(states[:, :3])
    with pytest.raises(DataError, match="at least two moments"):
        transitions(states[:, :1], 0.95)

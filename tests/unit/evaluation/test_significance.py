"""Intervals hold what they promise: coverage, false alarms, users rather than queries."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.significance import Bootstrap, over_seeds, paired_difference

USERS = 120


def world(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users with 1 to 8 queries each, who differ from one another; noise that two models share."""
    user = np.repeat(np.arange(USERS), rng.integers(1, 9, USERS))
    return user, rng.normal(0, 1, USERS)[user], rng.normal(0, 0.5, len(user))


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, inside, runs = np.random.default_rng(0), 0, 400
    for run in range(runs):
        user, effect, noise = world(rng)
        found = Bootstrap(user, 300, 0.9, run).mean(effect + noise)
        inside += found.low <= 0 <= found.high
    assert inside / runs == pytest.approx(0.9, abs=0.05)


def test_intervals_that_ignored_users_would_be_too_narrow() -> None:
    user, effect, noise = world(np.random.default_rng(1))
    by_user = Bootstrap(user, 500, 0.9, 0).mean(effect + noise)
    by_query = Bootstrap(np.arange(len(user)), 500, 0.9, 0).mean(effect + noise)
    assert by_user.high - by_user.low > 1.3 * (by_query.high - by_query.low)


def test_two_equal_models_are_called_different_as_rarely_as_promised() -> None:
    rng, alarms, runs = np.random.default_rng(2), 0, 400
    for run in range(runs):
        user, effect, noise = world(rng)
        a, b = effect + noise + rng.normal(0, 0.2, len(user)), effect + noise + rng.normal(0, 0.2, len(user))
        found = paired_difference(a, b, Bootstrap(user, 300, 0.9, run))
        alarms += found.low > 0 or found.high < 0
    assert alarms / runs == pytest.approx(0.1, abs=0.05)


def test_pairing_sees_what_two_intervals_hide() -> None:
    user, effect, noise = world(np.random.default_rng(3))
    bootstrap = Bootstrap(user, 500, 0.95, 0)
    a, b = effect + noise + 0.05, effect + noise
    found = paired_difference(a, b, bootstrap)
    assert found.low > 0.04
    assert bootstrap.mean(b).high > bootstrap.mean(a).low


def test_several_figures_share_their_draws() -> None:
    user, effect, noise = world(np.random.default_rng(4))
    bootstrap = Bootstrap(user, 200, 0.9, 7)
    together = bootstrap.means(np.stack([effect, noise], axis=1))
    for one, alone in zip(together, (bootstrap.mean(effect), bootstrap.mean(noise)), strict=True):
        assert (one.low, one.high) == pytest.approx((alone.low, alone.high))


def test_queries_that_were_not_asked_are_left_out() -> None:
    user = np.repeat(np.arange(10), 2)
    values = np.tile([1.0, np.nan], 10)
    assert Bootstrap(user, 100, 0.9, 0).mean(values).value == 1
    assert np.isnan(Bootstrap(user, 100, 0.9, 0).mean(np.full(20, np.nan)).value)


def test_one_user_gives_a_figure_and_no_interval() -> None:
    found = Bootstrap(np.zeros(5, int), 100, 0.9, 0).mean(np.arange(5.0))
    assert found.value == 2
    assert found.record() == {"value": 2.0, "low": None, "high": None}


def test_seeds_widen_the_interval() -> None:
    user, effect, noise = world(np.random.default_rng(5))
    bootstrap = Bootstrap(user, 500, 0.9, 0)
    steady, _ = over_seeds([noise, noise, noise], bootstrap)
    drawn, spread = over_seeds([noise - 0.3, noise, noise + 0.3], bootstrap)
    assert drawn.value == pytest.approx(steady.value)
    assert drawn.high - drawn.low > 2 * (steady.high - steady.low)
    assert spread == pytest.approx(0.3)
    alone, nothing = over_seeds([effect], bootstrap)
    assert alone == bootstrap.mean(effect)
    assert np.isnan(nothing)

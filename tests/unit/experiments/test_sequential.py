"""Intervals that are looked at after every user: how often they cry wolf, and how soon they see a wolf."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from components.experiments.sequential import Floats, difference_path, half_width, mean_path, sample_ratio

LEVEL, AIM, LEAST, USERS, RUNS = 0.05, 2_000, 100, 4_000, 300


def conversions(rng: np.random.Generator, rate: float) -> Floats:
    return (rng.random(USERS) < rate).astype(float)


def spending(rng: np.random.Generator) -> Floats:
    """Most spend nothing, a few spend much."""
    return np.where(rng.random(USERS) < 0.2, rng.lognormal(0.0, 1.0, USERS), 0.0)


def fixed_horizon(values: Floats, treated: np.ndarray) -> tuple[Floats, Floats]:
    """The ordinary t interval of a difference after each user: what a dashboard shows."""
    parts = []
    for mine in (treated, ~treated):
        n = np.maximum(np.cumsum(mine), 2)
        mean = np.cumsum(values * mine) / n
        parts.append((n, mean, (np.cumsum(values**2 * mine) / n - mean**2) / (n - 1)))
    (n1, m1, v1), (n0, m0, v0) = parts
    width = student.ppf(1 - LEVEL / 2, n1 + n0 - 2) * np.sqrt(v1 + v0)
    early = (n1 < LEAST) | (n0 < LEAST)
    return np.where(early, -np.inf, m1 - m0 - width), np.where(early, np.inf, m1 - m0 + width)


@pytest.mark.parametrize("kind", ["common", "rare", "spending", "uneven"])
def test_peeking_after_every_user_without_an_effect_keeps_the_level(kind: str) -> None:
    rng = np.random.default_rng(20_250)
    share = 0.1 if kind == "uneven" else 0.5
    alarms = ordinary = 0
    for _ in range(RUNS):
        values = spending(rng) if kind == "spending" else conversions(rng, 0.03 if kind == "rare" else 0.3)
        treated = rng.random(USERS) < share
        path = difference_path(values, treated, LEVEL, AIM, LEAST)
        alarms += bool(np.any((path.low > 0) | (path.high < 0)))
        low, high = fixed_horizon(values, treated)
        ordinary += bool(np.any((low > 0) | (high < 0)))
    assert alarms / RUNS <= LEVEL
    assert ordinary / RUNS > 3 * LEVEL  # the ordinary interval, peeked at alike


def test_an_effect_is_found_and_covered() -> None:
    rng = np.random.default_rng(7)
    found = missed = 0
    for _ in range(100):
        treated = rng.random(USERS) < 0.5
        values = np.where(treated, conversions(rng, 0.38), conversions(rng, 0.30))
        path = difference_path(values, treated, LEVEL, AIM, LEAST)
        found += bool(np.any(path.low > 0))
        missed += bool(np.any((path.low > 0.08) | (path.high < 0.08)))
    assert found >= 95
    assert missed <= 5


def test_the_price_is_about_two_thirds_where_it_is_tuned() -> None:
    ratio = half_width(np.array(1.0), np.array(AIM), LEVEL, AIM) / (1.96 / np.sqrt(AIM))
    assert 1.4 < float(ratio) < 1.75


def test_a_mean_is_covered_at_every_moment() -> None:
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(200):
        path = mean_path(conversions(rng, 0.3), LEVEL, AIM, LEAST)
        missed += bool(np.any((path.low > 0.3) | (path.high < 0.3)))
    assert missed <= 10


def test_too_few_or_too_like_users_say_nothing() -> None:
    few = difference_path(np.ones(150), np.arange(150) % 2 == 0, LEVEL, AIM, LEAST)
    assert np.isnan(few.low).all()
    rare = np.zeros(1_000)
    rare[:9] = 1.0  # of both arms together
    assert np.isnan(difference_path(rare, np.arange(1_000) % 2 == 0, LEVEL, AIM, LEAST).low).all()
    assert np.isnan(mean_path(np.ones(0), LEVEL, AIM, LEAST).last).all()


def test_the_share_of_users_is_watched() -> None:
    assert not sample_ratio(5_050, 4_950, 0.5).broken
    assert sample_ratio(5_400, 4_600, 0.5).broken
    assert sample_ratio(9_500, 500, 0.1).broken
    assert sample_ratio(0, 0, 0.5).p_value == 1.0


def test_watching_the_share_after_every_user_seldom_warns_for_nothing() -> None:
    rng = np.random.default_rng(11)
    warned = 0
    for _ in range(100):
        mine = np.cumsum(rng.random(2_000) < 0.3)
        warned += any(sample_ratio(n - int(mine[n - 1]), int(mine[n - 1]), 0.3).broken for n in range(50, 2_001, 50))
    assert warned <= 1

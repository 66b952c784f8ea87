"""Entropies against closed forms, their bias, and slopes that are found where they were planted alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evolution.interests.diversity import Diversity, diversity
from components.evolution.interests.widening import slope, widening
from components.evolution.sequences import Sequences, Windows, sequences, sliding
from tests.unit.evolution.planted import log_of

DAY = 86_400


def whole(label: np.ndarray, kinds: int) -> Diversity:
    """One unit, one window."""
    n = len(label)
    zero = np.zeros(n, np.int64)
    found = Sequences(np.array([0, n]), np.arange(n), np.asarray(label, np.int64), kinds, zero, np.arange(n))
    return diversity(found, Windows(np.zeros(1, np.int64), 0, np.zeros((1, 1), np.int64), np.full((1, 1), n)))


def test_entropy_gini_and_corrections_by_hand() -> None:
    found = whole(np.repeat([0, 1, 2], [6, 3, 1]), 5)
    share = np.array([0.6, 0.3, 0.1])
    assert found.entropy[0, 0] == pytest.approx(-np.sum(share * np.log(share)))
    assert found.miller_madow[0, 0] == pytest.approx(found.entropy[0, 0] + 2 / 20)
    covered = 0.9 * share  # one label was seen once
    expected = -np.sum(covered * np.log(covered) / (1 - (1 - covered) ** 10))
    assert found.chao_shen[0, 0] == pytest.approx(expected)
    assert found.gini[0, 0] == pytest.approx(1 / 3)  # Σ|xᵢ - xⱼ| / (2 n² mean) of 6, 3, 1
    assert found.labels[0, 0] == 3
    assert whole(np.repeat(np.arange(8), 1000), 8).effective[0, 0] == pytest.approx(8, rel=1e-3)
    assert whole(np.zeros(9, int), 1).chao_shen[0, 0] == 0


@settings(max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_laws_of_entropy(label: list[int]) -> None:
    found = whole(np.array(label), 7)
    k, n = len(set(label)), len(label)
    assert 0 <= found.entropy[0, 0] <= np.log(k) + 1e-9
    assert found.miller_madow[0, 0] == pytest.approx(found.entropy[0, 0] + (k - 1) / (2 * n))
    assert np.isfinite(found.chao_shen[0, 0])
    assert -1e-9 <= found.gini[0, 0] < 1
    renamed = whole((np.array(label) + 3) % 7, 7)
    assert renamed.chao_shen[0, 0] == pytest.approx(found.chao_shen[0, 0])


def test_corrections_take_most_of_the_bias_out() -> None:
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.ones(30))
    truth = -np.sum(share * np.log(share))
    found = [whole(rng.choice(30, 25, p=share), 30) for _ in range(300)]
    bias = [abs(np.mean([getattr(one, name)[0, 0] for one in found]) - truth) for name in ("entropy", "chao_shen")]
    assert bias[0] > 0.3
    assert bias[1] < bias[0] / 3


def test_novelty_by_hand() -> None:
    log = log_of(np.zeros(6, int), np.array([0, 1, 10, 11, 12, 25]) * DAY, np.array([0, 1, 2, 2, 1, 0]))
    found = sequences(log, log.category, 3, None)
    novel = diversity(found, sliding(found, 10 * DAY, 10 * DAY)).novelty[0]
    np.testing.assert_allclose(novel, [np.nan, 2 / 3])


def test_slope_equals_least_squares() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 9))
    np.testing.assert_allclose(slope(values), np.polyfit(np.arange(9), values.T, 1)[0])
    values[0, [0, 4]] = np.nan
    there = ~np.isnan(values[0])
    assert slope(values)[0] == pytest.approx(np.polyfit(np.flatnonzero(there), values[0, there], 1)[0])


def people(rng: np.random.Generator, users: int, widen: int, per_day: int = 1) -> Sequences:
    """Users with one kind a day; the first `widen` of them come to use ever more kinds, 2 to 12, over 120 days."""
    user, day = np.repeat(np.arange(users), 120), np.tile(np.arange(120), users)
    kinds = np.where(user < widen, 2 + day // 12, 6)
    kind = (rng.random(len(user)) * kinds).astype(int)
    clock = np.repeat(day, per_day) * DAY + np.tile(np.arange(per_day), len(user)) * 60
    log = log_of(np.repeat(user, per_day), clock, np.repeat(kind, per_day))
    return sequences(log, log.category, 12, None)


def test_planted_widening_is_found() -> None:
    found = people(np.random.default_rng(2), 60, 15)
    answer = widening(found, sliding(found, 30 * DAY, 10 * DAY), 10, True, 999, 0)
    assert (answer.q[:15] <= 0.05).mean() > 0.9
    assert (answer.slope[:15] > 0).all()
    assert (answer.q[15:] <= 0.05).sum() <= 2
    none = widening(found, sliding(found, 60 * DAY, 60 * DAY), 10, True, 9, 0)
    assert np.isnan(none.slope).all()  # two windows tell no slope


def test_overlap_and_days_of_one_kind_raise_nominal_alarms() -> None:
    found = people(np.random.default_rng(3), 400, 0, per_day=3)
    windows = sliding(found, 30 * DAY, 10 * DAY)
    rate = (widening(found, windows, 10, True, 199, 0).p <= 0.05).mean()
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert (widening(found, windows, 10, False, 199, 0).p <= 0.05).mean() > 0.1

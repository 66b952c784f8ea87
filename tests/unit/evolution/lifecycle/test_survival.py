"""Time to the next occasion or to being lost, with those who were lost sight of."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import DataError
from components.evolution.lifecycle.survival import (
    Durations,
    fit_cox,
    kaplan_meier,
    log_rank,
    until_next,
    until_second,
)
from tests.unit.evolution.lifecycle.logs import days


def test_times_by_hand() -> None:
    log = days([0, 3, 9], [5], [1, 12], [11])
    found = until_next(log, 4, 11)  # user0 comes on 9; user2 after the end; the others are not there or do not come
    assert found.time.tolist() == [6, 7]
    assert found.happened.tolist() == [True, False]
    found = until_second(log, 11)
    assert found.time.tolist() == [3, 5, 9]
    assert found.happened.tolist() == [True, False, False]
    assert until_second(log, 13).time.tolist() == [3, 7, 11, 1]


def test_kaplan_meier_is_the_share_left_and_its_band_is_greenwoods() -> None:
    time = np.array([1.0, 2, 2, 3, 4])
    found = kaplan_meier(Durations(time, np.array([True, True, False, True, False])), 0.95)
    assert found["time"].to_list() == [0, 1, 2, 3, 4]
    assert found["survival"].to_numpy() == pytest.approx([1, 0.8, 0.6, 0.3, 0.3])
    assert found["at_risk"].to_list() == [5, 5, 4, 2, 1]
    # exponential Greenwood at time 3: variance of log(-log S) is Σ d/(n(n-d)) / log²S
    reach = 1.959964 * np.sqrt(1 / 20 + 1 / 12 + 1 / 2) / np.log(0.3)
    assert found["low"][3] == pytest.approx(0.3 ** np.exp(-reach), rel=1e-5)
    assert found["high"][3] == pytest.approx(0.3 ** np.exp(reach), rel=1e-5)


def test_bands_hold_the_truth_and_groups_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(60):
        life, watched = rng.exponential(10, 150), rng.uniform(0, 25, 150)
        found = kaplan_meier(Durations(np.minimum(life, watched), life <= watched), 0.9)
        row = found.filter(found["time"] <= 8).tail(1)
        held.append(row["low"][0] <= np.exp(-0.8) <= row["high"][0])
    assert 0.8 < np.mean(held) < 0.99
    slow = np.arange(150) % 2 == 0
    life = rng.exponential(np.where(slow, 20, 8))
    group = np.where(slow, "slow", "quick").astype(object)
    durations = Durations(life, np.ones(150, bool))
    assert log_rank(durations, group) < 0.01
    assert log_rank(durations, rng.permutation(group)) > 0.01
    assert np.isnan(log_rank(durations, np.full(150, "one", object)))
    curves = kaplan_meier(durations, 0.9, group)
    assert curves["group"].unique().sort().to_list() == ["quick", "slow"]


def drawn(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    traits = {"matters": rng.normal(3, 2, n), "idle": rng.normal(0, 1, n), "constant": np.ones(n)}
    return traits, rng.exponential(30 * np.exp(-0.5 * (traits["matters"] - 3) / 2))


def test_cox_finds_the_ratio_that_was_drawn() -> None:
    traits, life = drawn(1500, 0)
    found = fit_cox(Durations(np.minimum(life, 40), life <= 40), traits, 0.99)
    table = {row["covariate"]: row for row in found.table.to_dicts()}
    assert set(table) == {"matters", "idle"}
    assert table["matters"]["low"] < np.exp(0.5) < table["matters"]["high"]
    assert table["idle"]["low"] < 1 < table["idle"]["high"]
    assert found.concordance > 0.6
    assert found.verdict.startswith("No sign")
    # the chance within 40 is 1-exp(-40/mean)
    truth = 1 - np.exp(-40 / (30 * np.exp(-0.5 * (traits["matters"] - 3) / 2)))
    assert np.abs(found.p_happened(traits, 40) - truth).mean() < 0.03


def test_hazards_that_cross_are_said_not_to_be_proportional() -> None:
    rng = np.random.default_rng(1)
    early = rng.random(800) < 0.5
    life = np.where(early, 20 * rng.weibull(0.5, 800), 20 * rng.weibull(3, 800))
    found = fit_cox(Durations(life, np.ones(800, bool)), {"early": early.astype(float)}, 0.95)
    assert not found.table["proportional"][0]
    assert "not proportional in early" in found.verdict


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match="0 events"):
        fit_cox(Durations(np.ones(9), np.zeros(9, bool)), {"a": np.arange(9.0)}, 0.95)
    with pytest.raises(DataError, match="0 traits"):
        fit_cox(Durations(np.ones(9), np.ones(9, bool)), {"a": np.ones(9)}, 0.95)

"""Measures against scikit-learn and hand; intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from components.evolution.lifecycle.measures import (
    CHANCES,
    COUNTS,
    auc,
    brier,
    compare,
    ece,
    log_loss,
    spread,
    total_error,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 60))
def test_as_scikit_learn_says(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    truth, said, weight = (
        rng.integers(0, 2, n).astype(float),
        rng.integers(1, 6, n) / 7,
        rng.integers(0, 4, n).astype(float),
    )
    if min(np.dot(weight, truth), np.dot(weight, 1 - truth)) == 0:
        return
    assert auc(truth, said, weight) == pytest.approx(roc_auc_score(truth, said, sample_weight=weight))
    assert brier(truth, said, weight) == pytest.approx(brier_score_loss(truth, said, sample_weight=weight))
    assert log_loss(truth, said, weight) == pytest.approx(sklearn_log_loss(truth, said, sample_weight=weight))
    assert ece(truth, said, weight) <= 1


def test_calibration_error_by_hand() -> None:
    said = np.repeat([0.2, 0.8], 50)
    right = np.concatenate([np.arange(50) < 10, np.arange(50) < 40]).astype(float)
    assert ece(right, said, np.ones(100)) == pytest.approx(0)
    assert ece(1 - right, said, np.ones(100)) == pytest.approx(0.6)
    assert ece(right, 0 * said + 0.5, np.ones(100)) == pytest.approx(0)  # right on the whole, and says nothing
    assert np.isnan(auc(np.ones(3), np.arange(3.0), np.ones(3)))
    assert np.isnan(total_error(np.zeros(3), np.ones(3), np.ones(3)))
    assert total_error(np.array([1.0, 3]), np.array([3.0, 3]), np.ones(2)) == 0.5


def test_intervals_are_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(0)
    truth, said = rng.normal(5, 2, 500), np.zeros(500)
    (found,) = (v for v in compare(truth, {"zero": said}, "zero", COUNTS, 400, 0.95, 1) if v.measure == "mae")
    assert found.estimate.high - found.estimate.low == pytest.approx(
        2 * 1.96 * np.abs(truth).std() / 500**0.5, rel=0.12
    )
    assert found.difference.value == found.difference.low == found.difference.high == 0


def test_a_better_method_is_told_from_a_worse_and_from_itself() -> None:
    rng = np.random.default_rng(2)
    chance = rng.random(800)
    truth = (rng.random(800) < chance).astype(float)
    said = {"none": np.full(800, truth.mean()), "knows": chance, "knows too": chance}
    found = {(v.method, v.measure): v for v in compare(truth, said, "none", CHANCES, 100, 0.95, 0)}
    assert found["knows", "brier"].difference.high < 0
    assert found["knows", "auc"].difference.low > 0
    assert found["knows", "auc"] == pytest.approx(found["knows", "auc"])
    assert found["knows too", "ece"].estimate == found["knows", "ece"].estimate
    assert found["none", "auc"].estimate.value == 0.5


def test_nothing_can_be_said_of_no_draws() -> None:
    found = spread(np.array([1.0, np.nan, 2.0]), 0.95)
    assert found.value == 1
    assert np.isnan([found.low, found.high]).all()

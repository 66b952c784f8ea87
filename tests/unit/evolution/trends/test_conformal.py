"""Intervals hold what they promise on errors like those they were calibrated on, and say when they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.evolution.trends.conformal import calibrate, difficulty

LEVELS = np.arange(1, 10) / 10


@pytest.mark.parametrize("origins", [1, 3, 5])
@pytest.mark.parametrize("tail", [2.5, 30.0])
def test_coverage_of_series_of_all_sizes(origins: int, tail: float) -> None:
    rng = np.random.default_rng(3)
    size = np.exp(rng.normal(0, 2, 400))  # of what the scale tells of a series
    hard = np.exp(rng.normal(0, 0.5, 400))  # and of what it does not
    growth = np.sqrt(1 + np.arange(6))

    def errors(count: int) -> np.ndarray:
        return rng.standard_t(tail, (count, 400, 6)) * (size * hard)[:, None] * growth

    found = calibrate(errors(origins), size, LEVELS)
    quantiles = found.quantiles(np.zeros((400, 6)))
    future = errors(20)
    inside = (future >= quantiles[:, :, 0]) & (future <= quantiles[:, :, -1])
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    assert inside.mean((0, 1)) == pytest.approx(np.full(6, 0.8), abs=0.05)  # at each horizon
    median = (future <= quantiles[:, :, 4]).mean()
    assert median == pytest.approx(0.5, abs=0.03)


def test_skewed_errors_have_skewed_intervals() -> None:
    rng = np.random.default_rng(4)
    found = calibrate(rng.exponential(1.0, (4, 300, 2)), np.ones(300), LEVELS)
    quantiles = found.quantiles(np.zeros((300, 2)))
    assert (quantiles[:, :, 0] > 0).all()
    assert (quantiles[:, :, -1] - quantiles[:, :, 4] > quantiles[:, :, 4] - quantiles[:, :, 0]).all()


@settings(max_examples=20)
@given(st.floats(1e-3, 1e6))
def test_intervals_grow_with_the_unit(factor: float) -> None:
    residual = np.random.default_rng(5).normal(size=(3, 20, 2))
    one = calibrate(residual, np.ones(20), LEVELS).quantiles(np.zeros((20, 2)))
    other = calibrate(factor * residual, np.full(20, factor), LEVELS).quantiles(np.zeros((20, 2)))
    assert other == pytest.approx(factor * one, rel=1e-6)


def test_constant_series_and_unknown_scales() -> None:
    residual = np.random.default_rng(6).normal(size=(3, 20, 2))
    residual[:, 0] = 0.0
    scale = np.ones(20)
    scale[1] = np.nan
    found = difficulty(residual, scale)
    assert (found > 0).all()
    assert np.isfinite(calibrate(residual, scale, LEVELS).quantiles(np.zeros((20, 2)))).all()


def test_too_few_errors_for_the_level() -> None:
    with pytest.raises(DataError, match="at least 9 errors"):
        calibrate(np.zeros((2, 4, 3)), np.ones(4), LEVELS)
    calibrate(np.ones((3, 3, 3)), np.ones(3), LEVELS)


def test_the_floor() -> None:
    found = calibrate(np.random.default_rng(7).normal(size=(3, 20, 2)), np.ones(20), LEVELS)
    assert found.quantiles(np.zeros((20, 2)), np.zeros(20)).min() == 0.0

"""Accuracy against numbers by hand, and what never changes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from components.evolution.trends.accuracy import (
    crps,
    inside,
    mase,
    mean_over_series,
    mse,
    r2,
    scale_of,
    skill,
    smape,
    wape,
)
from components.evolution.trends.panel import panel_of
from components.evolution.trends.simple import naive, seasonal_mean, seasonal_naive


def test_by_hand() -> None:
    actual, point = np.array([[2.0, 4.0]]), np.array([[1.0, 6.0]])
    assert mse(actual, point).tolist() == [2.5]
    assert mase(actual, point, np.array([3.0])).tolist() == [0.5]
    assert smape(actual, point)[0] == pytest.approx(200 * (1 / 3 + 2 / 10) / 2)
    assert wape(actual, point) == 0.5
    assert r2(actual, point, np.ones(1)) == pytest.approx(1 - 5 / 2)
    assert r2(actual, actual, np.ones(1)) == 1.0


def test_scale_uses_the_season_and_falls_back() -> None:
    panel = panel_of([[1.0, 5.0, 2.0, 7.0], [3.0, 4.0], [2.0, 2.0, 2.0, 2.0]], (2,), ["a", "b", "c"])
    scale = scale_of(panel)
    assert scale[:2].tolist() == [1.5, 1.0]
    assert np.isnan(scale[2])
    assert scale_of(panel, 1)[0] == 4.0


@given(st.floats(0.01, 1e6))
def test_mase_knows_no_unit(factor: float) -> None:
    panel = panel_of([np.array([1.0, 4.0, 2.0, 8.0])], (1,), ["a"])
    larger = panel_of([factor * panel.values[0]], (1,), ["a"])
    one = mase(np.array([[3.0]]), naive(panel, 1), scale_of(panel))
    other = mase(np.array([[3.0 * factor]]), naive(larger, 1), scale_of(larger))
    assert one == pytest.approx(other)


def test_crps_of_a_normal() -> None:
    levels = np.arange(1, 200) / 200
    quantiles = norm.ppf(levels)[None, None]
    known = 2 * norm.pdf(0.5) + 0.5 * (2 * norm.cdf(0.5) - 1) - 1 / np.sqrt(np.pi)  # Gneiting, Raftery (2007), eq. 21
    assert crps(np.array([[0.5]]), quantiles, levels)[0] == pytest.approx(known, abs=0.005)


def test_crps_prefers_the_truth() -> None:
    actual = np.random.default_rng(0).normal(size=(500, 4))
    levels = np.arange(1, 10) / 10
    shape = (500, 4, 9)
    true, wide, off = (np.broadcast_to(norm.ppf(levels, mean, sd), shape) for mean, sd in ((0, 1), (0, 3), (1, 1)))
    found = [crps(actual, quantiles, levels).mean() for quantiles in (true, wide, off)]
    assert found[0] == min(found)


def test_inside_holds_its_ends() -> None:
    one = np.ones((1, 1))
    assert inside(one, one, one).all()
    assert not inside(one, one + 0.1, one + 1).any()


def test_paired_differences_are_surer() -> None:
    rng = np.random.default_rng(1)
    base = rng.gamma(1.0, 5.0, 200)
    better = base - 0.1 + rng.normal(0, 0.01, 200)
    paired = skill(better, base)
    assert paired.high < 0
    assert mean_over_series(better).high > mean_over_series(base).low
    assert np.isnan(mean_over_series(np.array([np.nan])).value)


def test_simple_forecasts() -> None:
    panel = panel_of([[1.0, 2.0, 3.0, 4.0, 7.0, 8.0], [9.0]], (1, 3), ["a", "b"])
    assert naive(panel, 2).tolist() == [[8.0, 8.0], [9.0, 9.0]]
    assert seasonal_naive(panel, 4, 3).tolist() == [[4.0, 7.0, 8.0, 4.0], [9.0] * 4]
    assert seasonal_mean(panel, 4, 2).tolist() == [[2.5, 4.5, 5.5, 2.5], [9.0, 9.0, 9.0, 9.0]]
    assert seasonal_naive(panel, 2, 99).tolist() == naive(panel, 2).tolist()

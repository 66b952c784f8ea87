"""Forecasts of all levels add up, and reconciling keeps what is right and helps what is not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.evolution.trends.hierarchy import (
    Hierarchy,
    Weighting,
    _covariance,
    adds_up,
    bottom_up,
    hierarchy,
    reconcile,
)
from components.evolution.trends.panel import Panel

KEYS = pl.DataFrame({"action": ["buy", "buy", "view", "view"], "region": ["a", "b", "a", "b"]})
LEVELS = [(), ("action",), ("region",)]
WEIGHTINGS: tuple[Weighting, ...] = ("structure", "variance", "shrunk")


def tree() -> Hierarchy:
    return hierarchy(Panel(np.arange(1.0, 13.0).reshape(4, 3), KEYS, (1,)), LEVELS)


def test_levels() -> None:
    found = tree()
    assert found.panel.keys.rows()[:5] == [("*", "*"), ("buy", "*"), ("view", "*"), ("*", "a"), ("*", "b")]
    assert found.panel.values[0].tolist() == [22.0, 26.0, 30.0]
    assert adds_up(found, found.panel.values)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(WEIGHTINGS))
def test_reconciled_points_add_up(seed: int, weighting: Weighting) -> None:
    rng = np.random.default_rng(seed)
    found = tree()
    base = rng.normal(size=(9, 2))
    residual = rng.normal(size=(4, 9)) * np.exp(rng.normal(size=9))
    points = reconcile(found, base, weighting, residual)
    assert not adds_up(found, base)
    assert adds_up(found, points)
    assert reconcile(found, points, weighting, residual) == pytest.approx(points)  # a projection


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_what_adds_up_stays(weighting: Weighting) -> None:
    found = tree()
    truth = bottom_up(found, np.array([[1.0], [2.0], [3.0], [4.0]]))
    residual = np.random.default_rng(0).normal(size=(5, 9))
    assert reconcile(found, truth, weighting, residual) == pytest.approx(truth)


def test_two_segments_by_hand() -> None:
    """W = diag(2, 1, 1): the surplus of 3 is shared so that each series moves by its variance."""
    panel = Panel(np.ones((2, 2)), pl.DataFrame({"s": ["a", "b"]}), (1,))
    found = reconcile(hierarchy(panel, [()]), np.array([[10.0], [4.0], [3.0]]), "structure")
    assert found[:, 0] == pytest.approx([10 - 3 / 2, 4 + 3 / 4, 3 + 3 / 4])


def test_mint_is_better_than_either_level_alone() -> None:
    rng = np.random.default_rng(1)
    found = tree()
    spread = np.array([1.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0])
    base = rng.normal(size=(9, 4000)) * spread[:, None]  # errors around a truth of 0
    residual = rng.normal(size=(400, 9)) * spread
    mint = (reconcile(found, base, "shrunk", residual) ** 2).sum(0).mean()
    assert mint < (bottom_up(found, base[-4:]) ** 2).sum(0).mean()
    assert mint < (base**2).sum(0).mean()


def test_few_errors_of_many_series_still_make_a_covariance() -> None:
    residual = np.random.default_rng(2).normal(size=(4, 9))
    found = _covariance(residual, "shrunk")
    assert np.linalg.eigvalsh(found).min() > 0.01  # of rank 4 without shrinkage
    assert np.diag(found) == pytest.approx((residual**2).mean(0))


def test_what_is_missing() -> None:
    with pytest.raises(DataError, match="dimensions among"):
        hierarchy(Panel(np.ones((4, 1)), KEYS, (1,)), [("device",)])
    with pytest.raises(DataError, match="at least 2 errors"):
        reconcile(tree(), np.zeros((9, 1)), "shrunk")
    with pytest.raises(DataError, match="points of all 9"):
        reconcile(tree(), np.zeros((4, 1)), "structure")

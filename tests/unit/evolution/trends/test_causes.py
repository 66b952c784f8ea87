"""What made a peak: shares add up, and the segment that made it comes first."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.evolution.trends.causes import causes
from components.evolution.trends.panel import Panel

KEYS = pl.DataFrame(
    {"action": ["buy", "buy", "view", "view"], "region": ["a", "b", "a", "b"], "device": ["x", "x", "x", "x"]}
)


def test_the_planted_segment_comes_first() -> None:
    usual = np.full((4, 10), 100.0)
    values = usual.copy()
    values[2, 4:6] += 300  # views in a
    values[3, 4:6] -= 10
    found = causes(Panel(values, KEYS, (1,)), usual, 4, 5)
    assert found.excess == 580.0
    assert found.segments[0].value == "view · a · x"
    assert found.segments[0].share == pytest.approx(600 / 580)
    assert found.segments[-1].share < 0
    assert found.shares["action"][0].value == "view"
    assert found.shares["region"][0].value == "a"
    assert list(found.dimensions)[-1] == "device"
    assert found.dimensions["device"] == 0.0


def test_a_rise_of_all_alike_surprises_no_dimension() -> None:
    usual = np.array([[10.0], [20.0], [30.0], [40.0]])
    found = causes(Panel(2 * usual, KEYS, (1,)), usual, 0, 0)
    assert list(found.dimensions.values()) == pytest.approx([0.0, 0.0, 0.0])
    assert [one.share for one in found.segments] == pytest.approx([0.4, 0.3, 0.2, 0.1])


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_shares_add_up_in_every_dimension(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, usual = rng.poisson(5.0, (4, 6)).astype(float), rng.gamma(2.0, 2.0, (4, 6))
    found = causes(Panel(values, KEYS, (1,)), usual, 1, 4)
    for shares in (*found.shares.values(), found.segments):
        assert sum(one.excess for one in shares) == pytest.approx(found.excess)
        assert sum(one.share for one in shares) == pytest.approx(1.0)
        assert all(0 <= one.surprise <= np.log(2) for one in shares)


def test_a_new_segment_has_all_of_its_excess() -> None:
    usual = np.array([[5.0], [5.0], [5.0], [np.nan]])
    values = np.array([[5.0], [5.0], [5.0], [9.0]])
    found = causes(Panel(values, KEYS, (1,)), usual, 0, 0)
    assert found.segments[0].value == "view · b · x"
    assert found.segments[0].expected == 0.0
    assert found.segments[0].share == 1.0


def test_what_cannot_be_shared() -> None:
    panel = Panel(np.ones((4, 3)), KEYS, (1,))
    with pytest.raises(DataError, match="a span inside"):
        causes(panel, panel.values, 2, 3)
    with pytest.raises(DataError, match="an excess"):
        causes(panel, panel.values, 0, 1)

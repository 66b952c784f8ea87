"""Series on one clock: what a panel refuses, how it is cut, and how it sums."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import DataError
from components.evolution.trends.panel import Panel, panel_of


def small() -> Panel:
    keys = pl.DataFrame({"action": ["buy", "buy", "view"], "region": ["a", "b", "a"]})
    values = np.array([[1.0, 2.0, 3.0], [np.nan, 5.0, 6.0], [7.0, 8.0, 9.0]])
    return Panel(values, keys, (1,))


def test_total_sums_over_the_other_dimensions() -> None:
    by_action = small().total(("action",))
    assert by_action.keys["action"].to_list() == ["buy", "view"]
    assert by_action.values.tolist() == [[1.0, 7.0, 9.0], [7.0, 8.0, 9.0]]
    assert small().total().values.tolist() == [[8.0, 15.0, 18.0]]


def test_a_total_begins_with_its_first_segment() -> None:
    panel = panel_of([[1.0], [2.0]], (1,), ["a", "b"])
    longer = panel_of([[1.0, 2.0], [3.0]], (1,), ["a", "b"])
    assert panel.total().values.tolist() == [[3.0]]
    assert longer.take(np.array([1])).total().length.tolist() == [1]


@given(st.integers(1, 3), st.integers(4, 9))
def test_until_and_after_share_no_step(back: int, steps: int) -> None:
    panel = panel_of([np.arange(steps, dtype=float)], (1,), ["a"])
    both = np.concatenate([panel.until(back).values, panel.after(back, back)], axis=1)
    assert np.array_equal(both, panel.values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1.0, np.nan]], "reach the last step"),
        ([[1.0, np.nan, 2.0]], "without gaps"),
        ([[1.0, np.inf]], "without gaps"),
        (np.zeros((1, 0)), "series with values"),
    ],
)
def test_what_is_no_panel(values: list[list[float]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Panel(np.array(values), pl.DataFrame({"series": ["a"]}), (1,))


def test_an_origin_before_a_series_began() -> None:
    with pytest.raises(DataError, match="more than 2 steps"):
        small().until(2)


def test_keys_and_seasons_must_fit() -> None:
    with pytest.raises(DataError, match="one key for each"):
        Panel(np.ones((2, 2)), pl.DataFrame({"series": ["a"]}), (1,))
    with pytest.raises(DataError, match="ascending cycle"):
        Panel(np.ones((1, 2)), pl.DataFrame({"series": ["a"]}), (7, 1))

"""Unusual days: planted events are found, and days without are flagged no more often than was stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import ConfigError, DataError
from components.evolution.trends.panel import Panel, panel_of
from components.evolution.trends.unusual import (
    DAYS_A_MONTH,
    Control,
    day_p_values,
    deviations,
    expected,
    flagged,
    unusual,
)

DAYS = 210


def city(seed: int, n: int = 1) -> Panel:
    """Poisson hours with a day and a week."""
    rng = np.random.default_rng(seed)
    steps = np.arange(24 * DAYS)
    rate = 40 * (1 + 0.7 * np.sin(2 * np.pi * steps / 24)) * (1 + 0.3 * (steps // 24 % 7 >= 5))
    return panel_of([rng.poisson(rate).astype(float) for _ in range(n)], (24, 168), [str(one) for one in range(n)])


@pytest.mark.parametrize("rate", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("past_only", [False, True])
def test_false_alarms_come_at_the_stated_rate_at_most(rate: float, past_only: bool) -> None:
    panel = city(0, n=8)
    found = unusual(panel, expected(panel, 4, past_only), 24, Control("rate", rate))
    stated = rate * 8 * DAYS / DAYS_A_MONTH
    assert len(found) <= stated + 2 * np.sqrt(stated)


def test_false_discoveries_where_nothing_happened() -> None:
    panel = city(1, n=20)
    found = unusual(panel, expected(panel, 4, False), 24, Control("discovery", 0.1))
    assert len({one.row for one in found}) <= 6  # 2 are expected


def test_planted_events_come_first() -> None:
    panel = city(2)
    for day, factor in ((60, 2.5), (61, 2.5), (120, 0.1), (180, 3.0)):
        panel.values[0, 24 * day + 8 : 24 * day + 20] *= factor
    found = unusual(panel, expected(panel, 4, False), 24, Control("rate", 1.0))
    spans = {(one.first // 24, one.last // 24) for one in found[:3]}
    assert spans == {(60, 61), (120, 120), (180, 180)}
    by_day = {one.first // 24: one for one in found}
    assert by_day[120].excess < 0 < by_day[180].excess
    assert by_day[120].deviation < 0
    assert 24 * 180 + 8 <= by_day[180].peak < 24 * 180 + 20


def test_an_event_is_no_part_of_what_is_usual() -> None:
    panel = city(3)
    before = expected(panel, 4, False)[0, 24 * 100 : 24 * 101].copy()
    panel.values[0, 24 * 100 : 24 * 101] = 1e6
    assert np.array_equal(expected(panel, 4, False)[0, 24 * 100 : 24 * 101], before)


def test_the_past_alone_never_sees_what_follows() -> None:
    panel = city(4)
    before = expected(panel, 4, past_only=True)[0, : 24 * 100].copy()
    panel.values[0, 24 * 100 :] = 1e6
    assert np.array_equal(expected(panel, 4, past_only=True)[0, : 24 * 100], before, equal_nan=True)
    assert np.isnan(before[:168]).all()


@settings(max_examples=20)
@given(st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
def test_deviations_know_neither_unit_nor_place(factor: float, place: float) -> None:
    residual = np.random.default_rng(5).normal(size=(1, 240))
    assert deviations(factor * residual + place, 24) == pytest.approx(deviations(residual, 24), abs=1e-6)


def test_a_slot_that_never_moves() -> None:
    residual = np.random.default_rng(6).normal(size=(1, 240))
    residual[:, ::24] = 0.0
    assert (deviations(residual, 24)[:, ::24] == 0.0).all()
    assert (deviations(np.zeros((1, 48)), 24) == 0.0).all()
    residual[0, 24] = 1.0  # one event in a slot without any is no wonder beside hours that scatter by 1
    assert 1 < deviations(residual, 24)[0, 24] < 15


def test_more_extreme_days_are_less_likely() -> None:
    deviation = np.abs(np.random.default_rng(7).normal(size=(1, 100)))
    p = day_p_values(deviation, 1)[0]
    assert np.array_equal(np.argsort(p), np.argsort(-deviation[0]))
    assert ((p >= 0) & (p <= 1)).all()


def test_benjamini_hochberg_by_hand() -> None:
    p = np.array([[0.010, 0.041, 0.020, 0.9, np.nan]])  # of four: thresholds .0125, .025, .0375, .05
    assert flagged(p, Control("discovery", 0.05)).tolist() == [[True, False, True, False, False]]


def test_what_is_no_control_and_no_panel() -> None:
    with pytest.raises(ConfigError, match="a rate of days"):
        Control("rate", 0.0)
    with pytest.raises(ConfigError, match="share below 1"):
        Control("discovery", 1.0)
    panel = panel_of([np.ones(30)], (24,), ["a"])
    with pytest.raises(DataError, match="two whole days"):
        unusual(panel, panel.values, 24, Control("rate", 1.0))


@pytest.mark.parametrize(("days", "mean"), [(70, 40.0), (70, 5.0), (365, 40.0)])
def test_short_logs_keep_the_stated_rate(days: int, mean: float) -> None:
    rng = np.random.default_rng(4)
    series, rate = 60, 0.5
    level = mean * np.exp(np.sin(np.arange(24) / 24 * 2 * np.pi))
    values = rng.poisson(np.tile(level, days), (series, 24 * days)).astype(float)
    panel = panel_of(list(values), (24, 168), [str(one) for one in range(series)])
    found = unusual(panel, expected(panel, 6, past_only=False), 24, Control("rate", rate))
    months = series * days / DAYS_A_MONTH
    assert len(found) <= rate * months + 3 * np.sqrt(rate * months)

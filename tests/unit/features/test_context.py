"""Fills, indicators, scales and flags, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from components.features import context
from components.params import FillParams, NumberParams

NAN = np.float32(np.nan)
START = np.array([0, 0, 0, 3, 3], np.int32)  # two users: three events and two


def number(scale: str, rule: str, value: float = 0.0) -> NumberParams:
    return NumberParams(scale=scale, fill=FillParams(rule=rule, value=value))


@pytest.mark.parametrize(
    ("scale", "centre", "spread"),
    [
        ("none", 0, 1),
        ("min_max", 1, 9),
        ("standard", 4, np.sqrt(12.5)),
        ("robust", 2.5, 3.25),  # quartiles 1.75 and 5 of 1 2 3 10
        ("log", np.mean(np.log([2, 3, 4, 11])), np.std(np.log([2, 3, 4, 11]))),
    ],
)
def test_scales(scale: str, centre: float, spread: float) -> None:
    values = np.array([1, 2, 3, 10, np.nan], np.float32)
    found = context.fit_scale(values, number(scale, "median"))
    if scale == "robust":
        spread = float(np.subtract(*np.quantile([1, 2, 3, 10], [0.75, 0.25])))
    assert (found.centre, found.spread) == pytest.approx((centre, spread))
    assert found.fill == 2.5


def test_a_constant_column_is_not_divided_by_zero() -> None:
    for scale in ("min_max", "standard", "robust", "log"):
        assert context.fit_scale(np.full(3, 7, np.float32), number(scale, "median")).spread == 1


def test_nothing_known_falls_back_to_the_constant() -> None:
    found = context.fit_scale(np.full(3, np.nan, np.float32), number("standard", "median", 5.0))
    assert (found.fill, found.centre, found.spread) == (5.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("constant", [9, 4, 9, 9, 8]),
        ("median", [6, 4, 6, 6, 8]),
        ("interpolate", [6, 4, 4, 6, 8]),  # the user's last known value; the median before the first, never the next
    ],
)
def test_fill_rules_and_indicators(rule: str, expected: list[float]) -> None:
    values = np.array([NAN, 4, NAN, NAN, 8], np.float32)
    scale = context.fit_scale(values, number("none", rule, 9.0))
    other = np.arange(5, dtype=np.float32)
    numbers, missing = context.scaled(
        [other, values], [context.fit_scale(other, number("none", "median")), scale], START
    )
    assert numbers[:, 1].tolist() == expected
    assert numbers[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert missing.tolist() == [2, 0, 2, 2, 0]  # bit 1, of the second column
    assert missing.dtype == np.uint16


def test_scaled_values_have_the_statistics_of_training() -> None:
    values = np.random.default_rng(0).exponential(50, 5).astype(np.float32)
    scale = context.fit_scale(values, number("log", "median"))
    numbers, _ = context.scaled([values], [scale], START)
    assert numbers.mean() == pytest.approx(0, abs=1e-6)
    assert numbers.std() == pytest.approx(1, abs=1e-6)
    again, _ = context.scaled([values * 2], [scale], START)
    assert again.mean() > 0.1  # later days are not centred anew


def test_signed_log() -> None:
    values = np.array([-9.0, 0.0, 9.0], np.float32)
    assert context.transform(values, "log") == pytest.approx([-np.log(10), 0, np.log(10)])


def test_flags() -> None:
    limits = {"max_speed_kmh": 100.0, "max_events_per_user_day": 2.0, "max_value": 50.0, "max_duration_s": None}
    found = context.flags(
        np.array([NAN, 101, 100, 0, 0], np.float32),
        np.array([0, 1, 2, 0, 0], np.int32),
        np.array([NAN, 0, 0, -51, 50], np.float32),
        np.array([1e9, 0, 0, 0, 0], np.float32),
        limits,
    )
    assert found.tolist() == [0, context.SPEED, context.RATE, context.OUTLIER, 0]
    assert found.dtype == np.int8

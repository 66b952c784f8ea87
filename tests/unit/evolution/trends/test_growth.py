"""Growth is that of whole weeks: none in a constant week, what was planted where it was, an interval that holds it."""

from __future__ import annotations

import numpy as np
import pytest

from components.evolution.trends.happened import growth
from components.evolution.trends.series import shown
from tests.unit.evolution.planted import log_of

DAY, HOUR = 86_400, 3_600


@pytest.mark.parametrize("days", [14, 20, 24, 38, 45, 60])
def test_a_constant_week_does_not_grow(days: int) -> None:
    """Nine users with an event on weekdays and six at weekends: the length of the log makes no growth."""
    day = np.repeat(np.arange(days), np.where(np.arange(days) % 7 >= 5, 6, 1))
    log = log_of(np.repeat(np.arange(9), len(day)), np.tile(day * DAY + np.arange(len(day)) % 24 * HOUR, 9))
    found = growth(log, shown(log, [], "day"), 28)
    assert found["ratio"]["value"] == 1
    assert found["days"] % 7 == 0


def test_less_than_two_weeks_tell_no_growth() -> None:
    log = log_of(np.zeros(13, int), np.arange(13) * DAY)
    assert "missing" in growth(log, shown(log, [], "day"), 28)


def test_the_interval_holds_what_was_planted() -> None:
    """Users with rates of their own, that half as much again is planted on: 95 % intervals hold 1.5 about so often."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        rate = rng.gamma(1.0, 0.5, 60)[:, None] * np.where(np.arange(28) >= 14, 1.5, 1.0)
        count = rng.poisson(rate)
        count[0, [0, -1]] += 1  # the log has its first and its last day
        user, day = (np.repeat(axis.ravel(), count.ravel()) for axis in np.indices(count.shape))
        ratio = growth(log := log_of(user, day * DAY), shown(log, [], "day"), 14)["ratio"]
        held += ratio["low"] <= 1.5 <= ratio["high"]
    assert 0.9 <= held / 200 <= 0.985

"""The series of a log that are shown: what is pooled, which steps are whole, parts that sum to the total."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evolution.log import Log
from components.evolution.trends.panel import Panel
from components.evolution.trends.series import Shown, adding_up, begin_of, shown, split
from tests.unit.evolution.planted import log_of

DAY = 86_400


def some_log(users: int = 40, days: int = 21, seed: int = 0) -> Log:
    rng = np.random.default_rng(seed)
    n = 4000
    return log_of(rng.integers(0, users, n), rng.integers(0, days * DAY, n), rng.integers(0, 8, n))


def test_values_of_few_users_are_pooled_and_so_is_what_would_betray_them() -> None:
    user = np.array([0, 1, 2, 3, 4] * 4 + [0, 1, 2, 3] * 2 + [7])
    kind = np.array([0] * 20 + [1] * 8 + [2])
    log = log_of(user, np.arange(len(user)) * 3600, kind)
    found = split(log, ["category"], 8, most=5, least_users=3)
    # Category 2 has one user, so it is pooled; alone it would stand as "other", so the smallest kept one joins it.
    assert found.values == ("c000", "other")
    assert np.bincount(found.code).tolist() == [20, 9]
    assert split(log, ["category"], 8, most=5, least_users=1).values == ("c000", "c001", "c002")


def test_the_largest_values_are_kept_and_parts_sum_to_the_total() -> None:
    log = some_log()
    kinds = split(log, ["category"], 8, most=3, least_users=1)
    both = split(log, ["action", "category"], 8, most=2, least_users=1)
    found = shown(log, [kinds, both], "day")
    assert kinds.values[-1] == "other"
    assert both.values[0].startswith("unknown · c")
    for rows in found.parts.values():
        assert np.array_equal(found.panel.values[rows].sum(0), found.panel.values[0])
    assert found.panel.values[0].sum() == 4000
    row = int(found.parts["category"][0])
    in_day = (kinds.code == 0) & (log.day == log.day.min() + 3)
    assert found.panel.values[row, 3] == in_day.sum()
    assert found.users[row, 3] == len(np.unique(log.user[in_day]))


def test_steps_that_the_log_does_not_cover_are_left_out() -> None:
    log = some_log()
    later = Log(**{**vars(log), "local_s": log.local_s + 2 * 3600})  # a clock two hours ahead of UTC
    days, hours, weeks = (shown(later, [], step) for step in ("day", "hour", "week"))
    assert (days.panel.steps, hours.panel.steps) == (20, 21 * 24)
    assert (days.panel.start, hours.panel.start) == (dt.datetime(2025, 1, 7), dt.datetime(2025, 1, 6, 2))
    assert (weeks.panel.steps, weeks.panel.start) == (2, dt.datetime(2025, 1, 13))  # a Monday
    assert begin_of(weeks.panel, 2) == dt.datetime(2025, 1, 27)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_forecasts_add_up_and_the_surer_are_changed_less(seed: int, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    point, spread = rng.gamma(2.0, 10.0, (6, horizon)), rng.gamma(2.0, 1.0, 6)
    keys = pl.DataFrame({"by": ["all", *"aabbb"], "value": [str(one) for one in range(6)]})
    series = Shown(
        Panel(np.ones((6, 2)), keys, (1,)), np.ones((6, 2), np.int64), {"a": np.array([1, 2]), "b": np.array([3, 4, 5])}
    )
    found = adding_up(series, point, spread)
    assert np.allclose(found[1:3].sum(0), found[0])
    assert np.allclose(found[3:].sum(0), found[0])
    assert (found >= 0).all()
    kept = adding_up(series, found, spread)
    assert np.allclose(kept, found)  # what adds up stays
    sure = spread.copy()
    sure[0] = 1e-6
    assert np.allclose(adding_up(series, point, sure)[0], point[0], rtol=1e-3)

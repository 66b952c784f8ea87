"""Recurring patterns: planted ones are found and named, and of none there are at most as many as chance may give."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evolution.log import Log
from components.evolution.patterns.crowds import crowds, excess_of
from components.evolution.patterns.found import Visits
from components.evolution.patterns.report import pattern_report
from components.evolution.patterns.windows import EVE, HOLIDAY, SLOTS, month_windows, slots_of, week_windows
from components.params import load_params
from tests.serving import ROOT

ASKED = load_params(ROOT / "params.yaml").evolve
PARAMS = ASKED.patterns.model_copy(update={"permutations": 199})
MONDAY = dt.datetime(2025, 1, 6)
KINDS = ("bar", "cafe", "mall", "office", "park", "school")


def town(seed: int, planted: bool, habits: bool = False, users: int = 120, weeks: int = 16) -> Log:
    """Users who go somewhere at some time; with `habits`, each to one place at one hour, every week."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        taste = rng.dirichlet(np.ones(len(KINDS)))
        mine = int(rng.integers(len(KINDS))), int(rng.integers(168))
        for week in range(weeks):
            visits = [(int(rng.choice(len(KINDS), p=taste)), int(rng.integers(168))) for _ in range(5)]
            if habits:
                visits.append(mine)
            if planted and user % 2 == 0:
                visits.append((KINDS.index("cafe"), 24 * int(rng.integers(5)) + int(rng.integers(11, 14))))
            if planted and user % 3 == 0 and rng.random() < 0.7:
                visits.append((KINDS.index("mall"), 24 * 4 + int(rng.integers(17, 21))))
            rows += [(f"u{user}", KINDS[kind], MONDAY + dt.timedelta(weeks=week, hours=hour)) for kind, hour in visits]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row").with_columns(
        pl.col("timestamp").cast(pl.Datetime("us", "UTC"))
    )
    return Log.of_frame(events, pl.DataFrame({"item_id": KINDS, "category": KINDS}), "UTC")


NO_DAYS = np.zeros(0, np.int64)


def test_planted_crowds_are_found_and_named() -> None:
    found = pattern_report(town(1, planted=True), PARAMS, ASKED.space, NO_DAYS, 0)
    told = {one["name"]: one for one in found["patterns"]}
    assert set(told) == {"the lunch crowd at cafe", "Friday evenings at mall"}
    lunch = told["the lunch crowd at cafe"]
    assert lunch["when"] == "weekdays 11:00–14:00"
    assert 60 <= lunch["users"] <= 120
    assert lunch["weeks_share"] == 1.0
    assert lunch["ratio"] > 2
    assert lunch["place"] is None  # a log without places
    shares = [one["share"] for one in found["hours"] if one["where"] == "cafe"]
    assert len(shares) == 168
    assert max(range(168), key=lambda hour: shares[hour] or 0) % 24 in {11, 12, 13}


@pytest.mark.parametrize("habits", [False, True])
def test_of_none_there_are_as_few_as_chance_allows(habits: bool) -> None:
    """Habits of single users, however strong, are nobody else's: no pattern."""
    alarms = [
        len(pattern_report(town(seed, planted=False, habits=habits), PARAMS, ASKED.space, NO_DAYS, seed)["patterns"])
        for seed in range(8)
    ]
    assert sum(one > 0 for one in alarms) <= 2  # eight towns, each with a chance of one in ten at most (two kinds)


def weekly(moments: list[tuple[str, list[int], float]], seed: int = 3, users: int = 120, weeks: int = 20) -> Log:
    """Users who go anywhere at any hour, and half of them to some places at some hours of the week, with a chance."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for week in range(weeks):
            visits = [(int(rng.integers(len(KINDS))), int(rng.integers(168))) for _ in range(8)]
            for kind, hours, chance in moments if user % 2 == 0 else []:
                visits += [(KINDS.index(kind), hour) for hour in hours if rng.random() < chance]
            rows += [(f"u{user}", KINDS[kind], MONDAY + dt.timedelta(weeks=week, hours=hour)) for kind, hour in visits]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row").with_columns(
        pl.col("timestamp").cast(pl.Datetime("us", "UTC"))
    )
    return Log.of_frame(events, pl.DataFrame({"item_id": KINDS, "category": KINDS}), "UTC")


def test_a_crowd_of_some_nights_is_not_told_of_all_nights() -> None:
    """Fridays and Saturdays alone make every night, the weekend and Friday fuller than chance: that is one pattern."""
    log = weekly([("bar", [24 * day + hour for day in (4, 5) for hour in (21, 22, 23)], 0.12)])
    found = pattern_report(log, PARAMS, ASKED.space, NO_DAYS, 0)["patterns"]
    assert [(one["name"], one["when"]) for one in found] == [
        ("the going-out crowd at bar", "Fridays and Saturdays 21:00–2:00")
    ]


def test_a_crowd_of_every_day_stays_one_of_every_day() -> None:
    log = weekly([("cafe", [24 * day + hour for day in range(7) for hour in (11, 12, 13)], 0.05)])
    found = pattern_report(log, PARAMS, ASKED.space, NO_DAYS, 0)["patterns"]
    assert [one["when"] for one in found if one["where"] == "cafe"] == ["every day 11:00–14:00"]


def test_a_holiday_like_other_days_is_no_wave_and_makes_no_month() -> None:
    """The lunch crowd also comes on the eve of a holiday; a wave of holidays is none of the months they lie in."""
    lunch = [("cafe", [24 * weekday + 12 for weekday in range(5)], 0.3)]
    log = weekly(lunch, users=200)
    day = int(log.day.min())
    eves = pattern_report(log, PARAMS, ASKED.space, day + np.array([15, 43, 71, 99]), 0)["patterns"]
    assert [one["when"] for one in eves if "eves" in one["when"]] == []
    free = day + np.array([95, 101, 107])
    wave = Log.of_frame(
        pl.concat([_frame(weekly(lunch)), _visits("park", free, users=60)]).sort("user_id", "timestamp"),
        pl.DataFrame({"item_id": KINDS, "category": KINDS}), "UTC",
    )  # fmt: skip
    told = pattern_report(wave, PARAMS, ASKED.space, free, 0)["patterns"]
    assert "the holiday wave at park" in {one["name"] for one in told}
    assert not [one["when"] for one in told if "2025" in one["when"]]


def _frame(log: Log) -> pl.DataFrame:
    return pl.DataFrame(
        {"user_id": log.users[log.user].tolist(), "item_id": log.items[log.item].tolist(),
         "timestamp": pl.Series(log.time_s * 1_000_000).cast(pl.Datetime("us", "UTC"))}
    )  # fmt: skip


def _visits(item: str, days: np.ndarray, users: int) -> pl.DataFrame:
    """Two visits of each user on each day."""
    second = np.add.outer(days * 86_400, np.array([10, 15]) * 3_600).ravel()
    rows = [(f"u{user}", item, int(one)) for user in range(users) for one in second]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row").with_columns(
        (pl.col("timestamp") * 1_000_000).cast(pl.Datetime("us", "UTC"))
    )


def test_too_few_users_are_no_pattern() -> None:
    params = PARAMS.model_copy(update={"least_users": 130})
    assert pattern_report(town(1, planted=True), params, ASKED.space, NO_DAYS, 0)["patterns"] == []


def test_hours_of_holidays_belong_to_no_weekday() -> None:
    log = town(2, planted=False, users=5)
    day = int(log.day.min())
    slot = slots_of(log.day, log.hour_of_week % 24, np.array([day + 2]))
    assert (slot[log.day == day + 2] >= HOLIDAY).all()
    assert (slot[log.day == day + 2] < EVE).all()
    assert (slot[log.day == day + 1] >= EVE).all()
    others = (log.day != day + 2) & (log.day != day + 1)
    np.testing.assert_array_equal(slot[others], log.hour_of_week[others])


def test_windows_name_what_they_hold() -> None:
    known = {one.name: set(one.slots) for one in week_windows()}
    assert len(known) == len(week_windows()) - 2  # the lunch crowd and the early crowd have two widths
    assert known["Friday nights"] == {24 * 4 + 21, 24 * 4 + 22, 24 * 4 + 23, 24 * 5, 24 * 5 + 1}
    assert known["Sunday nights"] >= {0, 1}
    assert len(known["the weekend crowd"]) == 48
    assert max(max(slots) for slots in known.values()) < SLOTS
    waves = month_windows(np.array([660, 661, 662, 663, 665]))
    assert [one.name for one in waves][:3] == [
        "the January wave",
        "the January–February wave",
        "the January–March wave",
    ]
    assert all(len(one.slots) in {1, 2, 3} for one in waves)
    assert not any("June" in one.when and "–" in one.when for one in waves)  # May is missing
    assert month_windows(np.array([1, 2, 3])) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_null_has_the_moments_that_are_said(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, users, places, slots = 60, 3, 3, 4
    user = np.sort(rng.integers(0, users, n))
    place, slot = rng.integers(0, places, n), rng.integers(0, slots, n)
    windows = rng.random((slots, 3)) < 0.5
    found = crowds(user, place, slot, windows, 9, seed)
    for k in range(places):
        for v in range(3):
            _, expected = excess_of(user, place == k, windows[slot, v], users)
            assert found.expected[k, v] == pytest.approx(expected.sum())
    assert found.visits.sum() == pytest.approx(windows.sum(axis=1)[slot].sum())
    assert ((found.p >= 0.1) & (found.p <= 1)).all()


def test_the_variance_is_that_of_shuffles() -> None:
    rng = np.random.default_rng(3)
    user = np.repeat([0, 1, 2], [100, 300, 50])
    place, slot = rng.integers(0, 3, 450), rng.integers(0, 2, 450)
    windows = np.eye(2, dtype=bool)
    found = crowds(user, place, slot, windows, 9, 0)
    drawn = []
    for _ in range(4000):
        mixed = np.concatenate([rng.permutation(place[user == one]) for one in range(3)])
        drawn.append(((mixed == 0) & (slot == 0)).sum())
    said = (found.visits[0, 0] - found.expected[0, 0]) / found.z[0, 0]
    assert np.mean(drawn) == pytest.approx(found.expected[0, 0], abs=0.4)
    assert np.std(drawn) == pytest.approx(abs(said), rel=0.05)


def test_visits_of_one_moment_are_one() -> None:
    user, place = np.array([0, 0, 0, 1]), np.array([2, 2, -1, 2])
    slot, moment, week = np.array([5, 5, 5, 5]), np.zeros(4, np.int64), np.zeros(4, np.int64)
    found = Visits.of(user, place, slot, moment, week)
    assert found.user.tolist() == [0, 1]
    assert found.row.tolist() == [0, 3]

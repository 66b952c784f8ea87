"""The people: life cycles, interests that drift and widen, habits."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from components.events.simulator import catalogue, rules, truth
from components.events.simulator.city import build_city
from components.events.simulator.habits import Diary
from components.events.simulator.people import build_people
from tests.city import SEED, small_city


def _state(day: dt.date) -> pl.DataFrame:
    return truth(small_city(users=3000), SEED, day)["users"].filter(~pl.col("bot"))


def test_life_goes_through_every_state_in_plausible_shares() -> None:
    share = dict(_state(dt.date(2025, 6, 1))["state"].value_counts(normalize=True).iter_rows())
    assert set(share) == set(rules.STATES)
    assert 0.4 < share["active"] < 0.75
    assert 0.05 < share["dormant"] < 0.25
    assert 0.03 < share["churned"] < 0.2
    assert share["new"] < 0.06
    assert share["returning"] < 0.08


def test_nobody_lives_before_joining_and_newcomers_are_new_for_a_week() -> None:
    day = dt.date(2025, 3, 20)
    joined = catalogue(small_city(users=3000), SEED)[1].select("user_id", "joined")
    state = _state(day).join(joined, on="user_id")
    assert (state.filter(pl.col("joined") > day)["state"] == "unborn").all()
    recent = state.filter(pl.col("joined").is_between(day - dt.timedelta(days=6), day))
    assert len(recent) > 10
    assert (recent["state"] == "new").all()
    assert state.filter(pl.col("joined") < day - dt.timedelta(days=6))["state"].is_in(["new", "unborn"]).sum() == 0


def test_the_returning_were_away() -> None:
    day = dt.date(2025, 5, 1)
    back = _state(day).filter(pl.col("state") == "returning")["user_id"]
    before = _state(day - dt.timedelta(days=rules.NEW_DAYS)).filter(pl.col("user_id").is_in(back.implode()))
    assert len(before) > 20
    assert set(before["state"]) <= {"dormant", "churned"}


@pytest.mark.parametrize("drift", [0.0, 0.2, 0.7])
def test_a_share_drift_of_the_interests_is_replaced_in_30_days(drift: float) -> None:
    city = build_city(small_city(users=4000, drift=drift), SEED)
    people = build_people(city)
    early, late = (Diary(city, people).on(day).interest for day in (10, 40))
    # a replaced interest draws the same category again with chance 1 / categories
    expected = drift * (1 - 1 / len(rules.CATEGORIES))
    assert np.mean(early != late) == pytest.approx(expected, abs=0.01)


def test_interests_widen() -> None:
    city = build_city(small_city(users=4000, widening=0.5), SEED)
    people = build_people(city)
    newcomers = np.flatnonzero(people.joined == 0)
    assert len(newcomers) > 5
    opened = [Diary(city, people).on(day).interests_of(newcomers)[1].mean() for day in (0, 30, 60)]
    assert opened[0] == pytest.approx(0.5, abs=0.03)
    assert opened[1] == pytest.approx(0.75, abs=0.12)
    assert opened[2] == 1.0
    still = build_city(small_city(users=500, widening=0.0), SEED)
    shut = Diary(still, build_people(still)).on(400).interests_of(np.arange(500))[1]
    assert shut.mean() == pytest.approx(0.5, abs=0.01)


def test_state_of_a_day_does_not_depend_on_the_days_before() -> None:
    city = build_city(small_city(), SEED)
    people = build_people(city)
    diary = Diary(city, people)
    walked = [diary.on(day) for day in range(0, 60)]
    fresh = Diary(city, people).on(59)
    assert np.array_equal(walked[-1].favourite, fresh.favourite)
    assert np.array_equal(walked[-1].companion, fresh.companion)
    assert np.array_equal(walked[-1].interest, fresh.interest)
    assert not np.array_equal(walked[0].favourite, fresh.favourite)
    assert np.array_equal(diary.on(0).favourite, walked[0].favourite)


def test_people_do_not_depend_on_how_many_there_are() -> None:
    one = build_people(build_city(small_city(users=50), SEED))
    many = build_people(build_city(small_city(users=5000), SEED), 0, 50)
    assert np.array_equal(one.home, many.home)
    assert np.array_equal(one.loyalty, many.loyalty)


def test_truth_dates_hold() -> None:
    """What is said to hold until a day holds on the day before it, and is drawn anew on the day."""
    city, day = small_city(drift=0.5), dt.date(2025, 3, 20)
    told = truth(city, SEED, day)["favourites"]
    first = told.filter(pl.col("until") <= day + dt.timedelta(days=20)).row(0, named=True)
    key = (pl.col("user_id") == first["user_id"]) & (pl.col("role") == first["role"])
    before, after = (
        truth(city, SEED, first["until"] - dt.timedelta(days=back))["favourites"].filter(key).row(0, named=True)
        for back in (1, 0)
    )
    assert (before["item_id"], before["until"]) == (first["item_id"], first["until"])
    assert after["since"] == first["until"]

"""The records of the rooms are plain JSON, tell no user's id, and find what was planted; New York has its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import DataError
from components.evolution.habits.report import habit_report
from components.evolution.interests.forecast import LAST_MONTH
from components.evolution.interests.report import interest_report
from components.evolution.log import Log
from components.evolution.space.mobility import mobility
from components.evolution.space.report import _mobility, space_report
from components.params import HabitParams, HoursParams, InterestParams, SpaceParams
from tests.unit.evolution.planted import log_of

DAY, HOUR = 86_400, 3_600
SPACE = SpaceParams(
    resolution=8,
    region_resolution=6,
    place_resolution=9,
    period_days=28,
    around=0,
    permutations=999,
    level=0.05,
    distances_km=(0.25, 1.0),
    spans_h=(4, 24),
    interaction_events=1000,
    regions=5,
    lag_h=6,
    flow_h=24,
    busiest=50,
    lags_days=(1,),
    least_users=3,
    core_places=2,
    home=HoursParams(begin=22, end=7, weekdays_only=False),
    work=HoursParams(begin=9, end=18, weekdays_only=True),
    anchor_events=5,
    anchor_share=0.3,
    area_radius_km=0.2,
    area_events=50,
    area_sample=1000,
    area_share=0.01,
    compared=200,
    draws=50,
    confidence=0.95,
)
INTERESTS = InterestParams(
    window_days=28,
    step_days=14,
    least_events=5,
    least_users=3,
    permutations=199,
    level=0.05,
    lags=3,
    half_lives=(1.0,),
    priors=(1.0, 5.0),
    scored_months=1,
    head_share=0.5,
    draws=50,
    confidence=0.95,
)
HABITS = HabitParams(
    bandwidth_h=1.5,
    profile_prior=20.0,
    least_events=50,
    most_events=500,
    least_days=7,
    permutations=199,
    level=0.05,
    draws=50,
    confidence=0.95,
)


@pytest.fixture(scope="module")
def town() -> Log:
    """Forty users over 140 days: home at night, work by day, one kind of place each; they move house on day 70."""
    rng = np.random.default_rng(0)
    spots = np.stack([48.85 + rng.normal(0, 0.02, 60), 2.35 + rng.normal(0, 0.03, 60)], axis=1)
    user, day, hour = (axis.ravel() for axis in np.meshgrid(np.arange(40), np.arange(140), [10, 19, 23], indexing="ij"))
    home = (user + np.where(day >= 70, 7, 0)) % 20
    place = np.select([hour == 10, hour == 23], [20 + user % 10, home], rng.integers(30, 60, len(user)))
    return log_of(
        user,
        day * DAY + hour * HOUR + rng.integers(0, 1800, len(user)),
        place % 6,
        item=place,
        latitude=spots[place, 0],
        longitude=spots[place, 1],
    )


def test_records_are_plain_and_tell_nobody(town: Log) -> None:
    found = {
        "space": space_report(town, SPACE, 0),
        "interests": interest_report(town, np.arange(40) % 2, ["even", "odd"], INTERESTS, 0),
        "habits": habit_report(town, HABITS, 0),
    }
    text = json.dumps(found, allow_nan=False)
    assert not any(user in text for user in town.users)
    assert found["space"]["mobility"]["with_work"] == 1
    assert found["space"]["mobility"]["users"] == 40
    assert found["space"]["information"]["hour_place_given_user"]["p"] == 0.01
    assert found["interests"]["forecast"]["users"] == 40
    assert found["interests"]["users"]["drifting"] > 20
    assert [one["segment"] for one in found["interests"]["segments"]] == ["even", "odd"]
    assert found["habits"]["daily_rhythm"] == 40
    assert found["habits"]["shifts"]["shifted"] == 0  # they moved, and kept their hours
    assert found["habits"]["cohorts"][0]["size"] == 40
    again = space_report(town, SPACE, 0)
    assert json.dumps(again) == json.dumps(found["space"])


def test_users_with_too_few_events_hide_no_rhythm() -> None:
    """Sixty users with a weak rhythm, alone and beside two thousand who came twice: as many are found."""
    rng = np.random.default_rng(5)
    time_s = np.tile(np.arange(60), 60) * DAY + (rng.normal(14, 5.2, 3600) % 24 * HOUR).astype(int)
    busy, seldom = np.repeat(np.arange(60), 60), np.repeat(np.arange(60, 2060), 2)
    alone = habit_report(log_of(busy, time_s), HABITS, 0)
    beside = habit_report(
        log_of(np.append(busy, seldom), np.append(time_s, rng.integers(0, 60 * DAY, 4000))), HABITS, 0
    )
    assert alone["daily_rhythm"] > 50
    assert (beside["daily_rhythm"], beside["weekly_rhythm"]) == (alone["daily_rhythm"], alone["weekly_rhythm"])


def test_explorers_are_a_share_of_those_who_can_be_ones() -> None:
    """Ten users of three hundred places and eighty of two, with a core of two places."""
    rng, events = np.random.default_rng(6), np.where(np.arange(90) < 10, 300, 2)
    user = np.repeat(np.arange(90), events)
    where = [mean + rng.normal(0, 0.05, len(user)) for mean in (48.8, 2.3)]
    log = log_of(user, np.arange(len(user)) * 1800, latitude=where[0], longitude=where[1])
    found = _mobility(log, SPACE, 0)
    each = mobility(log, SPACE.place_resolution, SPACE.core_places)
    assert found["beyond_core"] == 10
    assert found["users"] == 90
    assert not each.explorer[10:].any()
    assert found["explorers"].value == each.explorer[:10].mean()
    assert found["explorers"].value > 0.3


def test_a_log_without_places_is_refused() -> None:
    with pytest.raises(DataError, match="latitude"):
        space_report(log_of(np.zeros(9, int), np.arange(9) * DAY), SPACE, 0)


@pytest.mark.real_data
def test_new_york_is_clustered_and_tastes_last(real_data: Path) -> None:
    rows = pl.read_csv(real_data / "foursquare-nyc" / "train.csv.gz")
    events = rows.select(
        pl.col("user_id").cast(pl.String),
        pl.col("POI_id").alias("item_id"),
        pl.col("UTC_time").str.to_datetime(time_unit="us", time_zone="UTC").alias("timestamp"),
        pl.col("timezone").alias("utc_offset_min"),
        "latitude",
        "longitude",
    )
    items = rows.select(pl.col("POI_id").alias("item_id"), pl.col("POI_catname").alias("category"))
    log = Log.of_frame(events, items, "America/New_York")
    space = space_report(log, SPACE, 0)
    assert space["surface"]["morans_i"]["value"] > 0.3
    assert space["surface"]["morans_i"]["p"] <= 0.002
    assert (
        0
        < space["information"]["hour_place_given_user"]["excess"]
        < space["information"]["place_category_given_user"]["excess"]
    )
    taste = interest_report(log, np.zeros(log.n_users, int), ["all"], INTERESTS, 0)["forecast"]
    (chosen,) = (way for way in taste["ways"] if way["name"] == taste["chosen"])
    assert taste["chosen"] != LAST_MONTH
    assert chosen["gain"]["low"] > 0

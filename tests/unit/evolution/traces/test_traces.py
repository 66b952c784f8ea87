"""Raw traces: commuters with known homes, places of work and trips; files of every form; nobody in particular."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError, SchemaError
from components.evolution.space.courses import courses
from components.evolution.space.stays import Stays, stays
from components.evolution.traces.positions import positions_of, read_positions
from components.evolution.traces.report import trace_report
from components.evolution.traces.trips import stay_log, trips, venues_of
from components.params import load_params
from tests.serving import ROOT
from tests.unit.evolution.planted import log_of

ASKED = load_params(ROOT / "params.yaml").evolve
BEGIN = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)
WORK = (48.90, 2.40)


def commuters(users: int, days: int, seed: int = 0) -> pl.DataFrame:
    """A position every ten minutes: at home until eight, at one place of work from nine to five, at home from six."""
    rng = np.random.default_rng(seed)
    minute = np.arange(0, days * 1440, 10)
    hour = minute % 1440 / 60
    weekday = (minute // 1440) % 7 < 5
    going = np.where(weekday, np.clip(hour - 8, 0, 1) - np.clip(hour - 17, 0, 1), 0.0)
    parts = []
    for user in range(users):
        home = 48.85 + 0.002 * user, 2.30
        place = [home[axis] + going * (WORK[axis] - home[axis]) + rng.normal(0, 1e-4, len(minute)) for axis in (0, 1)]
        times = [BEGIN + dt.timedelta(minutes=int(one)) for one in minute]
        parts.append(pl.DataFrame({"user_id": f"u{user}", "timestamp": times, "latitude": place[0],
                                   "longitude": place[1]}))  # fmt: skip
    return pl.concat(parts)


EVENTS = log_of(np.array([0, 0, 1]), np.array([0, 60, 120]), category=np.array([0, 0, 1]),
                latitude=np.array([WORK[0], WORK[0], 40.0]), longitude=np.array([WORK[1], WORK[1], -70.0]))  # fmt: skip


def test_commuters_are_told_as_they_are() -> None:
    found = trace_report(positions_of(commuters(12, 14)), EVENTS, "UTC", ASKED.traces, ASKED.space, 0)
    assert found["users"] == 12
    assert found["dropped"] == 0
    assert found["anchors"]["with_home"] == found["anchors"]["with_work"] == 12
    assert 5 < found["anchors"]["commute_km"]["p50"] < 12
    told = found["trips"]
    assert told["trips"] == pytest.approx(12 * 20, abs=12)  # two on each of ten weekdays
    assert told["hours"][8] + told["hours"][17] == pytest.approx(1.0, abs=0.1)
    assert 20 < told["minutes"]["p50"] <= 60
    assert found["venues"]["categories"][0]["category"] == "c000"
    assert found["venues"]["categories"][0]["stays"] == 120
    assert found["venues"]["categories"][0]["median_minutes"] == pytest.approx(480, abs=20)
    assert [one["users"] for one in found["places"]] == [12]  # the place of work alone; a home is one's own
    assert not {f"u{user}" for user in range(12)} & set(json.dumps(found).split('"'))


def test_of_too_few_users_nothing_is_told() -> None:
    with pytest.raises(DataError, match="stays of 10 users"):
        trace_report(positions_of(commuters(9, 7)), EVENTS, "UTC", ASKED.traces, ASKED.space, 0)
    params = ASKED.traces.model_copy(update={"least_users": 12})
    found = trace_report(positions_of(commuters(12, 7)), EVENTS, "UTC", params, ASKED.space, 0)
    assert found["flows"] == []  # eleven or fewer leave each cell for work
    assert all(one["users"] >= 12 for one in found["places"])


def test_local_clocks_decide_what_night_is() -> None:
    """Twelve hours away the nights of these people are days: they sleep where they work."""
    rows = positions_of(commuters(12, 14))
    found = trace_report(rows, EVENTS, "Pacific/Auckland", ASKED.traces, ASKED.space, 0)
    assert found["trips"]["hours"][8] < 0.1


@pytest.mark.parametrize("form", ["text", "seconds", "zoned", "parquet", "days"])
def test_files_of_every_form(tmp_path: Path, form: str) -> None:
    rows = commuters(2, 1)
    path = tmp_path / "positions.csv"
    if form == "text":
        rows.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(path)
    elif form == "seconds":
        rows.with_columns(pl.col("timestamp").dt.epoch("s")).write_csv(path)
    elif form == "zoned":
        path = path.with_suffix(".parquet")
        rows.with_columns(pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo")).write_parquet(path)
    elif form == "parquet":
        path = path.with_suffix(".parquet")
        rows.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).write_parquet(path)
    else:
        path = tmp_path / "live"
        path.mkdir()
        for number, part in enumerate((rows.head(100), rows.tail(-100))):
            part.with_row_index("offset", offset=100 * number).write_parquet(path / f"{number:012d}.parquet")
    told, same = positions_of(read_positions(path)), positions_of(rows)
    np.testing.assert_array_equal(told.time_s, same.time_s)
    np.testing.assert_array_equal(told.latitude, same.latitude)
    assert told.users.tolist() == ["u0", "u1"]


def test_what_is_not_sound_is_dropped_and_counted(tmp_path: Path) -> None:
    rows = commuters(2, 1)
    bad = rows.head(5).with_columns(latitude=pl.Series([91.0, None, float("nan"), 48.0, 48.0]))
    told = positions_of(pl.concat([rows, bad]))
    assert told.dropped == 5  # three without a place on earth, two that were there already
    assert len(told.user) == rows.height
    with pytest.raises(DataError, match="positions where"):
        read_positions(tmp_path / "gone.csv")
    rows.drop("latitude").write_csv(tmp_path / "bad.csv")
    with pytest.raises(SchemaError, match="latitude"):
        read_positions(tmp_path / "bad.csv")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 600), st.integers(0, 4)), max_size=60))
def test_stays_neither_overlap_nor_lose_time(points: list[tuple[int, int, int]]) -> None:
    points = sorted(set(points))
    user, minute, place = (np.array([one[axis] for one in points], np.int64) for axis in range(3))
    found = stays(user, minute * 60, 48.0 + place * 0.01, np.zeros(len(points)), 200.0, 1200, 7200)
    assert (found.end_s - found.begin_s >= 1200).all()
    same = found.user[1:] == found.user[:-1]
    assert (found.begin_s[1:][same] > found.end_s[:-1][same]).all()
    moved = trips(found, 86_400, 200.0)
    assert (moved.minutes >= 0).all()
    assert (moved.km > 0.2).all()
    names = np.array(["a", "b", "c"], dtype=object)
    hourly = stay_log(found, names, np.zeros(len(found.user), np.int64), hourly=True)
    hours = found.end_s // 3600 - found.begin_s // 3600 + 1
    assert hourly.n_events == hours.sum()
    np.testing.assert_array_equal(np.diff(hourly.offsets), np.bincount(found.user, weights=hours, minlength=3))


def test_the_nearest_venue_within_the_radius() -> None:
    there = Stays(np.zeros(2, int), np.zeros(2, int), np.ones(2, int), np.array([48.0, 50.0]), np.array([2.0, 2.0]),
                  np.ones(2, int))  # fmt: skip
    at = venues_of(there, np.array([np.nan, 48.001, 48.0005]), np.array([2.0, 2.0, 2.0]), 200.0)
    assert at.tolist() == [2, -1]


def test_shared_courses_are_told_from_dealt_cells() -> None:
    """Half of the users walk one of three ways; where everybody wanders, nothing is shared."""
    rng = np.random.default_rng(0)
    users, length = 40, 5
    ways = rng.integers(0, 60, (3, length))
    number, user = np.repeat(np.arange(users), length), np.repeat(np.arange(users), length)
    spread = rng.integers(0, 60, (users, length))
    for cell, low in ((np.where(np.arange(users)[:, None] % 2 == 0, ways[np.arange(users) % 3], spread), True),
                      (spread, False)):  # fmt: skip
        flat = cell.ravel()
        found = courses(number, flat, user, 48.0 + 0.01 * flat, np.zeros(len(flat)), 100, 99, 1)
        assert found is not None
        assert (found.p <= 0.05) == low
        assert (found.likeness > found.expected) or not low
    assert courses(number[:length], flat[:length], user[:length], np.zeros(5), np.zeros(5), 10, 9, 0) is None

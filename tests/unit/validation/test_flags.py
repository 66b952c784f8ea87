"""Doubtful events are kept and flagged, by what came before them alone."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from components.events.flags import FLAGS, Flagger, distance_km, spread_of, tick_of
from tests.unit.validation.snapshots import clean_events, params_with

BIT = {name: 1 << bit for name, bit in FLAGS.items()}


def flags_of(events: pl.DataFrame, chunks: int = 1, tick_s: float = 1.0, **changes) -> np.ndarray:
    spreads = {name: spread_of(clean_events(days=10), name) for name in ("value", "duration_s")}
    flagger = Flagger(params_with(**changes), spreads, tick_s)
    days = events["timestamp"].dt.date()
    groups = np.array_split(np.array(days.unique().sort().to_list(), object), chunks)
    parts = [flagger.flag(events.filter(days.is_in(list(group)))) for group in groups]
    return pl.concat(parts)["flags"].to_numpy()


def journey(places: list[tuple[float | None, float | None]], minutes: list[int], user: str = "ann") -> pl.DataFrame:
    start = dt.datetime(2025, 1, 6, 12, tzinfo=dt.UTC)
    base = clean_events(days=1).head(len(places))
    return base.with_columns(
        pl.lit(user).alias("user_id"),
        pl.Series("timestamp", [start + dt.timedelta(minutes=m) for m in minutes]).cast(base.schema["timestamp"]),
        pl.Series("latitude", [p[0] for p in places], pl.Float64),
        pl.Series("longitude", [p[1] for p in places], pl.Float64),
    )


def test_distance_is_the_great_circle() -> None:
    paris, london = (48.8566, 2.3522), (51.5074, -0.1278)
    there = distance_km(*(np.array([x]) for x in (*paris, *london)))
    assert there[0] == pytest.approx(343.6, abs=0.5)
    across = distance_km(*(np.array([x]) for x in (0.0, 179.5, 0.0, -179.5)))
    assert across[0] == pytest.approx(111.2, abs=0.1)


def test_impossible_speed_is_flagged_at_its_arrival() -> None:
    paris, london = (48.8566, 2.3522), (51.5074, -0.1278)
    events = journey([paris, (None, None), london, paris, paris], [0, 5, 10, 200, 201])
    assert flags_of(events).tolist() == [0, 0, BIT["impossible_speed"], 0, 0]
    assert flags_of(events, validation__max_speed_kmh=3000).tolist() == [0] * 5
    assert flags_of(events, events__time_kind="day").tolist() == [0] * 5


def test_speed_along_a_parallel_and_over_the_antimeridian() -> None:
    east = journey([(48.8566, 2.35), (48.8566, 20.0)], [0, 30])
    assert flags_of(east).tolist() == [0, BIT["impossible_speed"]]
    over_the_line = journey([(-17.0, 179.95), (-17.0, -179.95)], [0, 30])  # eleven kilometres
    assert flags_of(over_the_line).tolist() == [0, 0]


def test_two_places_in_one_tick_of_a_coarse_clock_are_possible() -> None:
    events = journey([(48.8566, 2.3522), (48.90, 2.40)], [0, 0])
    assert flags_of(events).tolist() == [0, BIT["impossible_speed"]]
    assert flags_of(events, tick_s=60.0).tolist() == [0, 0]


def test_the_tick_of_a_clock() -> None:
    times = journey([(0.0, 0.0)] * 3, [0, 60, 180])["timestamp"]
    assert tick_of(times) == 3600
    assert tick_of(times + dt.timedelta(minutes=7)) == 60
    assert tick_of(times + dt.timedelta(milliseconds=1)) == 1
    assert tick_of(times.clear()) == 1


def test_another_user_elsewhere_is_no_speed() -> None:
    paris, sydney = (48.8566, 2.3522), (-33.87, 151.21)
    both = pl.concat([journey([paris] * 3, [0, 2, 4]), journey([sydney] * 3, [1, 3, 5], user="bea")]).sort("timestamp")
    assert flags_of(both).tolist() == [0] * 6


def test_the_last_place_is_remembered_between_chunks() -> None:
    paris, london = (48.8566, 2.3522), (51.5074, -0.1278)
    late = 11 * 60 + 58  # minutes after noon: two minutes before midnight
    events = journey([paris, london, paris], [0, late, late + 5])
    assert flags_of(events, chunks=2).tolist() == flags_of(events).tolist() == [0, 0, BIT["impossible_speed"]]


def test_only_events_beyond_the_allowance_of_a_day_are_bot_like() -> None:
    events = clean_events(days=3, per_day=30, users=2)
    flags = flags_of(events, validation__max_events_per_user_day=10)
    rank = events.with_columns(pl.int_range(pl.len()).over("user_id", pl.col("timestamp").dt.date()).alias("rank"))[
        "rank"
    ]
    assert np.array_equal((flags & BIT["bot_like_rate"]) > 0, (rank >= 10).to_numpy())
    assert (flags & BIT["bot_like_rate"]).any()


def test_outlying_numbers_on_both_sides() -> None:
    events = clean_events(days=10)
    value = events["value"].to_list()
    value[5], value[6], value[7] = 1e9, -1e9, None
    flags = flags_of(events.with_columns(pl.Series("value", value, pl.Float64)))
    assert np.flatnonzero(flags & BIT["outlying_number"]).tolist() == [5, 6]


def test_equal_numbers_have_no_outliers() -> None:
    assert spread_of(clean_events(days=2).with_columns(pl.lit(5.0).alias("value")), "value") is None
    assert spread_of(clean_events(days=2).with_columns(pl.lit(None, pl.Float64).alias("value")), "value") is None


def test_later_events_change_no_flag() -> None:
    events = clean_events(days=6, per_day=80, users=3)
    cut = 200
    altered = events.with_columns(
        pl.when(pl.int_range(pl.len()) >= cut).then(value).otherwise(name).alias(name)
        for name, value in {"latitude": pl.lit(10.0), "user_id": pl.lit("bot"), "value": pl.lit(1e9)}.items()
    )
    limits = {"validation__max_events_per_user_day": 20, "validation__max_speed_kmh": 5}
    assert np.array_equal(flags_of(events, **limits)[:cut], flags_of(altered, **limits)[:cut])
    assert flags_of(events, **limits)[:cut].any()

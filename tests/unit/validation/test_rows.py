"""Each row rule catches its planted row, and nothing else."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from components.events.sieve import Sieve
from components.events.snapshot import Snapshot, is_sorted
from tests.unit.validation.snapshots import FIRST, clean_events, params_with, write_days

ROW = 777
#: Rule → what breaks it in one row.
PLANTED = {
    "user_id_present": {"user_id": None},
    "item_id_present": {"item_id": None},
    "action_present": {"action": None},
    "timestamp_present": {"timestamp": None},
    "event_key_present": {"event_key": None},
    "user_id_length": {"user_id": "u" * 257},
    "user_id_printable": {"user_id": "user\x00"},
    "item_id_length": {"item_id": ""},
    "item_id_printable": {"item_id": "it\x1bem"},
    "action_known": {"action": "shrug"},
    "timestamp_in_span": {"timestamp": dt.datetime(1970, 1, 21, tzinfo=dt.UTC)},
    "timestamp_in_its_day": {"timestamp": dt.datetime.combine(FIRST, dt.time(1), dt.UTC)},
    "utc_offset_in_range": {"utc_offset_min": 900},
    "latitude_in_range": {"latitude": 90.5},
    "longitude_in_range": {"longitude": float("nan")},
    "place_whole": {"longitude": None},
    "place_not_origin": {"latitude": 0.0, "longitude": 0.0},
    "latitude_in_region": {"latitude": 43.3},
    "longitude_in_region": {"longitude": 5.4},
    "duration_in_range": {"duration_s": -1.0},
    "value_in_range": {"value": float("inf")},
}


def sift(root, events, day, **changes) -> Sieve:
    params = params_with(**changes)
    return Sieve(Snapshot.of(write_days(root, events, day) / "data" / "events", params.events.until), params)


def planted(events: pl.DataFrame, change: dict) -> pl.DataFrame:
    return events.with_columns(
        pl.when(pl.int_range(pl.len()) == ROW).then(pl.lit(value, events.schema[name])).otherwise(name).alias(name)
        for name, value in change.items()
    )


@pytest.mark.parametrize("rule", PLANTED)
def test_a_rule_catches_its_row_alone(tmp_path, rule) -> None:
    events = clean_events(days=20)
    sieve = sift(tmp_path, planted(events, PLANTED[rule]), events["timestamp"].dt.date())
    assert sieve.quarantine["rule"].to_list() == [rule]
    assert sieve.caught == {rule: 1}
    assert sieve.kept == len(events) - 1
    assert sieve.quarantine["source_seq"].to_list() == [events["source_seq"][ROW]]


def test_every_rule_is_planted(tmp_path) -> None:
    events = clean_events(days=5)
    sieve = sift(tmp_path, events, None)
    assert {line.name for line in sieve.suite} == {*PLANTED, "event_key_unique"}
    assert sieve.kept == len(events)


def test_the_first_of_equal_keys_is_kept_over_days_and_within(tmp_path) -> None:
    events = clean_events(days=6, per_day=10)
    key = events["event_key"].to_list()
    key[3], key[47], key[48] = key[2], key[2], key[2]
    sieve = sift(tmp_path, events.with_columns(pl.Series("event_key", key, pl.UInt64)), None)
    assert sieve.quarantine["rule"].to_list() == ["event_key_unique"] * 3
    assert sieve.quarantine["source_seq"].to_list() == events["source_seq"].gather([3, 47, 48]).to_list()


def test_an_item_may_be_missing_where_the_action_needs_none(tmp_path) -> None:
    events = clean_events(days=5).with_columns(
        pl.when(pl.col("action") == "checkin").then(None).otherwise("item_id").alias("item_id")
    )
    assert sift(tmp_path, events, None).caught["item_id_present"] > 0
    assert sift(tmp_path, events, None, events__item_free_actions=["checkin"]).kept == len(events)


def test_a_region_may_cross_the_antimeridian(tmp_path) -> None:
    fiji = {"south": -19.0, "west": 177.0, "north": -16.0, "east": -179.0}
    events = clean_events(days=5).with_columns(
        pl.lit(-18.0).alias("latitude"),
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(178.0).otherwise(-179.5).alias("longitude"),
    )
    assert sift(tmp_path, events, None, validation__region=fiji).kept == len(events)
    outside = planted_longitude(events, 20.0)
    assert sift(tmp_path, outside, None, validation__region=fiji).caught == {"longitude_in_region": 1}


def planted_longitude(events: pl.DataFrame, longitude: float) -> pl.DataFrame:
    return events.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(longitude).otherwise("longitude").alias("longitude")
    )


def test_no_limit_means_any_finite_number(tmp_path) -> None:
    events = planted(clean_events(days=20), {"value": 1e300})
    assert sift(tmp_path, events, None).caught == {"value_in_range": 1}
    assert sift(tmp_path, events, None, validation__max_value=None).kept == len(events)
    endless = planted(clean_events(days=20), {"value": float("-inf")})
    assert sift(tmp_path, endless, None, validation__max_value=None).caught == {"value_in_range": 1}


def test_chunks_change_nothing(tmp_path, monkeypatch) -> None:
    events = planted(clean_events(days=20), {"action": "shrug"})
    key = events["event_key"].to_list()
    key[900] = key[10]
    events = events.with_columns(pl.Series("event_key", key, pl.UInt64))
    whole = sift(tmp_path / "a", events, None)
    monkeypatch.setattr("components.events.snapshot.CHUNK_ROWS", 100)
    parts = sift(tmp_path / "b", events, None)
    assert len(list(parts.kept_chunks())) == 20
    assert pl.concat(parts.kept_chunks()).equals(pl.concat(whole.kept_chunks()))
    assert parts.quarantine.equals(whole.quarantine)
    assert parts.days.equals(whole.days)


def test_great_expectations_is_handed_the_smallest_keys(tmp_path) -> None:
    events = clean_events(days=10)
    sieve = sift(tmp_path, events, None, validation__gx_rows=50)
    assert sorted(sieve.sample["event_key"]) == sorted(events["event_key"])[:50]


def test_rows_are_sorted_unless_they_are_already(tmp_path) -> None:
    """With ties, and without an order of the source's own."""
    events = clean_events(days=4).with_columns(
        pl.col("timestamp").dt.truncate("6h"), pl.lit(None, pl.Int64).alias("source_seq")
    )
    in_order = events.sort("timestamp", "user_id", "source_seq", "event_key")
    mixed = events.sample(fraction=1.0, shuffle=True, seed=1)
    assert is_sorted(in_order)
    assert not is_sorted(mixed)
    assert not is_sorted(in_order[[1, 0, *range(2, len(in_order))]])
    assert pl.concat(sift(tmp_path, mixed, None).kept_chunks()).equals(in_order)

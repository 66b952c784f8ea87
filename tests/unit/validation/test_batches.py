"""A batch that differs from the log's earlier part stops, with the reason and the first events; others pass."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest

from components.errors import ValidationFailed
from components.events.validation import validate
from components.files import read_json
from tests.unit.validation.snapshots import FIRST, clean_events, params_with, write_days

DAYS = 40
LAST = FIRST + dt.timedelta(days=DAYS - 1)
pytestmark = pytest.mark.usefixtures("quick")


def on_the_last_day(**columns: pl.Expr) -> pl.DataFrame:
    new = pl.col("timestamp").dt.date() == LAST
    return clean_events(DAYS).with_columns(
        pl.when(new).then(value).otherwise(name).alias(name) for name, value in columns.items()
    )


def refused(root, events, **changes) -> tuple[ValidationFailed, dict]:
    with pytest.raises(ValidationFailed) as error:
        validate(write_days(root, events), params_with(**changes))
    report = read_json(root / "reports" / "validation.json")
    assert report["passed"] is False
    assert not (root / "data" / "validated").exists()
    assert (root / "data" / "quarantine" / "validation.parquet").is_file()
    return error.value, report


def test_a_clean_batch_passes(tmp_path) -> None:
    report = validate(write_days(tmp_path, clean_events(DAYS)), params_with())
    assert report.passed
    assert report.kept == report.rows_in == DAYS * 60
    assert report.reference["last_day"] == str(LAST - dt.timedelta(days=21))
    assert sum(day["judged"] for day in report.days) == 21
    assert report.notices == []


@pytest.mark.parametrize(
    ("column", "factor", "name", "words"),
    [
        ("duration_s", 1000, "unit_of_duration_s", "milliseconds for seconds"),
        ("duration_s", 1 / 60, "unit_of_duration_s", "minutes for seconds"),
        ("value", 100, "unit_of_value", "cents for whole units"),
        ("latitude", math.pi / 180, "unit_of_latitude", "radians for degrees"),
    ],
)
def test_a_changed_unit(tmp_path, column, factor, name, words) -> None:
    events = on_the_last_day(**{column: pl.col(column) * factor})
    error, report = refused(
        tmp_path, events, validation__max_value=None, validation__max_duration_s=None, validation__region=None
    )
    assert report["failures"][0]["name"] == name
    assert f"{words}?" in error.found
    assert str(LAST) in error.found
    assert len(report["failures"][0]["events"]) == 5
    assert {"user_id", "timestamp", column} <= set(report["failures"][0]["events"][0])


def test_places_in_radians_are_named_even_when_outside_the_region(tmp_path) -> None:
    to_radians = {name: pl.col(name) * math.pi / 180 for name in ("latitude", "longitude")}
    error, report = refused(tmp_path, on_the_last_day(**to_radians))
    assert "radians for degrees?" in error.found
    assert "rows_of_a_day_kept" in {failure["name"] for failure in report["failures"]}


def test_ordinary_growth_is_no_changed_unit(tmp_path) -> None:
    events = on_the_last_day(duration_s=pl.col("duration_s") * 8, value=pl.col("value") * 0.2)
    assert validate(write_days(tmp_path, events), params_with(validation__outlier_z=1e6)).passed


@pytest.mark.parametrize(
    ("unit", "words"), [(1000, "seconds read as milliseconds"), (1 / 1000, "milliseconds read as seconds")]
)
def test_times_in_another_unit(tmp_path, unit, words) -> None:
    start = dt.datetime.combine(LAST, dt.time(), dt.UTC)
    events = clean_events(DAYS)
    micros = (
        (pl.col("timestamp").dt.epoch("us") // unit).cast(pl.Int64)
        if unit > 1
        else pl.col("timestamp").dt.epoch("us") * 1000
    )
    events = events.with_columns(
        pl.when(pl.col("timestamp") >= start)
        .then(micros.cast(events.schema["timestamp"]))
        .otherwise("timestamp")
        .alias("timestamp")
    )
    day = clean_events(DAYS)["timestamp"].dt.date()
    with pytest.raises(ValidationFailed) as error:
        validate(write_days(tmp_path, events, day), params_with(events__until=str(LAST + dt.timedelta(days=1))))
    assert error.value.needed.startswith("at most 5.0% of a day's rows")
    assert f"{words}?" in error.value.found


def test_a_new_action_is_quarantined_and_when_common_stops_the_batch(tmp_path) -> None:
    _, report = refused(tmp_path, on_the_last_day(action=pl.col("action").replace("view", "page_view")))
    names = {failure["name"] for failure in report["failures"]}
    assert {"share_of_view", "rows_of_a_day_kept"} <= names
    assert report["failures"][0]["events"][0]["action"] == "page_view"
    refusal = next(failure for failure in report["failures"] if failure["name"] == "rows_of_a_day_kept")
    assert "most by action_known" in refusal["found"]
    assert refusal["found"].endswith("`page_view`, perhaps `view`?")


def test_a_changed_action_mix(tmp_path) -> None:
    events = on_the_last_day(action=pl.lit("like"))
    error, report = refused(tmp_path, events)
    assert {failure["name"] for failure in report["failures"]} == {"share_of_view", "share_of_like"}
    assert "against" in error.found
    assert "validation.action_mix_tolerance" in error.do
    assert validate(write_days(tmp_path, events), params_with(validation__action_mix_tolerance=0.95)).passed


def test_a_column_that_went_missing(tmp_path) -> None:
    error, report = refused(tmp_path, on_the_last_day(value=pl.lit(None, pl.Float64)))
    assert [failure["name"] for failure in report["failures"]] == ["missing_value"]
    assert error.found.startswith("100.0% against 0.0%")


def test_a_declared_largest_share_of_missing_values(tmp_path) -> None:
    events = clean_events(DAYS).with_columns(
        pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise("device").alias("device")
    )
    error, _ = refused(tmp_path, events, validation__max_null={"device": 0.05})
    assert "at most 5.0% of `device` missing" in error.needed
    assert validate(write_days(tmp_path, events), params_with(validation__max_null={"device": 0.2})).passed


def test_a_day_without_events(tmp_path) -> None:
    gone = FIRST + dt.timedelta(days=12)
    events = clean_events(DAYS).filter(pl.col("timestamp").dt.date() != gone)
    error, _ = refused(tmp_path, events)
    assert "at most 0 days in a row without a valid event" in error.needed
    assert f"after {gone - dt.timedelta(days=1)} and before {gone + dt.timedelta(days=1)}" in error.found
    report = validate(write_days(tmp_path, events), params_with(validation__max_empty_days=1))
    assert report.passed
    assert report.rules["days_without_events"]["largest"] == 1


def test_a_doubled_day(tmp_path) -> None:
    day = FIRST + dt.timedelta(days=30)
    more = [
        clean_events(DAYS).filter(pl.col("timestamp").dt.date() == day).with_columns(pl.col("event_key") + copy)
        for copy in range(1, 7)
    ]
    error, report = refused(tmp_path, pl.concat([clean_events(DAYS), *more]))
    assert [failure["name"] for failure in report["failures"]] == ["rows_per_day"]
    assert f"420 against 60 on {day}" in error.found


def test_an_unfinished_last_day_is_no_alarm(tmp_path) -> None:
    events = clean_events(DAYS, per_day=2000).filter(
        pl.col("timestamp") < dt.datetime.combine(LAST, dt.time(1), dt.UTC)
    )
    assert validate(write_days(tmp_path, events), params_with()).passed
    error, _ = refused(tmp_path / "over", events, events__until=str(LAST + dt.timedelta(days=1)))
    assert "within a factor 4" in error.needed


def test_too_many_quarantined_rows(tmp_path) -> None:
    events = clean_events(DAYS).with_columns(
        pl.when(pl.int_range(pl.len()) % 9 == 0).then(95.0).otherwise("latitude").alias("latitude")
    )
    error, report = refused(tmp_path, events)
    assert "rows_kept" in {failure["name"] for failure in report["failures"]}
    assert "latitude_in_range" in error.found
    assert report["failures"][0]["events"][0]["rule"] == "latitude_in_range"
    assert validate(write_days(tmp_path, events), params_with(validation__max_quarantined=0.2)).quarantined == 267


def test_repeated_and_misplaced_items(tmp_path) -> None:
    root = write_days(tmp_path, clean_events(DAYS))
    (root / "data" / "catalogue").mkdir()
    items = pl.DataFrame({"item_id": ["a", "b", "a"], "latitude": [48.8, 91.0, 48.8], "longitude": [2.3, 2.3, 2.3]})
    items.write_parquet(root / "data" / "catalogue" / "items.parquet")
    with pytest.raises(ValidationFailed) as error:
        validate(root, params_with())
    assert "each `item_id` once" in error.value.needed
    report = read_json(root / "reports" / "validation.json")
    assert report["catalogue"]["faults"] == {"items_repeated": 2, "items_misplaced": 1, "users_repeated": 0}


def test_one_user_only(tmp_path) -> None:
    report = validate(write_days(tmp_path, clean_events(DAYS, users=1)), params_with())
    assert report.users == 1
    assert any("one user only" in notice for notice in report.notices)


def test_a_log_too_short_for_a_reference(tmp_path) -> None:
    report = validate(write_days(tmp_path, clean_events(days=2)), params_with())
    assert report.reference["whole"]
    assert any("too short" in notice for notice in report.notices)


def test_order_only_has_no_days_to_judge(tmp_path) -> None:
    events = clean_events(DAYS).filter(pl.col("timestamp").dt.date() != FIRST + dt.timedelta(days=12))
    assert validate(write_days(tmp_path, events), params_with(events__time_kind="ordinal")).passed


def test_shares_of_the_events_as_windows(tmp_path) -> None:
    params = params_with(windows__tune="10%", windows__blend="10%", windows__test="10%")
    report = validate(write_days(tmp_path, clean_events(DAYS)), params)
    assert sum(day["judged"] for day in report.days) == 12

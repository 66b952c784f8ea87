"""Counts of a log: complete grids with zeros, whole steps only, the same from day files as from memory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import ConfigError, DataError
from components.events.contract import SCHEMA
from components.events.days import day_path, write_day
from components.evolution.trends.counts import Grid, count


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2024, 1, day, hour, minute, tzinfo=dt.UTC)


def grid(**given: object) -> Grid:
    return Grid.model_validate({"zone": "UTC", "resolution": 5, "least": 1, **given})


def log(rows: list[tuple[dt.datetime, str, str, str | None, float | None, float | None]]) -> pl.DataFrame:
    """(n, …) events of (time, action, item, device, latitude, longitude), in the order of time."""
    frame = pl.DataFrame(
        rows, schema=["timestamp", "action", "item_id", "device", "latitude", "longitude"], orient="row"
    ).sort("timestamp")
    blank = [pl.lit(None).alias(name) for name in SCHEMA if name not in frame.columns]
    return frame.with_columns(blank).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


EVENTS = log(
    [
        (at(1, 0, 5), "view", "i1", "phone", 48.85, 2.35),
        (at(1, 0, 50), "view", "i1", "phone", 48.85, 2.35),
        (at(1, 2), "buy", "i2", None, None, None),
        (at(3, 23, 59), "view", "i9", "desk", 40.7, -74.0),
    ]
)


def test_hours_are_complete_with_zeros() -> None:
    panel = count(EVENTS, grid(step="hour", by=("action",)))
    assert panel.keys["action"].to_list() == ["buy", "view"]
    assert panel.values.shape == (2, 72)
    assert panel.values.sum(1).tolist() == [1.0, 3.0]
    assert panel.values[1, :3].tolist() == [2.0, 0.0, 0.0]
    assert panel.values[1, -1] == 1.0
    assert panel.start == at(1, 0)
    assert panel.seasons == (24, 168)


def test_days_belong_to_the_zone_and_only_whole_ones_count() -> None:
    utc = count(EVENTS, grid(step="day", by=("action",)))
    assert utc.values.tolist() == [[1.0, 0.0, 0.0], [2.0, 0.0, 1.0]]
    tokyo = count(EVENTS, grid(step="day", by=("action",), zone="Asia/Tokyo"))
    assert tokyo.start == dt.datetime(2024, 1, 2)  # the 1st began nine hours before the log did
    assert tokyo.steps == 2
    assert tokyo.values.sum() == 0.0


def test_the_hour_that_clocks_repeat_is_counted_twice() -> None:
    first = dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC)  # 2:30 in Paris, and an hour later again
    events = log([(first + dt.timedelta(hours=h), "view", "i", None, None, None) for h in range(2)])
    panel = count(events, grid(step="hour", by=("action",), zone="Europe/Paris"))
    assert panel.values[0, :2].tolist() == [1.0, 1.0]


def test_dimensions_and_what_is_unknown() -> None:
    items = pl.DataFrame({"item_id": ["i1", "i2"], "category": ["book", None]})
    wanted = grid(step="day", by=("category", "region", "device"), resolution=3)
    panel = count(EVENTS, wanted, items)
    found = {key: int(total) for key, total in zip(panel.keys.iter_rows(), panel.values.sum(1), strict=True)}
    assert sorted(found.values()) == [1, 1, 2]
    assert found["unknown", "unknown", "unknown"] == 1
    assert {key[0] for key in found} == {"book", "unknown"}
    assert all(len(key[1]) == 15 for key in found if key[1] != "unknown")  # an H3 cell in hexadecimal


def test_small_segments_are_pooled_and_totals_stay() -> None:
    panel = count(EVENTS, grid(step="day", by=("action", "device"), least=2))
    assert panel.keys.rows() == [("other", "other"), ("view", "phone")]
    assert panel.values.sum() == 4.0


def test_day_files_give_what_memory_gives(tmp_path: Path) -> None:
    for (day,), part in EVENTS.group_by(pl.col("timestamp").dt.date().alias("day")):
        assert isinstance(day, dt.date)
        write_day(day_path(tmp_path, day), part)
    for wanted in (
        grid(step="hour", by=("action", "region")),
        grid(step="day", by=("device",), zone="America/New_York"),
    ):
        memory, files = count(EVENTS, wanted), count(tmp_path, wanted)
        assert memory.keys.equals(files.keys)
        assert np.array_equal(memory.values, files.values)
        assert memory.start == files.start


def test_what_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="items with their category"):
        count(EVENTS, grid(step="day", by=("category",)))
    with pytest.raises(DataError, match="a whole week"):
        count(EVENTS, grid(step="week", by=("action",)))
    with pytest.raises(ConfigError, match="time zone"):
        count(EVENTS, grid(step="day", by=("action",), zone="Atlantis"))
    with pytest.raises(DataError, match="events"):
        count(tmp_path, grid(step="day", by=("action",)))
    with pytest.raises(DataError, match="events"):
        count(EVENTS.clear(), grid(step="day", by=("action",)))

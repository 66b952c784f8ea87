"""The log: the same from a store and from a frame, local clocks, and codes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.errors import SchemaError
from components.evolution.log import Log
from tests.toy import toy_store
from tests.unit.evolution.planted import MONDAY_S, log_of


def test_a_store_and_its_frame_are_one_log() -> None:
    store = toy_store(n_users=5)
    words, catalogue = store.encoding.vocabularies, store.encoding.catalogue
    item = np.asarray(store["item"])
    events = pl.DataFrame(
        {
            "user_id": store.users[store.user].tolist(),
            "item_id": words["item"].ids[item].tolist(),
            "timestamp": np.asarray(store["time_s"]),
            "latitude": np.asarray(store["latitude"], np.float64),
            "longitude": np.asarray(store["longitude"], np.float64),
        }
    ).with_columns((pl.col("timestamp") * 1_000_000).cast(pl.Datetime("us", "UTC")))
    items = pl.DataFrame(
        {"item_id": words["item"].ids[2:].tolist(), "category": words["category"].ids[catalogue.category[2:]].tolist()}
    )
    one, other = Log.of_store(store), Log.of_frame(events.sample(fraction=1, shuffle=True, seed=0), items, "UTC")
    for name in ("time_s", "local_s", "latitude", "longitude", "offsets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.items[one.item], other.items[other.item])
    np.testing.assert_array_equal(one.categories[one.category], other.categories[other.category])
    np.testing.assert_array_equal(one.users, other.users)


def test_devices_are_told_where_a_log_has_them_and_go_with_their_rows() -> None:
    events = pl.DataFrame(
        {
            "user_id": ["a", "b", "b"],
            "item_id": ["x", "x", "y"],
            "timestamp": pl.Series([1, 2, 3]).cast(pl.Datetime("us", "UTC")),
            "device": ["web", None, "phone"],
        }
    )
    log = Log.of_frame(events, None, "UTC")
    assert log.devices.tolist() == ["phone", "web"]
    assert log.only(log.user == 1).device.tolist() == [-1, 0]
    without = Log.of_frame(events.drop("device"), None, "UTC")
    assert without.only(without.user == 1).device.tolist() == without.devices.tolist() == []


def test_clock_is_local() -> None:
    events = pl.DataFrame(
        {"user_id": ["a"], "item_id": ["x"], "timestamp": [MONDAY_S * 1_000_000], "utc_offset_min": [-60]},
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )
    log = Log.of_frame(events, None, "UTC")
    assert log.hour_of_week[0] == 167  # Sunday, 23:00
    assert log.month[0] == 55 * 12
    assert log.category[0] == -1
    assert log.cells(8)[1].tolist() == [-1]


def test_some_rows_keep_their_users() -> None:
    log = log_of(np.array([0, 0, 1, 2]), np.arange(4))
    part = log.only(np.array([True, False, False, True]))
    assert part.user.tolist() == [0, 2]
    assert part.offsets.tolist() == [0, 1, 1, 2]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SchemaError, match="timestamp"):
        Log.of_frame(pl.DataFrame({"user_id": ["a"], "item_id": ["b"]}), None, "UTC")


def test_a_sample_holds_whole_histories_of_users_drawn_at_random() -> None:
    rng = np.random.default_rng(0)
    user = np.sort(rng.integers(0, 200, 5000))
    log = log_of(user, rng.integers(0, 90 * 86_400, 5000), rng.integers(0, 5, 5000))
    some, rows = log.sample(1000, seed=3)
    assert 800 <= some.n_events <= 1000
    assert some.users.tolist() == log.users[rows].tolist()
    for place, row in enumerate(rows):
        mine = slice(int(log.offsets[row]), int(log.offsets[row + 1]))
        assert np.array_equal(some.time_s[some.offsets[place] : some.offsets[place + 1]], log.time_s[mine])
    assert rows.tolist() != log.sample(1000, seed=4)[1].tolist()
    assert log.sample(5000, seed=3)[0] is log

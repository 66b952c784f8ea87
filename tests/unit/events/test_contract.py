"""The event contract: types, rules in their order, what a rejected row keeps."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from components.errors import SchemaError
from components.events.contract import SCHEMA, conform
from tests.eventlog import NOW, log_params, toy_log

PARAMS = log_params(item_free_actions=["like"], action_map={"pv": "view"}).events
GOOD: dict[str, Any] = {
    "user_id": "u", "item_id": "i", "action": "view", "timestamp": "2025-03-01T10:00:00", "source_seq": "4",
    "utc_offset_min": "-240", "latitude": "48.85", "longitude": "2.35", "duration_s": "1.5", "value": "-3",
    "device": "web", "session_id": "", "text": "t", "event_id": None,
}  # fmt: skip


def rows(*changes: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([GOOD | change for change in changes], schema=dict.fromkeys(GOOD, pl.String))


def test_texts_become_the_types_of_the_contract() -> None:
    kept, rejected = conform(rows({}, {"action": "pv"}), PARAMS, NOW)
    assert rejected.is_empty()
    assert kept.schema == pl.Schema(SCHEMA)
    assert kept["action"].to_list() == ["view", "view"]
    first = kept.row(0, named=True)
    assert first["timestamp"] == dt.datetime(2025, 3, 1, 10, tzinfo=dt.UTC)
    assert (first["source_seq"], first["utc_offset_min"], first["value"], first["session_id"]) == (4, -240, -3.0, None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"user_id": ""}, "user_id_missing"),
        ({"user_id": None, "action": "zap"}, "user_id_missing"),
        ({"user_id": "u" * 257}, "user_id_too_long"),
        ({"user_id": "a\x00b"}, "user_id_has_control_character"),
        ({"action": None}, "action_missing"),
        ({"action": "zap"}, "action_unknown"),
        ({"item_id": None}, "item_id_missing"),
        ({"item_id": "é" * 257}, "item_id_too_long"),
        ({"item_id": "a\x7f"}, "item_id_has_control_character"),
        ({"timestamp": None}, "timestamp_missing"),
        ({"timestamp": "yesterday"}, "timestamp_not_a_time"),
        ({"timestamp": "1999-12-31T23:59:59"}, "timestamp_too_early"),
        ({"timestamp": "2025-06-02T00:00:01"}, "timestamp_in_future"),
        ({"source_seq": "x"}, "source_seq_not_a_number"),
        ({"utc_offset_min": "99999"}, "utc_offset_min_not_a_number"),
        ({"utc_offset_min": "900"}, "utc_offset_min_out_of_range"),
        ({"latitude": "north"}, "latitude_not_a_number"),
        ({"longitude": "inf"}, "longitude_infinite"),
        ({"longitude": None}, "place_incomplete"),
        ({"latitude": "90.1"}, "latitude_out_of_range"),
        ({"longitude": "-180.1"}, "longitude_out_of_range"),
        ({"latitude": "0", "longitude": "0.0"}, "place_is_zero_zero"),
        ({"duration_s": "-0.1"}, "duration_s_negative"),
        ({"duration_s": "long"}, "duration_s_not_a_number"),
        ({"duration_s": "inf"}, "duration_s_infinite"),
        ({"value": "-inf"}, "value_infinite"),
        ({"value": "1,5"}, "value_not_a_number"),
    ],
)
def test_each_rule_catches_its_row_and_nothing_else(change: dict[str, Any], rule: str) -> None:
    kept, rejected = conform(rows({}, change, {}), PARAMS, NOW)
    assert kept.height == 2
    assert rejected["rule"].to_list() == [rule]
    record = json.loads(rejected["record"][0])
    assert record == GOOD | change, "the quarantine must show the row as it came"


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "u" * 256},
        {"item_id": None, "action": "like"},
        {"latitude": None, "longitude": "NaN"},
        {"timestamp": "2025-06-01T23:59:59"},
        {"duration_s": "0"},
        {"latitude": "0", "longitude": "1"},
        {"utc_offset_min": "330.0"},
    ],
)
def test_sound_rows_at_the_edge_are_kept(change: dict[str, Any]) -> None:
    kept, _ = conform(rows(change), PARAMS, NOW)
    assert kept.height == 1


def test_texts_that_are_no_times_at_all_are_rejected_one_by_one() -> None:
    kept, rejected = conform(rows({"timestamp": "noon"}, {"timestamp": "12"}), PARAMS, NOW)
    assert kept.is_empty()
    assert rejected["rule"].to_list() == ["timestamp_not_a_time"] * 2
    mixed, _ = conform(rows({"timestamp": "2025-03-01"}, {"timestamp": "2025-03-01 02:00:00+02:00"}), PARAMS, NOW)
    assert mixed["timestamp"].n_unique() == 1


def test_nan_is_missing_in_numeric_columns() -> None:
    kept, rejected = conform(toy_log(), PARAMS, NOW)
    assert rejected.is_empty()
    assert kept["latitude"].is_nan().sum() == 0
    assert kept["latitude"].null_count() > 0


def test_float_ids_lose_their_point_zero() -> None:
    frame = pl.DataFrame({"user_id": [13085.0, None], "item_id": [7, 8], "action": "view", "timestamp": [NOW, NOW]})
    kept, rejected = conform(frame, PARAMS, NOW)
    assert kept["user_id"].to_list() == ["13085"]
    assert rejected["rule"].to_list() == ["user_id_missing"]


def test_numbers_without_a_unit_and_nested_columns_are_refused() -> None:
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "action": ["view"], "timestamp": [1_700_000_000]})
    with pytest.raises(SchemaError, match="time_unit"):
        conform(frame, PARAMS, NOW)
    with pytest.raises(SchemaError, match="`item_id`"):
        conform(frame.with_columns(pl.col("item_id").implode().alias("item_id")), PARAMS, NOW)


def test_rows_are_conserved_and_keep_their_order() -> None:
    frame = rows(*({"value": str(k), "user_id": "" if k % 3 == 0 else f"u{k}"} for k in range(50)))
    kept, rejected = conform(frame, PARAMS, NOW)
    assert kept.height + rejected.height == 50
    assert kept["value"].to_list() == [float(k) for k in range(50) if k % 3]
    assert [json.loads(text)["value"] for text in rejected["record"]] == [str(k) for k in range(0, 50, 3)]

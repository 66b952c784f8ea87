"""An event that comes over the wire and the same event in a file: kept or refused alike, by the same rule, one key."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.events.contract import conform
from components.events.one import Sound, check_one, key_of
from components.serving.intake import Refusal, check, tie_key
from tests.eventlog import NOW, log_params

PARAMS = log_params(action_map={"klick": "view", "odd": "never heard of"}, item_free_actions=["like"]).events
_IDS = st.one_of(
    st.sampled_from(["u1", "", " ", "a" * 256, "a" * 257, "tab\there", "\x7f", "ünï", "日本" * 20, "nan", None]),
    st.text(max_size=40),
    st.integers(-5, 10**9),
    st.sampled_from([1.0, 2.5, float("nan"), 1e-7, 13085.0, True]),
)
_ACTIONS = st.sampled_from(["view", "like", "klick", "odd", "nothing", "", None, "purchase"])
_TIMES = st.one_of(
    st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2026, 1, 1)).map(dt.datetime.isoformat),
    st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2026, 1, 1)).map(lambda t: t.isoformat() + "Z"),
    st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2025, 1, 1)).map(lambda t: t.isoformat(" ") + "+05:30"),
    st.sampled_from(
        ["2025-01-06", "2025-01-06T10:00", "2025-01-06T10:00Z", "2025-01-06T10:00:00.1234567Z", "2025-02-30T00:00:00Z",
         "yesterday", "", " ", "nan", "20250106T101010", "2025-W02-1", "2025-01-06T10:00:00z", " 2025-01-06T10:00:00Z ",
         "2025-01-06T24:00:00Z", "2025-01-06T10:00:60Z", "2025-01-06T10:00:00-0300", "2025-01-06T10:00:00+01",
         "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2025-01-06T10:00:00+14:00", "2025-01-06T10:00:00,5Z", None]
    ),
)  # fmt: skip
_NUMBERS = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**40), 2**40),
    st.floats(-200, 200).map(str),
    st.sampled_from(["", " ", "nan", "NaN", "inf", "-Infinity", "1_000", "0x10", "+5", ".5", "5.", "1e400", "x", " 3 ",
                     "-240.0", "3.7", "1e3", 0, 0.0, -0.0, 90, 90.1, 180, True, 840, 841, 2**15, -720]),
)  # fmt: skip
_EVENTS = st.fixed_dictionaries(
    {"user_id": _IDS, "item_id": _IDS, "action": _ACTIONS, "timestamp": _TIMES},
    optional=dict.fromkeys(("source_seq", "utc_offset_min", "latitude", "longitude", "duration_s", "value"), _NUMBERS)
    | dict.fromkeys(("device", "session_id", "text", "event_id"), _IDS),
)
_SOUND = st.fixed_dictionaries(
    {
        "user_id": st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f"), min_size=1),
        "item_id": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
        "action": st.sampled_from(["view", "klick"]),
        "timestamp": st.datetimes(dt.datetime(2001, 1, 1), dt.datetime(2025, 5, 1)).map(lambda t: t.isoformat() + "Z"),
    },
    optional={
        "latitude": st.just(48.85), "longitude": st.just(2.35), "duration_s": st.floats(0, 1e6),
        "value": st.floats(-1e6, 1e6), "device": st.sampled_from(["phone", "a device with a long name"]),
        "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=60), "source_seq": st.integers(0, 2**60),
        "session_id": st.just("s"), "event_id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    },
)  # fmt: skip


def in_a_file(event: dict[str, Any]) -> tuple[pl.DataFrame, str | None]:
    """What the day files make of it: the kept rows, and the rule that refused it."""
    frame = pl.DataFrame([event], infer_schema_length=None, strict=False)
    kept, rejected = conform(frame, PARAMS, NOW)
    return kept, None if rejected.is_empty() else rejected["rule"][0]


@given(_EVENTS)
@settings(max_examples=400, deadline=None)
@example({"user_id": "u", "item_id": None, "action": "like", "timestamp": "2025-01-06T00:00:00Z"})
@example({"user_id": "u", "item_id": "i", "action": "view", "timestamp": "2025-06-02T00:00:00Z"})
@example({"user_id": "u", "item_id": "i", "action": "view", "timestamp": "2025-06-02T00:00:00.000001Z"})
def test_the_wire_and_the_file_agree(event: dict[str, Any]) -> None:
    kept, rule = in_a_file(event)
    found = check_one(event, PARAMS, NOW)
    assert (found if isinstance(found, str) else None) == rule
    if isinstance(found, Sound):
        row = kept.row(0, named=True)
        assert row.pop("event_key") == key_of(found, PARAMS.identity)
        assert row.pop("timestamp") == dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=found.time_us)
        assert {name: value for name, value in row.items() if value is not None} == {
            "user_id": found.user_id,
            **found.rest,
        }


@given(_SOUND)
@settings(max_examples=200, deadline=None)
def test_an_event_that_came_live_and_in_a_file_is_one_event(event: dict[str, Any]) -> None:
    if ("latitude" in event) != ("longitude" in event):
        return
    kept, rule = in_a_file(event)
    record = check("event", event, PARAMS, NOW)
    assert rule is None
    assert not isinstance(record, Refusal)
    assert tie_key(record) == kept["event_key"][0]
    again = check("event", event | {"unheard_of": 1}, PARAMS, NOW + dt.timedelta(hours=1))
    assert not isinstance(again, Refusal)
    assert again.id == record.id


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    max_leaves=4,
)
_FIELDS = st.sampled_from(["user_id", "timestamp", "item_id", "action", "latitude", "position", "question", "answer"])


@given(st.dictionaries(_FIELDS, _VALUES))
@settings(max_examples=200, deadline=None)
def test_nothing_that_json_can_hold_breaks_the_check(raw: dict[str, Any]) -> None:
    for kind in ("event", "impression", "feedback", "position", "tombstone"):
        assert check(kind, raw, PARAMS, NOW) is not None  # type: ignore[arg-type]

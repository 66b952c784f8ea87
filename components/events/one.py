"""One event against the contract, as it comes over the wire: the rules, names and order of `contract.conform`, in
microseconds instead of milliseconds, and the key that the day files would give it.

What is rare (a fraction as an id, an unusual way to write a moment) is read by the batch's own functions, so that both
agree there by construction; a property test holds that they agree everywhere. Never here: statistics, files, polars
on the usual path.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from components.events.rules import MAX_ID
from components.events.times import from_text
from components.params import EventParams

#: Columns of text, in the order of the contract.
_TEXTS = ("user_id", "item_id", "action", "device", "session_id", "text", "event_id")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
#: ISO 8601 as nearly everybody writes it; whatever else there is goes the slow way.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-3]):[0-5]\d)?")
_INTEGERS = {"source_seq": (-(2**63), 2**63 - 1), "utc_offset_min": (-(2**15), 2**15 - 1)}
_FLOATS = ("latitude", "longitude", "duration_s", "value")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_MASK = (1 << 64) - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MOST_DIGITS = 2**53


@dataclass(frozen=True)
class Sound:
    """An event that keeps every rule.

    Attributes
    ----------
    user_id : whose
    time_us : UTC microseconds since 1970
    rest : the other columns of the contract that have a value
    """

    user_id: str
    time_us: int
    rest: Mapping[str, Any]

    def column(self, name: str) -> Any:
        """A value under its contract name; None where there is none."""
        if name == "timestamp":
            return self.time_us
        return self.user_id if name == "user_id" else self.rest.get(name)


def check_one(record: Mapping[str, Any], params: EventParams, now: dt.datetime) -> Sound | str:
    """Bring one event to the contract.

    Parameters
    ----------
    record : contract columns, values as JSON gives them (a datetime is taken too); others are ignored
    params : actions, earliest time and tolerance
    now : aware; a later time than this plus the tolerance is refused

    Returns
    -------
    Sound, or str
        The name of the first rule that it breaks, as the quarantine would show it. A value that is a list or an object
        breaks `<column>_not_one_value`, which has no counterpart there: a column of such a log is refused whole.
    """
    texts: dict[str, str | None] = {}
    for name in _TEXTS:
        value = record.get(name)
        if isinstance(value, list | dict):
            return f"{name}_not_one_value"
        if isinstance(value, str) and not value.isascii() and _broken_surrogate(value):
            return f"{name}_not_one_value"
        texts[name] = value or None if isinstance(value, str) else _text(value)
    action = texts["action"]
    if action is not None:
        action = texts["action"] = params.action_map.get(action, action)
    user = texts["user_id"]
    broken = _id_broken(user, "user_id", needed=True)
    if broken or user is None:
        return broken or "user_id_missing"
    if action is None:
        return "action_missing"
    if action not in params.actions:
        return "action_unknown"
    broken = _id_broken(texts["item_id"], "item_id", needed=action not in params.item_free_actions)
    if broken:
        return broken
    time_us = _time_us(record.get("timestamp"))
    if isinstance(time_us, str):
        return time_us
    if time_us < _us(dt.datetime.combine(params.earliest, dt.time(), dt.UTC)):
        return "timestamp_too_early"
    if time_us > _us(now) + 1_000_000 * params.future_tolerance_s:
        return "timestamp_in_future"
    numbers = _numbers(record)
    if isinstance(numbers, str):
        return numbers
    rest = {name: value for name, value in texts.items() if value is not None and name != "user_id"}
    return Sound(user, time_us, rest | numbers)


def _broken_surrogate(text: str) -> bool:
    """Whether a text holds half a character, which no file can hold."""
    return any("\ud800" <= one <= "\udfff" for one in text)


def _us(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _text(value: Any) -> str | None:
    """What a value that is no text is as one: whole numbers lose their `.0`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _MOST_DIGITS:
        return str(int(value))
    found = pl.Series([value]).cast(pl.String, strict=False)[0]
    return None if found is None else str(found)


def _id_broken(name: str | None, column: str, *, needed: bool) -> str | None:
    if name is None:
        return f"{column}_missing" if needed else None
    if len(name) > MAX_ID:
        return f"{column}_too_long"
    return f"{column}_has_control_character" if _CONTROL.search(name) else None


def _time_us(value: Any) -> int | str:
    """Microseconds since 1970, or the rule that is broken."""
    if isinstance(value, dt.datetime):
        return _us(value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC))
    if value is None:
        return "timestamp_missing"
    if not isinstance(value, str):
        return "timestamp_not_a_time"
    if _MOMENT.fullmatch(value):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return _slow_time_us(value)
        return _us(moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC))
    return _slow_time_us(value)


def _slow_time_us(text: str) -> int | str:
    found = from_text(pl.Series([text])).to_physical()[0]
    if found is not None:
        return int(found)
    return "timestamp_missing" if text.strip().lower() in {"", "nan"} else "timestamp_not_a_time"


def _numbers(record: Mapping[str, Any]) -> dict[str, float | int] | str:
    """The numbers that are there, or the rule that is broken."""
    found: dict[str, float | int] = {}
    for name, (low, high) in _INTEGERS.items():
        value = _number(record.get(name), name)
        if isinstance(value, str):
            return value
        if value is not None and math.isfinite(value) and low <= int(value) <= high:
            found[name] = int(value)
        elif value is not None and isinstance(record[name], str):
            return f"{name}_not_a_number"
    if not -720 <= found.get("utc_offset_min", 0) <= 840:
        return "utc_offset_min_out_of_range"
    for name in _FLOATS:
        value = _number(record.get(name), name)
        if isinstance(value, str):
            return value
        if value is not None:
            if math.isinf(value):
                return f"{name}_infinite"
            found[name] = float(value)
        if name == "longitude" and (broken := _place_broken(found.get("latitude"), found.get("longitude"))):
            return broken
        if name == "duration_s" and found.get(name, 0.0) < 0:
            return "duration_s_negative"
    return found


def _number(value: Any, name: str) -> float | int | str | None:
    """A number, None where there is none, or the rule that is broken."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value)
    if isinstance(value, float):
        return value
    if not isinstance(value, str):
        return f"{name}_not_one_value"
    text = value.strip()
    if text.lower() in {"", "nan"}:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    read = pl.Series([text]).cast(pl.Float64, strict=False)[0]
    if read is None or math.isnan(read):
        return f"{name}_not_a_number"
    return float(read)


def _place_broken(latitude: float | None, longitude: float | None) -> str | None:
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        return "place_incomplete"
    if abs(latitude) > 90:
        return "latitude_out_of_range"
    if abs(longitude) > 180:
        return "longitude_out_of_range"
    return "place_is_zero_zero" if latitude == 0 and longitude == 0 else None


def key_of(event: Sound, identity: Sequence[str]) -> int:
    """The event's key: what `keys.event_keys` computes for the same event in a table (64 bits)."""
    if "event_id" in event.rest:
        return key_of_id(str(event.rest["event_id"]))
    total = 0
    for name in dict.fromkeys(identity):
        value = event.column(name)
        if value is not None:
            total += _mixed(_bits(value) ^ _salt(name))
    return _mixed(total & _MASK)


def key_of_id(event_id: str) -> int:
    """The key of an event that has an id."""
    return _mixed(_mixed(_text_digest(event_id) ^ _salt("event_id")))


@cache
def _salt(name: str) -> int:
    return _text_digest(f"column {name}")


def _bits(value: str | float | int) -> int:
    if isinstance(value, str):
        return _text_digest(value)
    if isinstance(value, float):
        return int.from_bytes(struct.pack("<d", value + 0.0), "little")
    return value & _MASK


def _text_digest(text: str) -> int:
    """Length and little-endian words of the bytes, chained."""
    data = text.encode()
    digest = _mixed(len(data) * _GOLDEN & _MASK)
    for start in range(0, max(len(data), 1), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        digest = _mixed((digest ^ word) + _GOLDEN & _MASK)
    return digest


def _mixed(bits: int) -> int:
    bits = (bits ^ bits >> 30) * _FIRST & _MASK
    bits = (bits ^ bits >> 27) * _SECOND & _MASK
    return bits ^ bits >> 31

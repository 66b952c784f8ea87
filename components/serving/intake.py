"""What may enter the live log: one raw record of a kind, as HTTP gives it, becomes a `Record` or a refusal.

Pure: no clock, no state. Events keep the rules of the day files (`components.events.one`), so that what is refused here
is what a file's quarantine would hold, by the same name; the other kinds have rules of their own. A message never
repeats what was sent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from components.events.one import Sound, check_one, key_of, key_of_id
from components.events.rules import MAX_ID
from components.params import EventParams
from components.serving.state.record import Kind, Record

_DIGEST = "#"  # begins the id of a record that brought none
#: Of an impression: what the columns of the collected log hold (Int32).
MAX_POSITION = 2**31 - 1
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: Stands in for the action where a kind has none, so that one check serves all kinds.
_ANY = "·"


@dataclass(frozen=True)
class Refusal:
    """Why a record does not enter: the name of the rule, and what is needed, for people."""

    rule: str
    message: str


def check(kind: Kind, raw: Mapping[str, Any], params: EventParams, now: dt.datetime) -> Record | Refusal:
    """Check one record.

    Parameters
    ----------
    kind : event, impression, feedback or position
    raw : its fields as JSON gives them
    params : `events` of the params
    now : aware time of the service

    Returns
    -------
    Record, or Refusal
        Of the first rule that is broken.
    """
    return _CHECKS[kind](raw, params, now)


def _refused(rule: str) -> Refusal:
    for ending, needed in _NEEDED.items():
        if rule.endswith(ending):
            return Refusal(rule, needed.format(rule.removesuffix(ending)))
    return Refusal(rule, rule.replace("_", " "))


_NEEDED: Mapping[str, str] = {
    "_missing": "needed {}",
    "_too_long": f"needed {{}} of at most {MAX_ID} characters",
    "_has_control_character": "needed {} without control characters",
    "_unknown": "needed one of the declared values of {}",
    "_not_a_time": "needed {} as an ISO 8601 moment",
    "_too_early": "needed a {} after the earliest moment of the log",
    "_in_future": "needed a {} that is not in the future",
    "_not_a_number": "needed a number as {}",
    "_infinite": "needed a finite {}",
    "_out_of_range": "needed {} within its range",
    "_incomplete": "needed latitude and longitude, or neither",
    "_is_zero_zero": "needed a place; 0, 0 stands for none",
    "_negative": "needed {} of at least 0",
    "_not_one_value": "needed one value as {}",
}


def _event(raw: Mapping[str, Any], params: EventParams, now: dt.datetime) -> Record | Refusal:
    found = check_one(raw, params, now)
    if isinstance(found, str):
        return _refused(found)
    given = found.rest.get("event_id")
    name = f"{_DIGEST}{key_of(found, params.identity):016x}" if given is None else str(given)
    return _record("event", name, found, found.rest, now)


def tie_key(record: Record) -> int:
    """The 64-bit key by which the day files order events of one moment: that of `keys.event_keys`."""
    if "event_id" in record.payload:
        return key_of_id(str(record.payload["event_id"]))
    return int(record.id.removeprefix(_DIGEST), 16)


def _record(kind: Kind, name: str, found: Sound, payload: Mapping[str, Any], now: dt.datetime) -> Record:
    received_us = (now - _EPOCH) // dt.timedelta(microseconds=1)
    return Record(kind, name, found.user_id, found.time_us, received_us, payload)


def _common(
    raw: Mapping[str, Any], params: EventParams, now: dt.datetime, *, item: bool, place: bool = False
) -> Sound | Refusal:
    """User, time and, where wanted, item and place of a record that is no event."""
    names = ("user_id", "timestamp", "item_id", *(("latitude", "longitude") if place else ()))
    plain = {name: raw.get(name) for name in names} | {"action": _ANY}
    free = [] if item else [_ANY]
    rules = params.model_copy(update={"actions": [_ANY], "action_map": {}, "item_free_actions": free})
    found = check_one(plain, rules, now)
    return _refused(found) if isinstance(found, str) else found


def _other(kind: Kind, found: Sound, fields: Mapping[str, Any], now: dt.datetime) -> Record:
    """A record named after all that it says: one that comes again is a duplicate."""
    kept = {name: value for name, value in found.rest.items() if name != "action"}
    payload = kept | {name: value for name, value in fields.items() if value is not None}
    said = orjson.dumps([found.time_us, payload], option=orjson.OPT_SORT_KEYS)
    name = _DIGEST + hashlib.blake2b(said, digest_size=12).hexdigest()
    return _record(kind, name, found, payload, now)


def _impression(raw: Mapping[str, Any], params: EventParams, now: dt.datetime) -> Record | Refusal:
    found = _common(raw, params, now, item=True)
    if isinstance(found, Refusal):
        return found
    position, probability = raw.get("position"), raw.get("probability")
    if not isinstance(position, int) or isinstance(position, bool) or not 1 <= position <= MAX_POSITION:
        return Refusal("position_out_of_range", f"needed a position from 1 to {MAX_POSITION}")
    if not _is_number(probability) or not 0 <= float(probability) <= 1:  # type: ignore[arg-type]
        return Refusal("probability_out_of_range", "needed a probability in [0, 1]")
    names = {name: raw.get(name) for name in ("list_id", "arm", "policy")}
    for name, value in names.items():
        if refusal := _bad_name(name, value):
            return refusal
    return _other(
        "impression",
        found,
        {"position": position, "probability": float(probability)} | names,  # type: ignore[arg-type]
        now,
    )


def _feedback(raw: Mapping[str, Any], params: EventParams, now: dt.datetime) -> Record | Refusal:
    found = _common(raw, params, now, item=False)
    if isinstance(found, Refusal):
        return found
    question, answer, value = raw.get("question"), raw.get("answer"), raw.get("value")
    if question is None:
        return Refusal("question_missing", "needed the question")
    if refusal := _bad_name("question", question):
        return refusal
    if answer is None and value is None:
        return Refusal("answer_missing", "needed an answer or a value")
    if answer is not None and not isinstance(answer, str):
        return Refusal("answer_not_text", "needed the answer as text")
    if value is not None and not _is_number(value):
        return Refusal("value_not_a_number", "needed a finite number as value")
    return _other(
        "feedback",
        found,
        {"question": question, "answer": answer, "value": None if value is None else float(value)},
        now,
    )


def _position(raw: Mapping[str, Any], params: EventParams, now: dt.datetime) -> Record | Refusal:
    found = _common(raw, params, now, item=False, place=True)
    if isinstance(found, Refusal):
        return found
    if "latitude" not in found.rest:
        return Refusal("place_missing", "needed latitude and longitude")
    accuracy = raw.get("accuracy_m")
    if accuracy is not None and (not _is_number(accuracy) or float(accuracy) < 0):
        return Refusal("accuracy_m_out_of_range", "needed an accuracy of at least 0 metres")
    return _other("position", found, {"accuracy_m": None if accuracy is None else float(accuracy)}, now)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bad_name(column: str, value: Any) -> Refusal | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > MAX_ID:
        return Refusal(f"{column}_out_of_range", f"needed {column} as text of 1 to {MAX_ID} characters")
    return None


def _tombstone(_raw: Mapping[str, Any], _params: EventParams, _now: dt.datetime) -> Refusal:
    return Refusal("kind_unknown", "a tombstone is left by forgetting a user, not sent")


_CHECKS: Mapping[Kind, Callable[[Mapping[str, Any], EventParams, dt.datetime], Record | Refusal]] = {
    "event": _event,
    "impression": _impression,
    "feedback": _feedback,
    "position": _position,
    "tombstone": _tombstone,
}

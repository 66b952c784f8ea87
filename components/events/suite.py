"""The data contract as data: a list of `Expectation` records that two engines read.

`broken` turns a record into a polars expression, the fast columnar check; `components.events.expectations` turns
the same record into a Great Expectations one. Three tables are looked at: `events` (a row is an event), `days`
(a row is a judged day, with its distance from the reference) and `batch` (one row for the whole snapshot). A
failing row of `events` goes to quarantine; a failing row of `days` or `batch` stops the flow.

Here are the rules and the expectations of rows; those of days and batches are in `components.events.batch`.
Never here: reading, writing, or statistics (`components.events.reference`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from components.events.rules import MAX_ID
from components.params import Params

Table = Literal["events", "days", "batch"]

#: Helper columns of the table of events: the day of the row's file, and whether its key was seen before.
DAY, REPEATED = "file_day", "key_seen_before"
#: Offsets from UTC that clocks on Earth have, minutes.
_OFFSETS = (-720, 840)


@dataclass(frozen=True)
class Expectation:
    """One line of the contract.

    Attributes
    ----------
    name : unique; what the quarantine, the report and the Data Docs show
    table : which table it is about
    column : the column it reads (the one that is shown)
    rule : a name of RULES
    arguments : of the rule
    severity : row (the row goes to quarantine) or batch (the flow stops)
    needed : in words, for messages: "`value` between … and …"
    do : in words, for the message of a failing batch
    """

    name: str
    table: Table
    column: str
    rule: str
    needed: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Literal["row", "batch"] = "row"
    do: str = ""


def _between(column: pl.Expr, low: Any = None, high: Any = None) -> pl.Expr:
    outside = pl.lit(False)
    for bound, beyond in ((low, column.lt), (high, column.gt)):
        if bound is not None:
            outside = outside | beyond(pl.lit(bound))
    return outside


def _finite_between(column: pl.Expr, low: Any = None, high: Any = None) -> pl.Expr:
    return column.is_finite().not_() | _between(column, low, high)


def _present(column: pl.Expr, unless_action: list[str] | None = None) -> pl.Expr:
    missing = column.is_null()
    return missing & pl.col("action").is_in(unless_action).not_().fill_null(True) if unless_action else missing


#: Rule → expression that is true where a value breaks it; null counts as kept (only `present` minds nulls).
RULES: Mapping[str, Callable[..., pl.Expr]] = {
    "present": _present,
    "between": _between,
    "finite_between": _finite_between,
    "before": lambda column, low, high: (column < low) | (column >= high) if high else column < low,
    "wrapped_between": lambda column, low, high: (column < low) & (column > high),
    "length": lambda column, low, high: column.str.len_chars().is_between(low, high).not_(),
    "printable": lambda column: column.str.contains(r"[\x00-\x1f\x7f]"),
    "one_of": lambda column, values: column.is_in(values).not_(),
    "paired_with": lambda column, other: column.is_null() != pl.col(other).is_null(),
    "not_origin": lambda column, other: (column == 0) & (pl.col(other) == 0),
    "own_day": lambda column: column.dt.date() != pl.col(DAY),
    "first_of_its_key": lambda column: column.is_not_null() & pl.col(REPEATED),
}


def broken(expectation: Expectation) -> pl.Expr:
    """Boolean expression over the expectation's table: true where it is broken, never null."""
    expression = RULES[expectation.rule](pl.col(expectation.column), **expectation.arguments)
    return expression.fill_null(False).alias(expectation.name)


def row_suite(params: Params) -> list[Expectation]:
    """Expectations of single events, in the order in which a row is blamed: the first broken one names it."""
    events, limits = params.events, params.validation
    low = dt.datetime.combine(events.earliest, dt.time(), dt.UTC)
    high = dt.datetime.combine(events.until, dt.time(), dt.UTC) if events.until else None
    span = f"from {events.earliest} on" + (f" and before {events.until}" if events.until else "")
    free = {"unless_action": list(events.item_free_actions)} if events.item_free_actions else {}
    suite = [
        _row(f"{name}_present", name, "present", f"a value in `{name}`", **(free if name == "item_id" else {}))
        for name in ("user_id", "item_id", "action", "timestamp", "event_key")
    ]
    for name in ("user_id", "item_id"):
        suite += [
            _row(f"{name}_length", name, "length", f"`{name}` of 1 to {MAX_ID} characters", low=1, high=MAX_ID),
            _row(f"{name}_printable", name, "printable", f"`{name}` without control characters"),
        ]
    known = f"`action` among {', '.join(events.actions)}"
    suite += [
        _row("action_known", "action", "one_of", known, values=list(events.actions)),
        _row("timestamp_in_span", "timestamp", "before", f"`timestamp` {span}", low=low, high=high),
        _row("timestamp_in_its_day", "timestamp", "own_day", "`timestamp` in the day of its file"),
        _row("event_key_unique", "event_key", "first_of_its_key", "each `event_key` once"),
        _bounded("utc_offset_in_range", "utc_offset_min", *_OFFSETS, rule="between", unit=" minutes"),
        _bounded("latitude_in_range", "latitude", -90.0, 90.0, unit=" degrees"),
        _bounded("longitude_in_range", "longitude", -180.0, 180.0, unit=" degrees"),
        _row("place_whole", "latitude", "paired_with", "latitude and longitude, or neither", other="longitude"),
        _row("place_not_origin", "latitude", "not_origin", "a place other than (0, 0)", other="longitude"),
    ]
    if box := limits.region:
        across = "between" if box.west <= box.east else "wrapped_between"  # the region may cross the antimeridian
        here = " degrees, the served region"
        suite += [
            _bounded("latitude_in_region", "latitude", box.south, box.north, rule="between", unit=here),
            _bounded("longitude_in_region", "longitude", box.west, box.east, rule=across, unit=here),
        ]
    most = limits.max_value
    return [
        *suite,
        _bounded("duration_in_range", "duration_s", 0.0, limits.max_duration_s, unit=" seconds"),
        _bounded("value_in_range", "value", None if most is None else -most, most),
    ]


def _row(name: str, column: str, rule: str, needed: str, **arguments: Any) -> Expectation:
    return Expectation(name, "events", column, rule, needed, arguments)


def _bounded(
    name: str, column: str, low: float | None, high: float | None, rule: str = "finite_between", unit: str = ""
) -> Expectation:
    ends = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
    words = " and ".join(end for end in ends if end) or "finite"
    return _row(name, column, rule, f"`{column}` {words}{unit}", low=low, high=high)

"""What an event is: the columns, their types, and `conform`, which brings any chunk to them.

Every row that cannot be brought to the contract is handed back whole, with the first rule that caught it.
Never here: where rows come from (`sources`), where they go (`ingest`), or statistics of a batch (`validation`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from components.errors import SchemaError
from components.events.keys import event_keys, has_control_characters
from components.events.rules import MALFORMED, RAW, UNREAD_TIME, Rule, rules_of
from components.events.times import TIMESTAMP, from_text
from components.params import EventParams

#: Column → type of the event table, in the order of the day files.
SCHEMA: Mapping[str, Any] = {
    "user_id": pl.String,
    "item_id": pl.String,
    "action": pl.String,
    "timestamp": TIMESTAMP,
    "source_seq": pl.Int64,
    "utc_offset_min": pl.Int16,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "duration_s": pl.Float64,
    "value": pl.Float64,
    "device": pl.String,
    "session_id": pl.String,
    "text": pl.String,
    "event_id": pl.String,
    "event_key": pl.UInt64,
}
#: Columns without which there is no event table.
REQUIRED = ("user_id", "item_id", "action", "timestamp")
#: Column → type of the item table; tags are a list of short strings.
ITEM_SCHEMA: Mapping[str, Any] = {
    "item_id": pl.String,
    "category": pl.String,
    "title": pl.String,
    "text": pl.String,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "price": pl.Float64,
    "tags": pl.List(pl.String),
}
#: Column → type of the rejected rows: the rule, and the row as JSON text of its original values.
REJECTED_SCHEMA: Mapping[str, Any] = {"rule": pl.String, "record": pl.String}


def conform(chunk: pl.DataFrame, params: EventParams, now: dt.datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bring a chunk to the contract.

    Parameters
    ----------
    chunk : pl.DataFrame
        (n, any) contract columns of any scalar type; optional ones may be left out, others are ignored.
        Strings are read as numbers where the contract wants numbers, and as ISO 8601 for the timestamp.
    params : EventParams
        Actions, earliest time and tolerance, identity.
    now : datetime
        Aware; later timestamps than this plus the tolerance are refused.

    Returns
    -------
    kept : pl.DataFrame
        (k, 15) rows of SCHEMA in the chunk's order, with `event_key`; duplicates are still there.
    rejected : pl.DataFrame
        (n - k, 2) rows of REJECTED_SCHEMA, in the chunk's order.

    Raises
    ------
    SchemaError
        A column is nested, or the timestamp is a number whose unit nobody declared.
    """
    frame = _typed(chunk, params)
    texts = {name.removeprefix(RAW) for name in frame.columns if name.startswith(RAW)}
    controls = {name for name in ("user_id", "item_id") if has_control_characters(frame[name])}
    rules = rules_of(params, now, texts, controls)
    bad = frame.select(pl.any_horizontal(rule.broken for rule in rules).fill_null(False).alias("bad"))["bad"]
    kept = frame.filter(~bad) if bad.any() else frame
    kept = kept.select(*(name for name in SCHEMA if name != "event_key"))
    kept = kept.with_columns(event_keys(kept, params.identity).alias("event_key"))
    return kept, _rejected(chunk, frame, rules, bad)


def _rejected(chunk: pl.DataFrame, frame: pl.DataFrame, rules: list[Rule], bad: pl.Series) -> pl.DataFrame:
    """(r, 2) the rows where `bad`, each with the first rule that it breaks."""
    if not bad.any():
        return pl.DataFrame(schema=dict(REJECTED_SCHEMA))
    first = pl.coalesce(pl.when(rule.broken.fill_null(False)).then(pl.lit(rule.name)) for rule in rules)
    names = frame.filter(bad).select(first.alias("rule"))["rule"]
    whole = chunk.filter(bad).select(pl.all().cast(pl.String, strict=False))
    record = whole.select(pl.struct(pl.all()).struct.json_encode().alias("record"))["record"]
    return pl.DataFrame({"rule": names, "record": record}, schema=dict(REJECTED_SCHEMA))


def _typed(chunk: pl.DataFrame, params: EventParams) -> pl.DataFrame:
    """(n, …) the chunk in the contract's types; what could not be read is null, its original under RAW + name."""
    columns: dict[str, pl.Expr] = {}
    for name, wanted in SCHEMA.items():
        if name == "event_key":
            continue
        if name not in chunk.columns:
            columns[name] = pl.lit(None, dtype=wanted)
            continue
        found = chunk.schema[name]
        if found.is_nested():
            raise SchemaError(
                f"one value per event in column `{name}`",
                found=f"the type {found}",
                do="Map the column to one of its fields, or unnest it in the source.",
            )
        if wanted == pl.String:
            columns[name] = _text(name, chunk)
        elif wanted == TIMESTAMP:
            columns[name] = pl.lit(from_text(chunk[name])) if found == pl.String else _moment(name, found)
        else:
            columns[name] = _number(name, found, wanted)
        if found == pl.String and wanted != pl.String:
            columns[RAW + name] = pl.col(name)
    for name in (MALFORMED, UNREAD_TIME):
        columns[name] = pl.col(name) if name in chunk.columns else pl.lit(None, dtype=pl.String)
    if "action" in chunk.columns and params.action_map:
        columns["action"] = columns["action"].replace(params.action_map)
    return chunk.select(expression.alias(name) for name, expression in columns.items())


def _text(name: str, chunk: pl.DataFrame) -> pl.Expr:
    """Strings; numbers that are whole lose their `.0` (a missing id makes pandas write 13085.0); empty is null."""
    column = chunk[name]
    expression = pl.col(name)
    if column.dtype == pl.String:
        return pl.when(expression != "").then(expression)
    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        if (whole == whole.floor()).all() and (whole.abs() < 2**53).all():
            return expression.fill_nan(None).cast(pl.Int64).cast(pl.String)
        expression = expression.fill_nan(None)
    return expression.cast(pl.String)


def _number(name: str, found: pl.DataType, wanted: Any) -> pl.Expr:
    expression = pl.col(name)
    if found == pl.String:
        stripped = expression.str.strip_chars()
        expression = pl.when(stripped != "").then(stripped)
        if wanted != pl.Float64:  # "-240.0" is a whole number too
            expression = expression.cast(pl.Float64, strict=False)
    number = expression.cast(wanted, strict=False)
    return number.fill_nan(None) if wanted == pl.Float64 else number


def _moment(name: str, found: pl.DataType) -> pl.Expr:
    expression = pl.col(name)
    if found == pl.Date or (isinstance(found, pl.Datetime) and found.time_zone is None):
        return expression.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if isinstance(found, pl.Datetime):
        return expression.cast(TIMESTAMP)
    if found == pl.Null:
        return pl.lit(None, dtype=TIMESTAMP)
    raise SchemaError(
        "a moment in column `timestamp`",
        found=f"numbers of type {found} whose unit nobody declared",
        do="Set `events.source.options.time_unit` to s, ms, us, ns or iso.",
    )

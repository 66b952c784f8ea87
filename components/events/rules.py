"""The structural rules of an event, in the order in which they are asked; the first one broken names a rejection.

A rule sees one row at a time and no statistics: what needs a batch or a reference lives in `validation`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container
from dataclasses import dataclass

import polars as pl

from components.params import EventParams

#: Prefix of the column that keeps the original text beside the number or moment that was read from it.
RAW = "raw:"
#: Column in which a source hands over a line that it could not split into columns.
MALFORMED = "malformed_line"
#: Column in which a source keeps a time that it could not read.
UNREAD_TIME = "unread_timestamp"
#: Ids are at least 1 and at most this many characters long.
MAX_ID = 256


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    name : what the quarantine shows
    broken : boolean expression over the typed columns; null counts as kept
    """

    name: str
    broken: pl.Expr


def rules_of(params: EventParams, now: dt.datetime, texts: Container[str], controls: Container[str]) -> list[Rule]:
    """Every structural rule of a log.

    Parameters
    ----------
    params : EventParams
        Actions, item-free actions, earliest time and tolerance.
    now : datetime
        Aware.
    texts : container of str
        Columns whose original text stands beside them, under RAW + name.
    controls : container of str
        Id columns with control characters somewhere; only these are searched row by row.

    Returns
    -------
    list of Rule
        In the order in which they are asked.
    """
    earliest = dt.datetime.combine(params.earliest, dt.time(), dt.UTC)
    latest = now + dt.timedelta(seconds=params.future_tolerance_s)
    latitude, longitude, moment = pl.col("latitude"), pl.col("longitude"), pl.col("timestamp")
    item_free = pl.col("action").is_in(params.item_free_actions) if params.item_free_actions else pl.lit(False)
    unread = pl.col(UNREAD_TIME).is_not_null() | _was_text("timestamp", texts)
    return [
        Rule(MALFORMED, pl.col(MALFORMED).is_not_null()),
        Rule("user_id_missing", pl.col("user_id").is_null()),
        *_id_rules("user_id", controls),
        Rule("action_missing", pl.col("action").is_null()),
        Rule("action_unknown", pl.col("action").is_in(params.actions).not_()),
        Rule("item_id_missing", pl.col("item_id").is_null() & item_free.not_()),
        *_id_rules("item_id", controls),
        Rule("timestamp_not_a_time", moment.is_null() & unread),
        Rule("timestamp_missing", moment.is_null()),
        Rule("timestamp_too_early", moment < earliest),
        Rule("timestamp_in_future", moment > latest),
        *_number_rules("source_seq", texts),
        *_number_rules("utc_offset_min", texts),
        Rule("utc_offset_min_out_of_range", pl.col("utc_offset_min").is_between(-720, 840).not_()),
        *_number_rules("latitude", texts),
        *_number_rules("longitude", texts),
        Rule("place_incomplete", latitude.is_null() != longitude.is_null()),
        Rule("latitude_out_of_range", latitude.abs() > 90),
        Rule("longitude_out_of_range", longitude.abs() > 180),
        Rule("place_is_zero_zero", (latitude == 0) & (longitude == 0)),
        *_number_rules("duration_s", texts),
        Rule("duration_s_negative", pl.col("duration_s") < 0),
        *_number_rules("value", texts),
    ]


def _id_rules(column: str, controls: Container[str]) -> list[Rule]:
    """Too long, or with control characters (the vocabulary reserves ids with those)."""
    control = pl.col(column).str.contains(r"[\x00-\x1f\x7f]") if column in controls else pl.lit(False)
    return [
        Rule(f"{column}_too_long", pl.col(column).str.len_chars() > MAX_ID),
        Rule(f"{column}_has_control_character", control),
    ]


def _number_rules(column: str, texts: Container[str]) -> list[Rule]:
    """Text that is no number, or a number without end."""
    unread = Rule(f"{column}_not_a_number", pl.col(column).is_null() & _was_text(column, texts))
    if column in {"source_seq", "utc_offset_min"}:
        return [unread]
    return [unread, Rule(f"{column}_infinite", pl.col(column).is_infinite())]


def _was_text(column: str, texts: Container[str]) -> pl.Expr:
    """Whether the source had something in the column; blanks and `nan` mean that it had nothing."""
    if column not in texts:
        return pl.lit(False)
    raw = pl.col(RAW + column).str.strip_chars().str.to_lowercase()
    return raw.is_in(["", "nan"]).not_().fill_null(False)

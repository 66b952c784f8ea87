"""Marked event sequences, one JSON object per line, as benchmarks of temporal point processes share them.

`time_since_start` and `type_event` are lists of one length: one user per line, one event per entry, its type both the
action and the item. Options: `unit_s`, seconds in one unit of time (3600); `origin`, the day that times count from
(`events.earliest`); `times`, the list they come from: `time_since_start` (the default) or `time_since_last_event`,
summed up, as published figures read files of which the two differ.
Layout: github.com/ant-research/EasyTemporalPointProcess. Never here: truncating or normalising sequences.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.errors import ConfigError
from components.events.rules import MALFORMED
from components.events.sources.common import Layout, event_path, files_in, numbered, options_of
from components.events.sources.jsonlines import decoded
from components.events.sources.text import lines
from components.events.times import TIMESTAMP
from components.params import Params

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.json", "*.json.gz")
OPTIONS = ("unit_s", "origin", "times")
ACTIONS: tuple[str, ...] = ()
TIME_KIND = "real"
_TIMES = ("time_since_start", "time_since_last_event")


def files(params: Params, root: Path) -> list[Path]:
    """Every file of sequences, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _start(params: Params) -> dt.datetime:
    found = options_of(params, OPTIONS).get("origin", params.events.earliest)
    try:
        day = found if isinstance(found, dt.date) else dt.date.fromisoformat(str(found))
    except ValueError as error:
        raise ConfigError(
            "a day as YYYY-MM-DD at `events.source.options.origin`", found=repr(found), do="Mend params.yaml."
        ) from error
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _times(params: Params) -> str:
    name = str(options_of(params, OPTIONS).get("times", _TIMES[0]))
    if name not in _TIMES:
        raise ConfigError(f"one of {', '.join(_TIMES)} at `events.source.options.times`", found=name, do="Mend it.")
    return name


def _events(path: Path, start: dt.datetime, unit_s: float, times: str) -> Iterator[pl.DataFrame]:
    """Chunks of events; users are named by file and line, so that files never share one."""
    stem = path.name.split(".")[0]
    first = 0
    for text in lines(path):
        frame, broken = decoded(text, {times: pl.List(pl.Float64), "type_event": pl.List(pl.Int64)})
        broken |= (frame[times].list.len() != frame["type_event"].list.len()).fill_null(True)
        names = pl.int_range(first, first + len(text), eager=True).cast(pl.String)
        frame = frame.with_columns((f"{stem}-" + names).alias("user_id")).filter(~broken)
        long = frame.explode(times, "type_event").drop_nulls("type_event")
        since = pl.col(times) if times == _TIMES[0] else pl.col(times).cum_sum().over("user_id")
        micros = (since * (unit_s * 1e6)).round().cast(pl.Int64, strict=False)
        place = pl.int_range(pl.len()).over("user_id")
        kind = "type-" + pl.col("type_event").cast(pl.String)
        long = long.select(
            "user_id",
            kind.alias("item_id"),
            kind.alias("action"),
            (pl.lit(start).cast(TIMESTAMP) + micros.cast(pl.Duration("us"))).alias("timestamp"),
            place.alias("source_seq"),
            pl.concat_str("user_id", place, separator="-").alias("event_id"),  # equal entries are events of their own
        )
        yield (
            pl.concat([long, pl.DataFrame({MALFORMED: text.filter(broken)})], how="diagonal") if broken.any() else long
        )
        first += len(text)


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of events."""
    unit_s = float(options_of(params, OPTIONS).get("unit_s", 3600.0))
    return numbered(_events(path or event_path(params, root), _start(params), unit_s, _times(params)), params, Layout())


def attribute_files(_params: Params, _root: Path) -> list[Path]:
    """None."""
    return []


def items(_params: Params, _root: Path) -> pl.DataFrame | None:
    """None: types have no attributes."""
    return None


def users(_params: Params, _root: Path) -> pl.DataFrame | None:
    """None: sequences are anonymous."""
    return None

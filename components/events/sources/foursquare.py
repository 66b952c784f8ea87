"""Foursquare check-ins: TSMC2014 as published (tabs, latin-1, no header) and as CSV with a header.

The CSV of GETNext (Yang et al., SIGIR 2022) and its followers has `trajectory_id`, which becomes the session; that of
Kaggle has other names for the same columns. `timezone` is minutes east of UTC. A check-in's place is its venue's.
Never here: filtering or splitting as papers do (`evaluation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.sources.common import Layout, event_path, files_in, numbered, options_of
from components.events.sources.text import first_line, table
from components.params import Params

PATTERNS = ("*.csv", "*.csv.gz", "dataset_TSMC2014_*.txt", "dataset_TSMC2014_*.txt.gz")
ACTIONS = ("checkin",)
TIME_KIND = "real"
_RAW = ["user_id", "POI_id", "POI_catid", "POI_catname", "latitude", "longitude", "timezone", "UTC_time"]
_KAGGLE = {
    "userId": "user_id",
    "venueId": "POI_id",
    "venueCategoryId": "POI_catid",
    "venueCategory": "POI_catname",
    "timezoneOffset": "timezone",
    "utcTimestamp": "UTC_time",
}
_TWITTER_TIME = "%a %b %d %H:%M:%S %z %Y"  # Tue Apr 03 18:00:09 +0000 2012
_MAPPING = {
    "item_id": "POI_id",
    "timestamp": "UTC_time",
    "utc_offset_min": "timezone",
    "session_id": "trajectory_id",
}


def files(params: Params, root: Path) -> list[Path]:
    """Every file of check-ins, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _chunks(path: Path) -> Iterator[pl.DataFrame]:
    """Chunks of check-ins under the names of the GETNext file."""
    if "\t" in first_line(path, "latin-1"):
        yield from table(path, "\t", _RAW, quote=None, encoding="latin-1")
    else:
        for chunk in table(path, ","):
            yield chunk.rename({old: new for old, new in _KAGGLE.items() if old in chunk.columns})


def _layout(path: Path) -> Layout:
    start = first_line(path, "latin-1")
    pattern = _TWITTER_TIME if "\t" in start or "utcTimestamp" in start else None
    return Layout(_MAPPING, {"action": "checkin"}, time_format=pattern)


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of check-ins."""
    options_of(params, ())
    file = path or event_path(params, root)
    return numbered(_chunks(file), params, _layout(file))


def attribute_files(_params: Params, _root: Path) -> list[Path]:
    """None: the log describes its venues."""
    return []


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """Category and coordinates of each venue."""
    columns = [pl.col("POI_id").alias("item_id"), pl.col("POI_catname").alias("category"), "latitude", "longitude"]
    return pl.concat(chunk.select(columns).unique() for path in files(params, root) for chunk in _chunks(path))


def users(_params: Params, _root: Path) -> pl.DataFrame | None:
    """None: the log says nothing about people."""
    return None

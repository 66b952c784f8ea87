"""Taobao's UserBehavior: user, item, category, behaviour and seconds, without a header.

Layout: tianchi.aliyun.com/dataset/649; pv is a page view, fav a favourite. Times that lie years off are in the
published file; the contract's rules catch them. Never here: sessions (`features`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from components.events.sources.common import Layout, event_path, files_in, numbered, options_of
from components.events.sources.text import table
from components.params import Params

PATTERNS = ("UserBehavior.csv", "UserBehavior.csv.gz", "*.csv", "*.csv.gz")
ACTIONS = ("view", "cart", "like", "purchase")
TIME_KIND = "real"
_LAYOUT = Layout(time_unit="s")
_NAMES = ["user_id", "item_id", "category", "action", "timestamp"]
_ACTION = {"pv": "view", "cart": "cart", "fav": "like", "buy": "purchase"}


def files(params: Params, root: Path) -> list[Path]:
    """Every file of behaviour, by name."""
    return files_in(event_path(params, root), PATTERNS)


def _chunks(path: Path) -> Iterator[pl.DataFrame]:
    for chunk in table(path, ",", _NAMES, quote=None):
        yield chunk.with_columns(pl.col("action").replace(_ACTION))


def read(params: Params, root: Path, path: Path | None) -> Iterator[pl.DataFrame]:
    """Chunks of behaviour."""
    options_of(params, ())
    return numbered(_chunks(path or event_path(params, root)), params, _LAYOUT)


def attribute_files(_params: Params, _root: Path) -> list[Path]:
    """None: the log holds the categories."""
    return []


def items(params: Params, root: Path) -> pl.DataFrame | None:
    """The category of each item."""
    chunks = (chunk for path in files(params, root) for chunk in _chunks(path))
    return pl.concat(chunk.select("item_id", "category").unique() for chunk in chunks)


def users(_params: Params, _root: Path) -> pl.DataFrame | None:
    """None: the log says nothing about people."""
    return None

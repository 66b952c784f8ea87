"""Logs with a planted truth, for tests of what analysis finds in them."""

from __future__ import annotations

import numpy as np
import polars as pl

from components.evolution.log import Log

MONDAY_S = 1_736_121_600  # 2025-01-06T00:00:00Z


def log_of(
    user: np.ndarray,
    time_s: np.ndarray,
    category: np.ndarray | None = None,
    item: np.ndarray | None = None,
    latitude: np.ndarray | None = None,
    longitude: np.ndarray | None = None,
) -> Log:
    """A log of (N,) users and seconds since MONDAY_S; categories make their own items where none are given."""
    n = len(user)
    kind = np.zeros(n, int) if category is None else category
    thing = kind if item is None else item
    events = pl.DataFrame(
        {
            "user_id": [f"u{u:05d}" for u in user],
            "item_id": [f"i{i:05d}" for i in thing],
            "timestamp": pl.Series(np.asarray(time_s) + MONDAY_S).cast(pl.Int64),
        }
    ).with_columns((pl.col("timestamp") * 1_000_000).cast(pl.Datetime("us", "UTC")))
    if latitude is not None:
        events = events.with_columns(latitude=pl.Series(latitude), longitude=pl.Series(longitude))
    items = pl.DataFrame({"item_id": events["item_id"], "category": [f"c{c:03d}" for c in kind]}).unique("item_id")
    return Log.of_frame(events, items, "UTC")

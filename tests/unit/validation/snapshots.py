"""Small clean snapshots as day files, for the tests of validation."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from components.events.contract import SCHEMA
from components.params import Params, parse_params

FIRST = dt.date(2025, 1, 6)
PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"


def params_with(**changes: Any) -> Params:
    """The repository's params; `changes` are keys of sections: `validation__region=None`, `events__until=…`."""
    record = yaml.safe_load(PARAMS.read_text())
    for path, value in changes.items():
        section, key = path.split("__")
        record[section][key] = value
    return parse_params(record, "the test")


def clean_events(days: int = 40, per_day: int = 60, users: int = 12, seed: int = 0) -> pl.DataFrame:
    """(days × per_day, …) events of the contract that break no expectation, sorted."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    day = np.repeat(np.arange(days), per_day)
    start = int(dt.datetime.combine(FIRST, dt.time(), dt.UTC).timestamp())
    time_us = (start + day * 86_400 + rng.integers(0, 86_400, n)) * 1_000_000 + np.arange(n)
    nothing = np.full(n, None, object)
    table = pl.DataFrame(
        {
            "user_id": [f"user{u:03d}" for u in rng.integers(0, users, n)],
            "item_id": [f"item{i:03d}" for i in rng.integers(0, 30, n)],
            "action": np.array(["view", "like", "cart", "purchase", "checkin"], object)[
                rng.choice(5, n, p=[0.5, 0.2, 0.1, 0.1, 0.1])
            ],
            "timestamp": pl.Series(time_us).cast(SCHEMA["timestamp"]),
            "source_seq": np.arange(n),
            "utc_offset_min": np.full(n, 60),
            "latitude": rng.uniform(48.80, 48.90, n),
            "longitude": rng.uniform(2.30, 2.40, n),
            "duration_s": rng.lognormal(4, 0.5, n),
            "value": rng.lognormal(3, 0.5, n),
            "device": ["phone"] * n,
            "session_id": nothing,
            "text": nothing,
            "event_id": nothing,
            "event_key": rng.permutation(n).astype(np.uint64) * 1_000_003 + 17,
        },
        schema=dict(SCHEMA),
    )
    return table.sort("timestamp", "user_id", "source_seq", "event_key")


def write_days(root: Path, events: pl.DataFrame, day: pl.Series | None = None) -> Path:
    """Write events as day files, in the given order, by the day of their timestamp or by the given one."""
    folder = root / "data" / "events"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("day=*.parquet"):
        old.unlink()
    days = events["timestamp"].dt.date() if day is None else day
    for (one,), rows in events.with_columns(days.alias("_day")).group_by("_day", maintain_order=True):
        rows.drop("_day").write_parquet(folder / f"day={one}.parquet")
    return root

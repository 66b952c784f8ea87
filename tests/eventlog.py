"""Small logs and params for tests of everything that takes events in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components.params import Params, load_params

ROOT = Path(__file__).resolve().parents[1]
NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
START = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)


def log_params(source: dict[str, Any] | None = None, **events: Any) -> Params:
    """The repository's params with another source and other keys of `events`."""
    params = load_params(ROOT / "params.yaml")
    base = {"format": "csv", "path": None, "catalogue": None, "users": None, "mapping": {}, "constants": {},
            "order": "none", "options": {}}  # fmt: skip
    changed = params.events.source.model_copy(update=base | (source or {}))
    defaults = {"actions": ["view", "like", "cart", "purchase", "checkin"], "action_map": {}, "item_free_actions": []}
    return params.model_copy(
        update={"events": params.events.model_copy(update=defaults | {"source": changed} | events)}
    )


def toy_log(n: int = 200, days: int = 5, seed: int = 0) -> pl.DataFrame:
    """(n, …) sound events in time order, many of them at equal seconds."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, days * 86_400, n)) // 600 * 600
    places = rng.random(n) < 0.5
    return pl.DataFrame(
        {
            "user_id": [f"u{k}" for k in rng.integers(0, 7, n)],
            "item_id": [f"i{k}" for k in rng.integers(0, 11, n)],
            "action": rng.choice(["view", "like", "purchase"], n).tolist(),
            "timestamp": [START + dt.timedelta(seconds=int(s)) for s in seconds],
            "source_seq": np.arange(n),
            "latitude": np.where(places, rng.uniform(48.8, 48.9, n).round(4), np.nan),
            "longitude": np.where(places, rng.uniform(2.3, 2.4, n).round(4), np.nan),
            "value": rng.integers(0, 100, n).astype(float),
            "text": [None if k < 5 else f"no {k}, «ü»" for k in rng.integers(0, 10, n)],
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def day_bytes(root: Path) -> dict[str, bytes]:
    """Name → bytes of every file in a workspace's events."""
    return {path.name: path.read_bytes() for path in sorted((root / "data" / "events").iterdir())}

"""Small event tables for the tests of the features room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from components.params import Params, load_params

START_S = 1_736_121_600  # 2025-01-06T00:00:00Z, a Monday
_ROOT = Path(__file__).resolve().parents[3]


def params(**sections: dict[str, object]) -> Params:
    """The repository's params with some values of some sections replaced."""
    whole = load_params(_ROOT / "params.yaml")
    return whole.model_copy(
        update={name: getattr(whole, name).model_copy(update=values) for name, values in sections.items()}
    )


def times(seconds: list[int] | np.ndarray) -> pl.Series:
    """Seconds after START_S as a timestamp column."""
    return pl.Series((np.asarray(seconds, np.int64) + START_S) * 1_000_000).cast(pl.Datetime("us", "UTC"))


def log(n: int = 400, users: int = 12, days: int = 40, seed: int = 0) -> pl.DataFrame:
    """A random log with missing places, durations, devices and sessions, and equal times, in random order."""
    rng = np.random.default_rng(seed)

    def some(column: pl.Series, share: float) -> pl.Series:
        return pl.select(pl.when(pl.Series(rng.random(n) >= share)).then(column)).to_series()

    item = rng.integers(0, 30, n)
    lat, lon = rng.uniform(48.7, 49.0, 30), rng.uniform(2.0, 2.6, 30)
    nowhere = rng.random(n) < 0.2
    return pl.DataFrame(
        {
            "user_id": [f"user{u}" for u in rng.integers(0, users, n)],
            "item_id": some(pl.Series([f"item{i}" for i in item]), 0.05),
            "action": rng.choice(["view", "like", "purchase", "never heard of"], n),
            "timestamp": times(rng.integers(0, days * 24, n) * 3600),
            "source_seq": rng.permutation(n),
            "utc_offset_min": some(pl.Series(rng.choice([-300, 0, 60], n)).cast(pl.Int16), 0.5),
            "latitude": pl.select(pl.when(pl.Series(~nowhere)).then(pl.Series(lat[item]))).to_series(),
            "longitude": pl.select(pl.when(pl.Series(~nowhere)).then(pl.Series(lon[item]))).to_series(),
            "duration_s": some(pl.Series(rng.exponential(60, n)), 0.3),
            "value": some(pl.Series(rng.normal(0, 9, n)), 0.7),
            "device": some(pl.Series(rng.choice(["phone", "web"], n)), 0.1),
            "session_id": some(pl.Series([f"s{k}" for k in rng.integers(0, 4, n)]), 0.4),
            "event_key": pl.Series(rng.permutation(n)).cast(pl.UInt64),
        }
    )

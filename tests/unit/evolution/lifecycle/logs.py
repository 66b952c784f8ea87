"""Small logs with known histories, and a large one from a known process."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from components.evolution.lifecycle.occasions import Occasions

#: Fader, Hardie and Lee calibrate on the days before this one; 39 weeks follow.
CDNOW_MOMENT = (dt.date(1997, 10, 1) - dt.date(1970, 1, 1)).days


def days(*histories: list[int], value: list[list[float]] | None = None) -> Occasions:
    """Occasions of users by the days they come on."""
    flat = [day for history in histories for day in history]
    worth = [one for history in value for one in history] if value else [np.nan] * len(flat)
    users = np.empty(len(histories), object)
    users[:] = [f"user{u}" for u in range(len(histories))]
    offsets = np.concatenate([[0], np.cumsum([len(history) for history in histories])])
    return Occasions(users, offsets, np.array(flat, np.int64), np.array(worth, float), 86_400)


def frame(occasions: Occasions) -> pl.DataFrame:
    """The same as a frame of the event contract."""
    return pl.DataFrame(
        {
            "user_id": occasions.users[occasions.user].tolist(),
            "timestamp": pl.Series(occasions.unit * 86_400_000_000).cast(pl.Datetime("us", "UTC")),
            "value": occasions.value,
        }
    )


def simulated(users: int, last: int, seed: int = 0, r: float = 0.8, alpha: float = 15, s: float = 0.8) -> Occasions:
    """Users who join within 60 days, come at rates Gamma(r, alpha) a day, leave at rates Gamma(s, 60), and spend."""
    rng = np.random.default_rng(seed)
    histories, values = [], []
    for _ in range(users):
        rate, lifetime = rng.gamma(r, 1 / alpha), rng.exponential(1 / rng.gamma(s, 1 / 60))
        start = int(rng.integers(0, 60))
        later = start + 1 + np.cumsum(rng.exponential(1 / rate, int(rate * last * 3) + 20))
        come = np.unique(np.concatenate([[start], later[later < start + lifetime].astype(int)]))
        come = come[come < last]
        histories.append(come.tolist())
        values.append((rng.gamma(6, rng.gamma(4, 1 / 15) ** -1, len(come))).tolist())
    return days(*histories, value=values)


def cdnow(folder: Path) -> pl.DataFrame:
    """The tenth of CDNOW's customers that the literature fits, as events."""
    lines = pl.read_csv(folder / "cdnow" / "CDNOW_sample.txt", has_header=False, new_columns=["line"])
    word = lines.select(words=pl.col("line").str.extract_all(r"\S+"))["words"].list
    return pl.DataFrame(
        {
            "user_id": word.get(1),
            "timestamp": word.get(2).str.to_datetime("%Y%m%d", time_unit="us", time_zone="UTC"),
            "value": word.get(4).cast(pl.Float64),
        }
    )

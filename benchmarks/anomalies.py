"""Are users found who behave as nobody does? Strange users are put into a clean log, and looked for.

    OMP_NUM_THREADS=1 python -m benchmarks.anomalies [--users 1000] [--days 70] [--seeds 3] [--json OUT]

The log is the simulated city without bots. Of each kind a hundredth of the users is made strange, drawn at random:
bot (reads 150 items, 20 to 25 seconds apart, on five days), regular (each event is moved to the nearest of three fixed
times of the day), takeover (from the middle of the history on, what another user did, who did 20 things or more from
then on), burst (200 events at one item in one hour), sleepless (on three days, what others do, every 20 to 40 minutes
of all 24 hours), copying (all go through one list of 30 items in its order, at their own pace, on two days). Kinds are
measured one at a time and all together; takeovers also after the first 10, 20 and 40 events of the new owner; the log
without any is measured too. A detector sees no label. AUC is of strange users against all others; precision and recall
of what is flagged at a stated share of false discoveries; `off_days`: median days between the day from which on an
account is said to have turned, and the first day of the new owner, among takeovers that were flagged. The baseline is
the number of events.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.machine import machine
from components.events.simulator import catalogue, simulate
from components.evolution.anomalies.behaviour import behaviour, enough
from components.evolution.anomalies.detectors import chance, ecod, forest, strange, tails, turned
from components.evolution.anomalies.report import judged
from components.evolution.anomalies.turns import turns
from components.evolution.log import Log
from components.files import write_json
from components.params import SimulationParams

Record = dict[str, Any]
Plant = Callable[[pl.DataFrame, list[str], np.random.Generator], pl.DataFrame]
LEAST_EVENTS, LEVEL, SHARE, RESOLUTION = 20, 0.1, 0.01, 8


def city(users: int, days: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events without bots and dirt, and the items."""
    asked = SimulationParams(
        users=users, items=800, start=dt.date(2025, 1, 6), days=days, events_per_user_day=1.8, drift=0.2, widening=0.3,
        bots=0.0, duplicates=0.0, dirty=0.0,
    )  # fmt: skip
    last = asked.start + dt.timedelta(days=days - 1)
    return pl.concat(list(simulate(asked, seed, asked.start, last))), catalogue(asked, seed)[0]


def bot(events: pl.DataFrame, chosen: list[str], rng: np.random.Generator) -> pl.DataFrame:
    """Five days of 150 items in the catalogue's order."""
    items = events["item_id"].unique().sort()
    first = events["timestamp"].min()
    parts = [events]
    for user in chosen:
        for day in rng.choice(60, 5, replace=False).tolist():
            at = np.cumsum(rng.integers(20, 26, 150)) + 36_000
            place = (int(rng.integers(len(items))) + np.arange(150)) % len(items)
            parts.append(_rows(events, user, first, day * 86_400 + at, items.gather(place), "view"))
    return pl.concat(parts)


def burst(events: pl.DataFrame, chosen: list[str], rng: np.random.Generator) -> pl.DataFrame:
    """200 events at one item within one hour."""
    items, first = events["item_id"].unique().sort(), events["timestamp"].min()
    parts = [events]
    for user in chosen:
        at = np.sort(rng.integers(0, 3600, 200)) + int(rng.integers(60)) * 86_400 + 50_000
        item = items.gather(np.full(200, int(rng.integers(len(items)))))
        parts.append(_rows(events, user, first, at, item, "like"))
    return pl.concat(parts)


def regular(events: pl.DataFrame, chosen: list[str], _: np.random.Generator) -> pl.DataFrame:
    """Each event at the nearest of 8:00, 13:00 and 20:00 UTC, to the second."""
    hour = pl.col("timestamp").dt.hour()
    clock = pl.when(hour < 11).then(8).when(hour < 17).then(13).otherwise(20)
    moved = pl.col("timestamp").dt.truncate("1d") + pl.duration(hours=clock)
    return events.with_columns(
        pl.when(pl.col("user_id").is_in(chosen)).then(moved).otherwise(pl.col("timestamp")).alias("timestamp")
    )


def takeover(
    events: pl.DataFrame, chosen: list[str], rng: np.random.Generator, most: int | None = None
) -> pl.DataFrame:
    """From the middle of its history on, each chosen user does what some other user does; of that, the first `most`."""
    parts = []
    for user in chosen:
        middle = _middle(events, user)
        late = events.filter((pl.col("timestamp") >= middle) & ~pl.col("user_id").is_in(chosen))
        able = late.group_by("user_id").len().filter(pl.col("len") >= LEAST_EVENTS)["user_id"].sort()
        other = able[int(rng.integers(len(able)))]
        taken = late.filter(pl.col("user_id") == other).sort("timestamp").head(most or late.height)
        parts.append(events.filter((pl.col("user_id") == user) & (pl.col("timestamp") < middle)))
        parts.append(taken.with_columns(pl.lit(user).alias("user_id")))
    return pl.concat([events.filter(~pl.col("user_id").is_in(chosen)), *parts])


def _middle(events: pl.DataFrame, user: str) -> Any:
    return events.filter(pl.col("user_id") == user)["timestamp"].median()


def sleepless(events: pl.DataFrame, chosen: list[str], rng: np.random.Generator) -> pl.DataFrame:
    """On three days in a row, an event every 20 to 40 minutes of day and night, at items as others choose them."""
    first = events["timestamp"].min()
    parts = [events]
    for user in chosen:
        at = np.cumsum(rng.integers(1200, 2401, 144)) + int(rng.integers(60)) * 86_400
        item = events["item_id"].gather(rng.integers(0, events.height, 144))
        parts.append(_rows(events, user, first, at, item, "view"))
    return pl.concat(parts)


def copying(events: pl.DataFrame, chosen: list[str], rng: np.random.Generator) -> pl.DataFrame:
    """All go through one list of 30 items in its order, 30 to 300 seconds apart, on two days of their own."""
    items, first = events["item_id"].unique().sort(), events["timestamp"].min()
    script = items.gather(rng.choice(len(items), 30, replace=False))
    parts = [events]
    for user in chosen:
        for day in rng.choice(60, 2, replace=False).tolist():
            at = np.cumsum(rng.integers(30, 301, 30)) + 86_400 * day + 61_200
            parts.append(_rows(events, user, first, at, script, "view"))
    return pl.concat(parts)


PLANTS: dict[str, Plant] = {
    "bot": bot, "regular": regular, "takeover": takeover, "burst": burst, "sleepless": sleepless, "copying": copying,
}  # fmt: skip
FIRST = (10, 20, 40)  # events of a new owner


def _rows(
    events: pl.DataFrame, user: str, first: Any, at_s: NDArray[np.int64], item: pl.Series, action: str
) -> pl.DataFrame:
    moments = pl.Series((at_s * 1_000_000).astype(np.int64)).cast(pl.Duration("us")) + first
    rows = pl.DataFrame({"user_id": [user] * len(item), "item_id": item, "timestamp": moments})
    rows = rows.with_columns(action=pl.lit(action))
    return pl.concat([events.clear(), rows.cast({"timestamp": events.schema["timestamp"]})], how="diagonal")


def auc(score: NDArray[np.float64], planted: NDArray[np.bool_]) -> float:
    """Chance that a planted user scores higher than another."""
    rank = rankdata(score)[planted].sum()
    n = int(planted.sum())
    return float((rank - n * (n + 1) / 2) / (n * (len(score) - n)))


def measured(
    events: pl.DataFrame, items: pl.DataFrame, chosen: set[str], seed: int, moved: dict[str, Any] | None = None
) -> dict[str, Record]:
    """AUC, precision, recall and flags of each detector; `moved`: user → the moment at which the account is taken."""
    log = Log.of_frame(events, items, "Europe/Paris")
    changed = turns(log, enough(log, LEAST_EVENTS), RESOLUTION, LEAST_EVENTS // 2, seed)
    found = behaviour(log, changed)
    by = judged(found, changed, LEVEL, seed)
    planted = np.array([log.users[row] in chosen for row in found.user])
    chances = {
        "ecod": chance(ecod(by.far)), "forest": chance(forest(by.far, seed)), "tails": chance(tails(by.far)),
        "turned": turned(changed.score, changed.looks), "together": by.p,
        "events": chance(found.events.astype(np.float64)),
    }  # fmt: skip
    answer = {}
    for name, p in chances.items():
        flags = strange(p, LEVEL)
        score = changed.score if name == "turned" else -p  # p is 1 to the last bit where a score is far below
        off = [
            abs(int(changed.since[one]) - (moved[log.users[row]].date() - dt.date(1970, 1, 1)).days)
            for one, row in enumerate(found.user)
            if moved and flags[one] and log.users[row] in moved
        ]
        answer[name] = {
            "auc": auc(np.nan_to_num(score, nan=-np.inf), planted) if planted.any() else None, "off": off,
            "flagged": int(flags.sum()), "hits": int((flags & planted).sum()), "planted": int(planted.sum()),
            "users": len(planted),
        }  # fmt: skip
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--days", type=int, default=70)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sums: dict[tuple[str, str], list[Record]] = {}
    for seed in range(options.first, options.first + options.seeds):
        events, items = city(options.users, options.days, seed)
        events = events.drop_nulls("item_id")
        enough = events.group_by("user_id").len().filter(pl.col("len") >= 2 * LEAST_EVENTS)["user_id"].sort().to_list()
        rng = np.random.default_rng(seed)
        drawn = rng.permutation(enough)
        count = max(2, round(SHARE * len(enough)))
        chosen = {name: drawn[place * count : (place + 1) * count].tolist() for place, name in enumerate(PLANTS)}
        moved = {user: _middle(events, user) for user in chosen["takeover"]}
        together, logs = events, []
        for name, plant in PLANTS.items():
            together = plant(together, chosen[name], rng)
            logs.append((name, plant(events, chosen[name], rng), set(chosen[name])))
        logs += [
            (f"takeover, {most} events of it", takeover(events, chosen["takeover"], rng, most), set(chosen["takeover"]))
            for most in FIRST
        ]
        logs += [("all kinds", together, set().union(*chosen.values())), ("none", events, set())]
        for kind, log, whom in logs:
            then = moved if kind.startswith("takeover") else None
            for detector, figures in measured(log, items, whom, seed, then).items():
                sums.setdefault((kind, detector), []).append(figures)
    rows = [_row(kind, detector, found) for (kind, detector), found in sums.items()]
    for row in rows:
        print(row)
    if options.json:
        write_json(options.json, {"machine": machine(), "level": LEVEL, "seeds": options.seeds, "rows": rows})


def _row(kind: str, detector: str, found: list[Record]) -> Record:
    off = [days for one in found for days in one["off"]]
    flagged, hits, planted = (sum(one[name] for one in found) for name in ("flagged", "hits", "planted"))
    return {
        "planted": kind, "detector": detector,
        "auc": float(np.mean([one["auc"] for one in found])) if planted else None,
        "precision": hits / flagged if planted and flagged else None,
        "recall": hits / planted if planted else None,
        "off_days": float(np.median(off)) if off else None, "flagged": flagged, "of": planted,
        "users": sum(one["users"] for one in found),
    }  # fmt: skip


if __name__ == "__main__":
    main()

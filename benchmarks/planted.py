"""Is what is planted in the simulated city found by what `chronotope evolve` reports, and little where nothing is?

    OMP_NUM_THREADS=1 python -m benchmarks.planted [--users 520] [--days 112] [--seeds 5] [--json OUT]
        [--first SEED --rows ROWS] [--join ROWS …]      # seeds apart, and joined
        [--parts trends space interests life users]     # what is measured; OUT keeps its rows of the rest

Three cities a seed. In the quiet one no interests drift or widen, there are no bots, and nothing is added; but people
come and go, so that it grows and its levels move. The still one is that log with each user's weeks dealt anew: whatever
is reported of its days, levels and cells is a false alarm. The planted one has
drift 0.5 and widening 0.3 a month and a hundredth of bots; and into its log three festivals are put (200 visitors of
one place on one day), a quiet district that is the most popular one for the last third, and one category whose events
are half as many again from the middle on. Each row says what was planted, what was reported, and how far the truth
(`components/events/simulator/truth.py`) and the report agree.

- interests: users whose open interests of the first and the second half of their history differ by half of the weight
  or more, against users whose divergence is beyond chance at q ≤ 0.05; and by a quarter or more
- life cycle: users who are dormant or churned on the last day, against those reported as dormant or churned; delay:
  days away from which on half of them are
- festivals: their days, against unusual days of any series, but for days on which bots read; those days: likewise. They
  are a fifth of all days or more, so that many of them are usual by any measure of what days usually are
- level: the categories that rose for good (that one, and the one of the district), against change points of categories
  within a week; delay in days
- hot spot: the middle cell of the district, against cells (neighbours as one) that are reported as new, consecutive or
  intensifying
- bots: users, against users that stand out; and the days on which they read, against days on which users that stand
  out do more than nearly anybody does on any day

Intervals are Wilson's, of the counts of all seeds together.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h3
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binomtest

from benchmarks import seeds
from benchmarks.machine import machine
from components.errors import DataError
from components.events.simulator import catalogue, rules, simulate
from components.events.simulator.truth import truth
from components.evolution.anomalies.report import anomaly_report
from components.evolution.drift import drift
from components.evolution.lifecycle import lifecycle
from components.evolution.log import Log
from components.evolution.sequences import once_a_day, sequences
from components.evolution.space.report import space_report
from components.evolution.trends.counts import OTHER
from components.evolution.trends.report import trend_report
from components.features.build import build
from components.features.store import Store
from components.files import read_json, write_json
from components.params import Params, SimulationParams, load_params
from components.workspace import Workspace

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
GUESTS, FESTIVALS, RISE, VISITS_A_DAY = 200, 3, 0.5, 120
FESTIVAL_SHARES = (0.3, 0.55, 0.8)  # of the days of the log
DISTRICT_DEG = 0.005  # standard deviation
CATEGORY, WITHIN_DAYS = "cafe", 7
PARTS = ("trends", "space", "interests", "life", "users")


def asked(users: int, days: int, quiet: bool) -> SimulationParams:
    """Parameters of a city."""
    return SimulationParams(
        users=users, items=800, start=dt.date(2025, 1, 6), days=days, events_per_user_day=1.8,
        drift=0.0 if quiet else 0.5, widening=0.0 if quiet else 0.3, bots=0.0 if quiet else 0.01,
        duplicates=0.0, dirty=0.0,
    )  # fmt: skip


def planted(
    events: pl.DataFrame, items: pl.DataFrame, city: SimulationParams, seed: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, Record]:
    """The log with festivals, a popular district and a rise of one category, and where they are."""
    venues = items.filter(pl.col("latitude").is_not_null()).sort("item_id")
    places = venues.gather(rng.choice(venues.height, FESTIVALS, replace=False)).to_dicts()
    district = _quiet(events, venues)
    days = [round(share * city.days) for share in FESTIVAL_SHARES]
    parts = [events]
    for day, place in zip(days, places, strict=True):
        there = _present(city, seed, day)
        who = there.gather(rng.choice(there.len(), min(GUESTS, there.len()), replace=False))
        parts.append(_visits(events, who, place, city.start + dt.timedelta(days=day), rng))
    for day in range(city.days - city.days // 3, city.days):
        there = _present(city, seed, day)
        who = there.gather(rng.choice(there.len(), VISITS_A_DAY, replace=False))
        parts.append(_visits(events, who, district, city.start + dt.timedelta(days=day), rng, DISTRICT_DEG))
    middle = city.start + dt.timedelta(days=city.days // 2)
    kinds = items.filter(pl.col("category") == CATEGORY)["item_id"]
    rising = events.filter(pl.col("item_id").is_in(kinds.implode()) & (pl.col("timestamp").dt.date() >= middle))
    again = rising.sample(fraction=RISE, seed=int(rng.integers(2**31)))
    parts.append(again.with_columns(pl.col("timestamp") + pl.duration(seconds=61)))
    told = {
        "festivals": {(city.start + dt.timedelta(days=day)).isoformat() for day in days},
        "district": district,
        "levels": {
            CATEGORY: middle,
            district["category"]: city.start + dt.timedelta(days=city.days - city.days // 3),
        },
    }
    return pl.concat(parts).sort("user_id", "timestamp"), told


def _present(city: SimulationParams, seed: int, day: int) -> pl.Series:
    """Users who are there on a day: a guest who was gone would have come back."""
    users = truth(city, seed, city.start + dt.timedelta(days=day))["users"]
    return users.filter(pl.col("state").is_in(["new", "active", "returning"]) & ~pl.col("bot"))["user_id"]


def _quiet(events: pl.DataFrame, venues: pl.DataFrame) -> Record:
    """The venue around which least happens: where it is always full, nothing can become hot."""
    cells = [h3.latlng_to_cell(*at, 7) for at in events.select("latitude", "longitude").drop_nulls().iter_rows()]
    count = dict(zip(*np.unique(cells, return_counts=True), strict=True))
    cell = {row["item_id"]: h3.latlng_to_cell(row["latitude"], row["longitude"], 7) for row in venues.to_dicts()}
    return min(venues.to_dicts(), key=lambda one: (count.get(cell[one["item_id"]], 0), one["item_id"]))


def _visits(
    events: pl.DataFrame, users: pl.Series, place: Record, day: dt.date, rng: np.random.Generator, spread: float = 0.0
) -> pl.DataFrame:
    """One check-in of each user around a place on a day, between 12 and 18 o'clock UTC."""
    n = users.len()
    second = pl.Series((rng.integers(12 * 3600, 18 * 3600, n) * 1_000_000).astype(np.int64)).cast(pl.Duration("us"))
    rows = pl.DataFrame({"user_id": users}).with_columns(
        timestamp=(second + dt.datetime.combine(day, dt.time(), dt.UTC)).cast(events.schema["timestamp"]),
        item_id=pl.lit(place["item_id"]),
        action=pl.lit("checkin"),
        latitude=pl.Series(place["latitude"] + spread * rng.standard_normal(n)),
        longitude=pl.Series(place["longitude"] + spread * rng.standard_normal(n)),
    )
    return pl.concat([events.clear(), rows], how="diagonal")


def still(events: pl.DataFrame, city: SimulationParams, rng: np.random.Generator) -> pl.DataFrame:
    """The log with each user's whole weeks dealt anew; what is behind the last whole week stays."""
    weeks = city.days // 7
    names, user = np.unique(events["user_id"].to_numpy(), return_inverse=True)
    dealt = rng.random((len(names), weeks)).argsort(axis=1)
    week = ((events["timestamp"].dt.date() - city.start).dt.total_days() // 7).to_numpy()
    inside = (week >= 0) & (week < weeks)
    moved = np.where(inside, dealt[user, np.clip(week, 0, weeks - 1)] - week, 0)
    return events.with_columns(pl.col("timestamp") + pl.duration(days=pl.Series(7 * moved))).sort(
        "user_id", "timestamp"
    )


def store_of(events: pl.DataFrame, items: pl.DataFrame, params: Params) -> Store:
    """The packed store of a log, as `chronotope features` makes it, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        space = Workspace(Path(folder))
        for part in (space.validated, space.catalogue):
            part.mkdir(parents=True)
        numbered = events.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("source_seq"))
        numbered.write_parquet(space.validated / "events.parquet")
        items.write_parquet(space.catalogue / "items.parquet")
        build(Path(folder), params)
        store = Store.load(Path(folder) / "data" / "features")
        columns = {name: np.array(column) for name, column in store.columns.items()}
        return Store(
            store.users, np.array(store.offsets), columns, np.array(store.numbers), np.array(store.missing),
            store.encoding,
        )  # fmt: skip


def measure(users: int, days: int, seed: int, kind: str, params: Params, parts: Sequence[str] = PARTS) -> list[Record]:
    """Rows of one city: quiet, still or planted."""
    city, rng = asked(users, days, kind != "planted"), np.random.default_rng(seed)
    last = city.start + dt.timedelta(days=days - 1)
    events, items = pl.concat(list(simulate(city, seed, city.start, last))), catalogue(city, seed)[0]
    if kind == "still":
        events = still(events, city, rng)
    told: Record = {"festivals": set(), "district": None, "levels": {}, "reads": set()}
    if kind == "planted":
        events, told = planted(events, items, city, seed, rng)
        told["reads"] = _reads(city, seed)
    store = store_of(events, items, params)
    log = Log.of_store(store)
    hidden = {days - 1: truth(city, seed, last)}
    found = _trends(log, told, params) if "trends" in parts else []
    found += [_hot_spot(log, told, params)] if "space" in parts else []
    found += _bots(log, hidden[days - 1]["users"], told["reads"], params) if "users" in parts else []
    if kind != "still" and {"interests", "life"} & set(parts):  # there nobody's life or interests go on in their order
        hidden |= {day: truth(city, seed, city.start + dt.timedelta(days=day)) for day in range(0, days, 7)}
        found += _interests(log, city, hidden, params) if "interests" in parts else []
        found += [_life(store, hidden, params)] if "life" in parts else []
    return [{"city": kind, "seed": seed} | row for row in found]


def _reads(city: SimulationParams, seed: int) -> set[str]:
    """Days on which a bot reads."""
    days = (city.start + dt.timedelta(days=day) for day in range(city.days))
    return {day.isoformat() for day in days if truth(city, seed, day)["users"]["bot_reads_today"].any()}


def _agreement(what: str, planted_: set[Any], reported: set[Any], tested: int, **more: Any) -> Record:
    hits = len(planted_ & reported)
    return {
        "what": what, "planted": len(planted_), "reported": len(reported), "hits": hits, "tested": tested,
        "delay_days": None, "expected_false": None,
    } | more  # fmt: skip


def _interests(log: Log, city: SimulationParams, hidden: dict[int, Any], params: Params) -> list[Record]:
    found = sequences(log, once_a_day(log, log.category), len(log.categories), None)
    asked_of = params.evolve.interests
    apart = drift(found, True, asked_of.permutations, params.workspace.seed)
    tested = np.flatnonzero(~np.isnan(apart.p) & (np.diff(log.offsets) >= 2 * asked_of.least_events))
    reported = {str(log.users[row]) for row in tested if apart.q[row] <= asked_of.level}
    start = np.datetime64(city.start.isoformat()).astype(int)
    mixes = {day: _mix(one["interests"]) for day, one in hidden.items()}
    moved = {}
    for row in tested:
        user = str(log.users[row])
        days = log.day[log.offsets[row] : log.offsets[row + 1]] - start
        middle = int(np.median(days))
        halves = [
            [mix[user] for day, mix in mixes.items() if low <= day <= high]
            for low, high in ((int(days.min()), middle), (middle, int(days.max())))
        ]
        if all(halves):
            moved[user] = 0.5 * float(np.abs(np.mean(halves[0], 0) - np.mean(halves[1], 0)).sum())
    return [
        _agreement(
            f"interests, {words} or more", {one for one, far in moved.items() if far >= least}, reported, len(tested)
        )
        for words, least in (("a half", 0.5), ("a quarter", 0.25))
    ]


def _mix(interests: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Share of each category in the open interests of every user."""
    place = {name: row for row, name in enumerate(rules.NAMES)}
    found: dict[str, NDArray[np.float64]] = {}
    for row in interests.filter(pl.col("open")).iter_rows(named=True):
        found.setdefault(row["user_id"], np.zeros(len(place)))[place[row["category"]]] += row["weight"]
    return {user: mix / mix.sum() for user, mix in found.items()}


def _life(store: Store, hidden: dict[int, Any], params: Params) -> Record:
    life = lifecycle(store, params.evolve.lifecycle, params.workspace.seed)
    reported = set(life.users.filter(pl.col("state").is_in(["dormant", "churned"]))["user_id"])
    known = set(life.users["user_id"])
    gone_on = {
        day: set(one["users"].filter(pl.col("state").is_in(["dormant", "churned"]))["user_id"]) & known
        for day, one in hidden.items()
    }
    end = max(gone_on)
    away = {
        user: end - max((day for day, gone in gone_on.items() if user not in gone), default=0) for user in gone_on[end]
    }
    delay = None
    for days in range(0, end, 7):
        seen = [user in reported for user, one in away.items() if days <= one < days + 14]
        if seen and np.mean(seen) >= 0.5:
            delay = days
            break
    return _agreement("life cycle: gone", gone_on[end], reported, len(known), delay_days=delay)


def _trends(log: Log, told: Record, params: Params) -> list[Record]:
    few = {name: one.model_copy(update={"methods": ("seasonal_naive", "naive")})
           for name, one in params.evolve.trends.steps.items()}  # fmt: skip
    asked_of = params.evolve.trends.model_copy(update={"steps": few})  # forecasts are not asked about here
    found = trend_report(log, asked_of, np.zeros(0, np.int64), True, params.workspace.seed)
    days = {
        (dt.date.fromisoformat(one["first"]) + dt.timedelta(days=more)).isoformat()
        for one in found["unusual"]["days"]
        for more in range((dt.date.fromisoformat(one["last"]) - dt.date.fromisoformat(one["first"])).days + 1)
    }
    changes = [(one["value"], dt.date.fromisoformat(one["at"])) for one in found["changes"] if one["by"] == "category"]
    series = {one["value"] for one in found["cycles"] if (one["step"], one["by"]) == ("day", "category")}
    levels: dict[str, dt.date] = {name if name in series else OTHER: day for name, day in told["levels"].items()}
    gaps = {
        value: min((abs((at - day).days) for name, at in changes if name == value), default=99)
        for value, day in levels.items()
    }
    hits = {value for value, gap in gaps.items() if gap <= WITHIN_DAYS}
    others = {
        (name, at) for name, at in changes if name not in hits or abs((at - levels[name]).days) > WITHIN_DAYS
    }  # fmt: skip
    reads = told["reads"] - told["festivals"]
    return [
        _agreement(
            "festivals", told["festivals"], days - reads, found["days"] - len(reads),
            expected_false=found["unusual"]["expected_false"],
        ),
        _agreement("days on which bots read", reads, days & reads, found["days"]),
        _agreement(
            "levels", set(levels), hits | others, len(series),
            delay_days=float(np.mean([gaps[one] for one in hits])) if hits else None,
        ),
    ]  # fmt: skip


def _hot_spot(log: Log, told: Record, params: Params) -> Record:
    of_cells_alone = {"least_users": 1, "interaction_events": 200, "draws": 20}
    space = params.evolve.space.model_copy(update=of_cells_alone)
    found = space_report(log, space, params.workspace.seed)
    rising = {
        cell for cell, name in found["surface"].get("hot_cells", {}).items()
        if name in {"new", "consecutive", "intensifying"}
    }  # fmt: skip
    at = told["district"]
    cell = {h3.latlng_to_cell(at["latitude"], at["longitude"], space.resolution)} if at else set()
    beside = {one for one in rising for middle in cell if one in h3.grid_disk(middle, 1)}
    reported = (rising - beside) | (cell if beside else set())
    return _agreement("hot spot", cell, reported, found["surface"]["cells"])


def _bots(log: Log, users: pl.DataFrame, reads: set[str], params: Params) -> list[Record]:
    asked_of = params.evolve.anomalies.model_copy(update={"named": True, "least_users": 1})
    found = anomaly_report(log, asked_of, None, params.workspace.seed)
    count = dict(zip(log.users.tolist(), np.diff(log.offsets).tolist(), strict=True))
    bots = {one for one in users.filter(pl.col("bot"))["user_id"] if count.get(one, 0) >= rules.BOT_EVENTS}
    days = {one["day"] for one in found["days"]}
    return [
        _agreement("bots", bots, {one["user_id"] for one in found["named"]}, found["users"]),
        _agreement("days on which bots read, by users", reads, days, len(np.unique(log.day))),
    ]


def share_of(hits: int, of: int) -> Record | None:
    """A share and Wilson's interval."""
    if not of:
        return None
    found = binomtest(hits, of).proportion_ci(method="wilson")
    return {"value": hits / of, "low": float(found.low), "high": float(found.high)}


def pooled(rows: list[Record]) -> list[Record]:
    """Rows of all seeds as one."""
    answer = []
    for key in dict.fromkeys((row["city"], row["what"]) for row in rows):
        mine = [row for row in rows if (row["city"], row["what"]) == key]
        sums = {name: sum(row[name] for row in mine) for name in ("planted", "reported", "hits", "tested")}
        delays = [row["delay_days"] for row in mine if row["delay_days"] is not None]
        expected = [row["expected_false"] for row in mine if row["expected_false"] is not None]
        answer.append(
            {"city": key[0], "what": key[1], **sums,
             "precision": share_of(sums["hits"], sums["reported"]) if sums["planted"] else None,
             "recall": share_of(sums["hits"], sums["planted"]),
             "delay_days": float(np.mean(delays)) if delays else None,
             "expected_false": sum(expected) if expected else None}
        )  # fmt: skip
    return answer


def main() -> None:
    parser = seeds.parser_of(__doc__, days=112)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    params = load_params(ROOT / "params.yaml")

    def of(seed: int) -> list[Record]:
        found = (
            measure(options.users, options.days, seed, kind, params, options.parts)
            for kind in ("quiet", "still", "planted")
        )
        return [row for rows in found for row in rows]

    rows = seeds.over(options, of)
    told = pooled(rows)
    for row in told:
        print(row)
    if options.json:
        count = len({row["seed"] for row in rows})
        write_json(
            options.json, {"machine": machine(), "seeds": count, "rows": _kept(options.json, told, count) + told}
        )


def _kept(path: Path, told: list[Record], count: int) -> list[Record]:
    """Rows of an earlier run of as many seeds that this one did not measure."""
    if not path.exists():
        return []
    before, new = read_json(path), {(row["city"], row["what"]) for row in told}
    kept = [row for row in before["rows"] if (row["city"], row["what"]) not in new]
    if before["seeds"] != count and kept:
        raise DataError(f"rows of {before['seeds']} seeds", found=f"{count}", do="Measure all parts, or as many seeds.")
    return kept


if __name__ == "__main__":
    main()

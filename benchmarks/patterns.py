"""Are recurring patterns that are planted in the simulated city found and named, and none where nothing recurs?

    OMP_NUM_THREADS=1 python -m benchmarks.patterns [--users 520] [--days 182] [--seeds 5] [--first 0] [--json OUT]

Of each seed the quiet city (no drift, no bots) of `benchmarks.planted`, five times over:

- still: each user's whole weeks dealt anew, and all of them turned by as many hours as are drawn for that user. Every
  user keeps habits as strong as before; no two keep the same hours or months. Every pattern is a false one
- planted, faint, plain and strong: into that still city go a lunch crowd (a restaurant, working days, 11 to 14
  o'clock), a Friday crowd (a shop, 17 to 21), a night crowd (a bar, Fridays and Saturdays, 21 to 2), a wave on public
  holidays (a park) and one of a month (a museum), each by a segment of its own; nothing else is true
- as it is: the city's own rules say how much likelier than other hours a part of the week is for a category
  (`rules.APPETITE`); a pattern of the week whose category they make no likelier then is false

A planted one is found where a pattern has its cell, one that touches it, its category, or its action, and a window that
shares half of its hours or more (those of both / those of either). A pattern is true where such a planted one is.
Intervals are Wilson's, of the counts of all seeds together, as are the figures.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import h3
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import seeds
from benchmarks.machine import machine
from benchmarks.planted import asked, share_of
from benchmarks.planted import still as weeks_dealt
from components.events.simulator import catalogue, rules, simulate
from components.evolution.log import HOURS_OF_WEEK, Log
from components.evolution.patterns.report import pattern_report
from components.evolution.patterns.windows import HOLIDAY, Window, month_windows, week_windows
from components.features.time import holidays_of
from components.files import write_json
from components.params import Params, SimulationParams, load_params

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
HALF = 0.5
SPREAD_DEG = 0.0005  # standard deviation of visits around their venue
STRENGTHS = ("planted, faint", "planted, plain", "planted, strong")


@dataclass(frozen=True)
class Plant:
    """A pattern to plant.

    Attributes
    ----------
    name : for the table
    category : of its venue
    share : of the users
    chance : of each to come on a day that counts: faint, plain, strong
    days : `working`, `free` (public holidays), `month`, or weekdays, 0 = Monday
    begin, end : local hours; beyond 24: of the next day
    """

    name: str
    category: str
    share: float
    chance: tuple[float, float, float]
    days: str | tuple[int, ...]
    begin: int
    end: int


PLANTS = (
    Plant("lunch crowd", "restaurant", 0.12, (0.03, 0.08, 0.25), "working", 11, 14),
    Plant("Friday at the mall", "shop", 0.12, (0.06, 0.15, 0.5), (4,), 17, 21),
    Plant("nights out", "bar", 0.12, (0.05, 0.12, 0.4), (4, 5), 21, 26),
    Plant("holiday wave", "park", 0.25, (0.08, 0.2, 0.6), "free", 8, 22),
    Plant("month's wave", "museum", 0.2, (0.02, 0.05, 0.15), "month", 9, 18),
)


def turned(events: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Every user's events moved by some hours of a week, drawn for that user."""
    names, user = np.unique(events["user_id"].to_numpy(), return_inverse=True)
    hours = pl.lit(pl.Series(rng.integers(0, HOURS_OF_WEEK, len(names))[user]))
    return events.with_columns(pl.col("timestamp") + pl.duration(hours=hours)).sort("user_id", "timestamp")


def with_plants(
    events: pl.DataFrame, items: pl.DataFrame, city: SimulationParams, strength: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, list[Record]]:
    """The log with all plants, and what each is: place and slots."""
    free = holidays_of(rules.COUNTRY, city.start.year, city.start.year + 1)
    seen = events.group_by("user_id").agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
    users = seen.sort("user_id").gather(rng.permutation(seen.height))
    parts, told, taken = [events], [], 0
    for plant in PLANTS:
        n = round(plant.share * users.height)
        segment = users.slice(taken, n).to_dicts()
        taken += n
        venue = items.filter((pl.col("category") == plant.category) & pl.col("latitude").is_not_null())
        place = venue.sort("item_id").row(int(rng.integers(venue.height)), named=True)
        days = _days(plant, city, free)
        visits = [
            (one["user_id"], moment)
            for one in segment
            for day in days
            if rng.random() < plant.chance[strength]
            for moment in [_moment(day, plant, rng)]
            if one["first"] <= moment <= one["last"]
        ]
        parts.append(_rows(events, visits, place, rng))
        told.append({"name": plant.name, "category": plant.category, "slots": _slots(plant, days),
                     "cell": (place["latitude"], place["longitude"])})  # fmt: skip
    return pl.concat(parts).sort("user_id", "timestamp"), told


def _days(plant: Plant, city: SimulationParams, free: NDArray[np.int64]) -> list[dt.date]:
    off = {dt.date(1970, 1, 1) + dt.timedelta(days=int(one)) for one in free}
    every = [city.start + dt.timedelta(days=one) for one in range(city.days)]
    if plant.days == "free":
        return [day for day in every if day in off]
    if plant.days == "month":
        middle = every[len(every) // 2]
        return [day for day in every if (day.year, day.month) == (middle.year, middle.month)]
    wanted = (0, 1, 2, 3, 4) if plant.days == "working" else plant.days
    return [day for day in every if day.weekday() in wanted and day not in off]


def _moment(day: dt.date, plant: Plant, rng: np.random.Generator) -> dt.datetime:
    second = int(rng.integers(plant.begin * 3600, plant.end * 3600))
    return dt.datetime.combine(day, dt.time(), ZoneInfo(rules.TIMEZONE)) + dt.timedelta(seconds=second)


def _slots(plant: Plant, days: Sequence[dt.date]) -> set[int]:
    """Slots of the week and of holidays that it covers; of a month, the month since 1970."""
    if plant.days == "month":
        return {(days[0].year - 1970) * 12 + days[0].month - 1}
    if plant.days == "free":
        return set(range(HOLIDAY, HOLIDAY + 24))  # whole days, as a wave is named
    return {
        (24 * day + hour) % HOURS_OF_WEEK
        for day in {one.weekday() for one in days}
        for hour in range(plant.begin, plant.end)
    }


def _rows(
    events: pl.DataFrame, visits: list[tuple[str, dt.datetime]], place: Record, rng: np.random.Generator
) -> pl.DataFrame:
    rows = pl.DataFrame(visits, schema=["user_id", "timestamp"], orient="row").with_columns(
        timestamp=pl.col("timestamp").cast(events.schema["timestamp"]),
        item_id=pl.lit(place["item_id"]),
        action=pl.lit("checkin"),
        latitude=pl.Series(place["latitude"] + SPREAD_DEG * rng.standard_normal(len(visits))),
        longitude=pl.Series(place["longitude"] + SPREAD_DEG * rng.standard_normal(len(visits))),
    )
    return pl.concat([events.clear(), rows], how="diagonal")


def agrees(found: Record, plant: Record, windows: dict[str, set[int]], resolution: int) -> bool:
    """Whether a pattern tells of a planted one."""
    slots = windows[found["when"]]
    if len(slots & plant["slots"]) < HALF * len(slots | plant["slots"]):
        return False
    if found["kind"] == "cell":
        return found["where"] in h3.grid_disk(h3.latlng_to_cell(*plant["cell"], resolution), 1)
    return found["where"] == (plant["category"] if found["kind"] == "category" else "checkin")


def windows_of(log: Log) -> dict[str, set[int]]:
    """Slots of every window by its words; of months, months since 1970."""
    months = np.unique(log.month)
    week = {one.when: set(one.slots) for one in week_windows()}
    return week | {one.when: {int(months[slot]) for slot in one.slots} for one in month_windows(months)}


def likelier(category: str, window: Window) -> float:
    """How many times likelier than by the hours of all categories the city's rules make a part of the week for one.

    NaN where the window has no hour of the week in which anything happens (nights, holidays).
    """
    wanted = rules.SHARE[None, :, None] * rules.APPETITE  # (daytype, category, slot)
    chance = wanted / wanted.sum(axis=1, keepdims=True)
    mine = np.zeros((2, HOURS_OF_WEEK))  # of the category, and of all
    edges = np.array(rules.SLOT_EDGES_H)
    for hour in range(HOURS_OF_WEEK):
        slot, free = int(np.searchsorted(edges, hour % 24, side="right")) - 1, int(hour // 24 >= 5)
        if slot >= 0:
            rate = rules.SLOT_RATE[free, slot] / (edges[slot + 1] - edges[slot])
            mine[:, hour] = rate * chance[free, rules.NAMES.index(category), slot], rate
    inside = [hour for hour in window.slots if hour < HOURS_OF_WEEK]
    part = mine[:, inside].sum(axis=1) / mine.sum(axis=1)
    return float(part[0] / part[1]) if part[1] > 0 else np.nan


def measure(users: int, days: int, seed: int, params: Params) -> list[Record]:
    """Rows of all cities of a seed."""
    city, rng = asked(users, days, quiet=True), np.random.default_rng(seed)
    last = city.start + dt.timedelta(days=days - 1)
    own, items = pl.concat(list(simulate(city, seed, city.start, last))), catalogue(city, seed)[0]
    still = turned(weeks_dealt(own, city, rng), rng)
    cities: dict[str, tuple[pl.DataFrame, list[Record]]] = {"still": (still, [])}
    for strength, name in enumerate(STRENGTHS):
        cities[name] = with_plants(still, items, city, strength, rng)
    rows = []
    for name, (events, plants) in cities.items():
        log, found = _found(events, items, city, params)
        rows += _judged(name, seed, found, plants, windows_of(log), params.evolve.patterns.resolution)
    _, found = _found(own, items, city, params)
    by_name = {one.when: one for one in week_windows()}
    told = [(one, likelier(one["where"], by_name[one["when"]])) for one in found["patterns"]
            if one["kind"] == "category" and one["when"] in by_name]  # fmt: skip
    known = [times for _, times in told if np.isfinite(times)]
    return [*rows, _row("as it is", "categories by the week", seed, 0, len(known), sum(one > 1 for one in known),
                        found["tested"])]  # fmt: skip


def _found(events: pl.DataFrame, items: pl.DataFrame, city: SimulationParams, params: Params) -> tuple[Log, Record]:
    log = Log.of_frame(events, items, rules.TIMEZONE)
    free = holidays_of(rules.COUNTRY, city.start.year, city.start.year + 1)
    return log, pattern_report(log, params.evolve.patterns, params.evolve.space, free, params.workspace.seed)


def _judged(
    city: str, seed: int, found: Record, plants: list[Record], windows: dict[str, set[int]], resolution: int
) -> list[Record]:
    """A row for each plant, and one for all that was reported."""
    told = found["patterns"]
    hits = [[agrees(one, plant, windows, resolution) for plant in plants] for one in told]
    rows = [
        _row(city, plant["name"], seed, 1, sum(row[at] for row in hits), int(any(row[at] for row in hits)), 0)
        for at, plant in enumerate(plants)
    ]
    true = sum(any(row) for row in hits)
    whole = _row(city, "all patterns", seed, len(plants), len(told), true, found["tested"])
    return [*rows, whole | {"found": sum(row["hits"] for row in rows)}]


def _row(city: str, what: str, seed: int, planted: int, reported: int, hits: int, tested: int) -> Record:
    return {"city": city, "what": what, "seed": seed, "planted": planted, "reported": reported, "hits": hits,
            "tested": tested, "found": hits if planted == 1 else 0}  # fmt: skip


def pooled(rows: list[Record]) -> list[Record]:
    """Rows of all seeds as one."""
    answer = []
    for city, what in dict.fromkeys((row["city"], row["what"]) for row in rows):
        mine = [row for row in rows if (row["city"], row["what"]) == (city, what)]
        sums = {name: sum(row[name] for row in mine) for name in ("planted", "reported", "hits", "tested", "found")}
        several = what not in {plant.name for plant in PLANTS}
        answer.append(
            {"city": city, "what": what, "planted": sums["planted"], "reported": sums["reported"],
             "tested": sums["tested"] or None,
             "precision": share_of(sums["hits"], sums["reported"]) if several and city != "still" else None,
             "recall": share_of(sums["found"], sums["planted"]),
             "cities_with_any": sum(row["reported"] > 0 for row in mine) if city == "still" else None}
        )  # fmt: skip
    return answer


def main() -> None:
    options = seeds.parser_of(__doc__, days=182).parse_args()
    params = load_params(ROOT / "params.yaml")
    rows = seeds.over(options, lambda seed: measure(options.users, options.days, seed, params))
    for row in pooled(rows):
        print(row)
    if options.json:
        count = len({row["seed"] for row in rows})
        write_json(options.json, {"machine": machine(), "seeds": count, "rows": pooled(rows)})


if __name__ == "__main__":
    main()

"""From what people did to the rows of a log: ids, clocks, places, devices, bots, duplicates and dirt.

Never here: why anybody did anything.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City
from components.events.simulator.day import Day
from components.events.simulator.draw import uniform
from components.events.simulator.people import People
from components.events.simulator.sessions import Steps

_PRAISE = (
    "wonderful", "a little gem", "worth the detour", "as good as ever", "better than expected", "friendly and quick",
    "a bit pricey", "crowded but fine", "will come back", "for a quiet hour", "my new favourite", "very well made",
)  # fmt: skip
_ACTIONS = pl.Series(rules.ACTIONS)
_DEVICES = pl.Series(("phone", "web", "bot"))
_WORDS = pl.Series((*_PRAISE, None))
BOT_SLOT = rules.SLOTS
_MAX_DAYS = 100_000
_GPS_DEGREES, _HOME_DEGREES = 1.2e-4, 8e-4  # spread of a place at a venue, and around home or work
_MICRO = 1_000_000
_DAY_ROWS, _BLOCK_ROWS = 10**10, 10**7  # source_seq leaves room for this many rows a day and a block


@dataclass(frozen=True)
class Names:
    """Ids as polars columns, so that a row's id is a gather."""

    users: pl.Series
    items: pl.Series

    @classmethod
    def of(cls, city: City, people: People) -> Names:
        return cls(user_ids(people.id), item_ids(city.n_items))


def user_ids(number: NDArray[np.integer]) -> pl.Series:
    """Ids of user numbers: u0000012."""
    return _padded("u", number, 7)


def item_ids(n: int) -> pl.Series:
    """Ids of items 0..n-1: i000012; their order is the items' order."""
    return _padded("i", np.arange(n), 6)


def _padded(letter: str, number: NDArray[np.integer], width: int) -> pl.Series:
    return pl.select(pl.lit(letter) + pl.Series(number).cast(pl.String).str.zfill(width)).to_series()


def bot_days(city: City, people: People, day: int) -> NDArray[np.int64]:
    """Rows of the bots that read on this day."""
    bots = np.flatnonzero(people.bot)
    phase = (uniform(city.seed, "bot/phase", people.id[bots]) * rules.BOT_EVERY).astype(np.int64)
    return bots[(day + phase) % rules.BOT_EVERY == 0]


def bot_items(city: City, day: Day, bot: NDArray[np.int64]) -> NDArray[np.int64]:
    """(bots, BOT_EVENTS) items that bot numbers read: launched items in the catalogue's order, from anywhere."""
    launched = np.flatnonzero(city.launch <= day.number)
    start = (uniform(city.seed, "bot/item", bot, day.number) * len(launched)).astype(np.int64)
    return launched[(start[:, None] + np.arange(rules.BOT_EVENTS)) % len(launched)]


def bot_steps(city: City, people: People, day: Day) -> Steps:
    """What the bots of a block read on a day; their slot is BOT_SLOT."""
    who = bot_days(city, people, day.number)
    ids = people.id[who]
    start = 7 * 3600 + np.floor(uniform(city.seed, "bot/time", ids, day.number) * 12 * 3600)
    times = start[:, None] + np.arange(rules.BOT_EVENTS) * rules.BOT_PERIOD_S
    n = times.size
    return Steps(
        who=np.repeat(who, rules.BOT_EVENTS),
        slot=np.full(n, BOT_SLOT),
        item=bot_items(city, day, ids).ravel(),
        action=np.full(n, rules.VIEW),
        local_s=times.ravel().astype(np.float64),
        dwell_s=np.ones(n),
    )


def in_order(*parts: Steps) -> Steps:
    """The steps of all parts, by time."""
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in dataclasses.fields(Steps)}
    order = np.argsort(columns["local_s"], kind="stable")
    return Steps(**{name: column[order] for name, column in columns.items()})


def _places(
    city: City, people: People, day: Day, steps: Steps, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) degrees: at the venue for a visit; around home or work for those who share their place; else NaN."""
    who, visit = steps.who, steps.action == rules.CHECKIN
    at_work = people.worker[who] & (steps.slot >= 1) & (steps.slot <= 3) & (not day.free)
    shown = (visit | people.shares_place[who]) & (steps.slot != BOT_SLOT)
    spread = np.where(visit, _GPS_DEGREES, _HOME_DEGREES)
    found = []
    for venue, work, home in (
        (city.latitude, people.work_latitude, people.home_latitude),
        (city.longitude, people.work_longitude, people.home_longitude),
    ):
        middle = np.where(visit, venue[steps.item], np.where(at_work, work[who], home[who]))
        found.append(np.where(shown, middle + spread * rng.standard_normal(len(who), dtype=np.float32), np.nan))
    return found[0], found[1]


def clean_rows(
    city: City, people: People, names: Names, day: Day, steps: Steps, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of a block's events, in the order of `steps`; no duplicates, no dirt, no source_seq."""
    action, item, who, bot = steps.action, steps.item, steps.who, steps.slot == BOT_SLOT
    n = len(who)
    lat, lon = _places(city, people, day, steps, rng)
    lasting = (action == rules.VIEW) | (action == rules.CHECKIN)
    duration = np.where(lasting, np.round(steps.dwell_s * (0.5 + 0.5 * rng.random(n)), 1), np.nan)
    pays = (action == rules.CART) | (action == rules.PURCHASE)
    web = (action != rules.CHECKIN) & (rng.random(n) < people.web[who])
    says = (action == rules.LIKE) & (rng.random(n) < 0.3)
    word = np.where(says, (rng.random(n) * len(_PRAISE)).astype(np.int64), len(_PRAISE))
    clock = np.where(people.knows_clock[who] | bot, np.where(bot, 0.0, day.utc_offset_min), np.nan)
    time_us = day.midnight_s * _MICRO + (steps.local_s * _MICRO).astype(np.int64)
    session = (people.id[who] * _MAX_DAYS + day.number) * (BOT_SLOT + 1) + steps.slot
    return pl.DataFrame(
        {
            "user_id": names.users.gather(who),
            "item_id": names.items.gather(item),
            "action": _ACTIONS.gather(action),
            "timestamp": pl.Series(time_us).cast(pl.Datetime("us", "UTC")),
            "utc_offset_min": pl.Series(clock, nan_to_null=True).cast(pl.Int16),
            "latitude": pl.Series(lat, nan_to_null=True),
            "longitude": pl.Series(lon, nan_to_null=True),
            "duration_s": pl.Series(duration, nan_to_null=True),
            "value": pl.Series(np.where(pays, city.price[item], np.nan), nan_to_null=True),
            "device": _DEVICES.gather(np.where(bot, 2, web)),
            "session_id": pl.Series(session).cast(pl.String),
            "text": _WORDS.gather(word),
        }
    )


def _dirty(rows: pl.DataFrame, kind: NDArray[np.int64]) -> pl.DataFrame:
    """Copies of true rows, each broken in the way `kind` (a code of rules.DIRT) says."""
    k = pl.Series("kind", kind)

    def broken(column: str, how: str, value: pl.Expr) -> pl.Expr:
        return pl.when(pl.col("kind") == rules.DIRT.index(how)).then(value).otherwise(pl.col(column)).alias(column)

    changed = rows.with_columns(k).with_columns(
        broken("latitude", "latitude", pl.lit(123.4)),
        pl.when(pl.col("kind") == rules.DIRT.index("latitude"))
        .then(2.35)
        .when(pl.col("kind") == rules.DIRT.index("half_place"))
        .then(None)
        .otherwise(pl.col("longitude"))
        .alias("longitude"),
        pl.when(pl.col("kind") == rules.DIRT.index("no_action"))
        .then(None)
        .when(pl.col("kind") == rules.DIRT.index("unknown_action"))
        .then(pl.lit("hover"))
        .otherwise(pl.col("action"))
        .alias("action"),
        broken("timestamp", "future", pl.col("timestamp") + pl.duration(days=36_525)),
        broken("duration_s", "negative_duration", pl.lit(-5.0)),
        broken("user_id", "no_user", pl.lit("")),
        broken("item_id", "no_item", pl.lit(None)),
    )
    half = pl.col("kind") == rules.DIRT.index("half_place")
    return changed.with_columns(pl.when(half).then(48.86).otherwise(pl.col("latitude")).alias("latitude")).drop("kind")


def soiled(city: City, rows: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The rows, then exact copies of some (share `duplicates`), then broken copies of some (share `dirty`)."""
    if rows.is_empty():
        return rows
    n, simulation = len(rows), city.simulation
    twice = np.sort(rng.choice(n, rng.binomial(n, simulation.duplicates), replace=False))
    broken = np.sort(rng.choice(n, rng.binomial(n, simulation.dirty), replace=False))
    kind = rng.integers(0, len(rules.DIRT), len(broken))
    return pl.concat([rows, rows[twice], _dirty(rows[broken], kind)])


def numbered(rows: pl.DataFrame, day: Day, block: int) -> pl.DataFrame:
    """The rows with source_seq: the order in which the city wrote them down."""
    start = day.number * _DAY_ROWS + block * _BLOCK_ROWS
    seq = pl.Series("source_seq", np.arange(start, start + len(rows), dtype=np.int64))
    return rows.insert_column(4, seq)

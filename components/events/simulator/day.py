"""What one day of the city is like: its clock, what is open and new, what is on.

Never here: people.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City
from components.events.simulator.draw import flatten_rows, uniform
from components.events.simulator.places import PlaceTable, zone_distance_km

_STAGE, _MARKET = rules.NAMES.index("stage"), rules.NAMES.index("market")


@dataclass(frozen=True)
class Day:
    """One day.

    Attributes
    ----------
    number, date : days since the log's first day; the date
    free : whether it is a weekend or a public holiday
    utc_offset_min : of the city's clock during the waking hours
    midnight_s : UTC seconds of the local midnight that begins the day
    open : (SLOTS, I) whether an item can be had
    appetite : (SLOTS, C) of the category; 0 = closed or nothing to be had
    base : (SLOTS * C,) table of `draw.pick`: category of those who follow no interest
    table : P(item | category, zone) today
    social : (SLOTS,) item where a social event is on, -1 = none
    pull : (SLOTS, ZONES) weight of the social event for somebody who starts from a zone
    """

    number: int
    date: dt.date
    free: bool
    utc_offset_min: int
    midnight_s: int
    open: NDArray[np.bool_]
    appetite: NDArray[np.float64]
    base: NDArray[np.float64]
    table: PlaceTable
    social: NDArray[np.int64]
    pull: NDArray[np.float64]


@lru_cache(maxsize=32)
def _public_holidays(year: int) -> frozenset[dt.date]:
    return frozenset(holidays.country_holidays(rules.COUNTRY, years=year))


def is_free(date: dt.date) -> bool:
    """Whether people do not work on this date."""
    return date.weekday() >= 5 or date in _public_holidays(date.year)


@dataclass(frozen=True)
class Clock:
    """A day's date, kind, and local time: what Day says of the same names."""

    date: dt.date
    free: bool
    utc_offset_min: int
    midnight_s: int


@lru_cache(maxsize=4096)
def clock_of(start: dt.date, number: int) -> Clock:
    """The clock of the day `number` of a log that begins at `start`."""
    date = start + dt.timedelta(days=number)
    noon = dt.datetime.combine(date, dt.time(12), ZoneInfo(rules.TIMEZONE))
    offset = noon.utcoffset() or dt.timedelta(0)
    return Clock(date, is_free(date), int(offset.total_seconds()) // 60, int(noon.timestamp()) - 12 * 3600)


def _planted(city: City, number: int, date: dt.date, free: bool, weight: NDArray[np.float64]) -> NDArray[np.int64]:
    """(SLOTS,) a market on the mornings of free days; concerts in the evening, most of them before free days."""
    social = np.full(rules.SLOTS, -1)
    eve = 0.8 if is_free(date + dt.timedelta(days=1)) else 0.3
    for slot, category, chance in ((1, _MARKET, 0.9 if free else 0.0), (4, _STAGE, eve), (5, _STAGE, eve)):
        there = np.flatnonzero((city.category == category) & (weight > 0))
        if len(there) and uniform(city.seed, "social/on", number, slot)[0] < chance:
            social[slot] = there[int(uniform(city.seed, "social/where", number, slot)[0] * len(there))]
    return social


def build_day(city: City, number: int) -> Day:
    """The day `number` of the city; O(items)."""
    clock = clock_of(city.simulation.start, number)
    date, free = clock.date, clock.free
    age = number - city.launch
    launched = age >= 0
    fresh = 1.0 + rules.NOVELTY * np.exp(-np.minimum(np.maximum(age, 0), 200) / rules.NOVELTY_DAYS)
    weight = np.where(launched & (city.closed_weekday != date.weekday()), city.weight * fresh, 0.0)
    table = PlaceTable(city.category, city.zone, weight, city.order)
    appetite = np.where(table.has()[:, None], rules.APPETITE[int(free)], 0.0).T
    social = _planted(city, number, date, free, weight)
    near = np.exp(-zone_distance_km() / rules.SOCIAL_REACH_KM)
    pull = np.where(social[:, None] >= 0, rules.SOCIAL * near[np.minimum(city.zone[social], rules.ZONES - 1)], 0.0)
    return Day(
        number=number,
        date=date,
        free=free,
        utc_offset_min=clock.utc_offset_min,
        midnight_s=clock.midnight_s,
        open=(appetite[:, city.category] > 0) & (weight > 0),
        appetite=appetite,
        base=flatten_rows(appetite * rules.SHARE),
        table=table,
        social=social,
        pull=pull,
    )

"""What is hidden in the city on a day, as tables: for analysts, and for tests of what is recovered from a log.

Never here: anything that a learner may read. A model that does is cheating.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City, build_city
from components.events.simulator.day import build_day
from components.events.simulator.frame import bot_days, item_ids, user_ids
from components.events.simulator.habits import EARLY, Diary, epochs, phases
from components.events.simulator.people import People, build_people, life
from components.params import SimulationParams


def truth(simulation: SimulationParams, seed: int, day: dt.date) -> dict[str, pl.DataFrame]:
    """The hidden state on a day.

    Returns
    -------
    users : user_id, state (rules.STATES), bot, bot_reads_today, worker, home_latitude, home_longitude,
        work_latitude, work_longitude, loyalty, activity
    interests : user_id, interest, category, weight, open, since, until (dates between which it is the same category)
    favourites : user_id, role, item_id, companion_id, since, until
    planted : slot, from_hour, to_hour, item_id, category of the day's social events; free (weekend or holiday)
    items : item_id, popularity, launched (date), closed_weekday (0 = Monday, -1 = never), successor_id
    """
    city = build_city(simulation, seed)
    people = build_people(city)
    number = (day - simulation.start).days
    return {
        "users": _users(city, people, number),
        "interests": _interests(city, people, number),
        "favourites": _favourites(city, people, number),
        "planted": _planted(city, number),
        "items": _items(city),
    }


def _users(city: City, people: People, number: int) -> pl.DataFrame:
    reads = np.isin(np.arange(len(people)), bot_days(city, people, number))
    return pl.DataFrame(
        {
            "user_id": user_ids(people.id),
            "state": pl.Series(rules.STATES).gather(life(city, people, number)),
            "bot": people.bot,
            "bot_reads_today": reads,
            "worker": people.worker,
            "home_latitude": people.home_latitude,
            "home_longitude": people.home_longitude,
            "work_latitude": people.work_latitude,
            "work_longitude": people.work_longitude,
            "loyalty": people.loyalty,
            "activity": people.activity,
        }
    )


def _epoch_dates(city: City, people: People, kind: str, slots: int, number: int) -> tuple[pl.Series, pl.Series]:
    """First day of what each slot holds now, and the first day of what comes next; null without drift."""
    rate = city.simulation.drift / 30.0
    if rate == 0:
        nothing = pl.repeat(None, len(people) * slots, dtype=pl.Date, eager=True)
        return nothing, nothing
    phase = phases(city, people, kind, slots)
    now = epochs(city.simulation, phase, number)
    edges = [np.ceil((at - phase) / rate - EARLY).astype(np.int64).T.ravel() for at in (now, now + 1)]
    return _dates(city, edges[0]), _dates(city, edges[1])


def _dates(city: City, number: NDArray[np.int64]) -> pl.Series:
    """Dates of day numbers."""
    days = number + (city.simulation.start - dt.date(1970, 1, 1)).days
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def _interests(city: City, people: People, number: int) -> pl.DataFrame:
    who = np.arange(len(people))
    category, open_now = Diary(city, people).on(number).interests_of(who)
    slots = len(category)
    since, until = _epoch_dates(city, people, "interest", slots, number)
    return pl.DataFrame(
        {
            "user_id": user_ids(np.repeat(people.id, slots)),
            "interest": np.tile(np.arange(slots), len(people)),
            "category": pl.Series(rules.NAMES).gather(category.T.ravel()),
            "weight": np.tile(rules.INTEREST_WEIGHT, len(people)),
            "open": open_now.T.ravel(),
            "since": since,
            "until": until,
        }
    )


def _favourites(city: City, people: People, number: int) -> pl.DataFrame:
    habits = Diary(city, people).on(number)
    names, roles = item_ids(city.n_items), len(rules.ROLES)
    since, until = _epoch_dates(city, people, "favourite", roles, number)
    return pl.DataFrame(
        {
            "user_id": user_ids(np.repeat(people.id, roles)),
            "role": list(rules.ROLES) * len(people),
            "item_id": names.gather(habits.favourite.T.ravel()),
            "companion_id": names.gather(habits.companion.T.ravel()),
            "since": since,
            "until": until,
        }
    )


def _planted(city: City, number: int) -> pl.DataFrame:
    day = build_day(city, number)
    slot = np.flatnonzero(day.social >= 0)
    item = day.social[slot]
    edges = np.array(rules.SLOT_EDGES_H)
    return pl.DataFrame(
        {
            "slot": slot,
            "from_hour": edges[slot],
            "to_hour": edges[slot + 1],
            "item_id": item_ids(city.n_items).gather(item),
            "category": pl.Series(rules.NAMES).gather(city.category[item]),
            "free": [day.free] * len(slot),
        },
        schema_overrides={"free": pl.Boolean},
    )


def _items(city: City) -> pl.DataFrame:
    names = item_ids(city.n_items)
    return pl.DataFrame(
        {
            "item_id": names,
            "popularity": city.weight,
            "launched": _dates(city, city.launch),
            "closed_weekday": city.closed_weekday,
            "successor_id": names.gather(city.successor[:, 0]),
        }
    )

"""The city's people: what they are, and where they stand in their life with the service.

All are hashes of the user, so the state of any day is known at once, without living through the days before. Never
here: what they like (`habits`), or what they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City, normal, somewhere
from components.events.simulator.draw import uniform
from components.events.simulator.places import zone_of


@dataclass(frozen=True)
class People:
    """U users and what does not change about them; arrays are (U,).

    Attributes
    ----------
    id : user numbers
    bot, worker, shares_place, knows_clock : bool
    joined : day number (0 = the log's first day)
    home_district, home, work : zones; home_latitude … in degrees
    loyalty : weight of the favourites at a session's start
    activity : relative number of sessions, mean 1
    lateness : shift within a slot, -0.2..0.2 of its length
    web : chance of using the web rather than the phone
    age : band
    cycle_days, cycle_phase : length of a cycle of life; how much of one had passed on joining (or before the start)
    """

    id: NDArray[np.int64]
    bot: NDArray[np.bool_]
    worker: NDArray[np.bool_]
    shares_place: NDArray[np.bool_]
    knows_clock: NDArray[np.bool_]
    joined: NDArray[np.int64]
    home_district: NDArray[np.int64]
    home: NDArray[np.int64]
    work: NDArray[np.int64]
    home_latitude: NDArray[np.float64]
    home_longitude: NDArray[np.float64]
    work_latitude: NDArray[np.float64]
    work_longitude: NDArray[np.float64]
    loyalty: NDArray[np.float64]
    activity: NDArray[np.float64]
    lateness: NDArray[np.float64]
    web: NDArray[np.float64]
    age: NDArray[np.int64]
    cycle_days: NDArray[np.float64]
    cycle_phase: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.id)

    def anchor(self, who: NDArray[np.integer], slot: NDArray[np.integer], free: bool) -> NDArray[np.int64]:
        """Zone that each user starts from: work on working days from late morning to afternoon, else home."""
        at_work = self.worker[who] & (slot >= 1) & (slot <= 3) & (not free)
        return np.asarray(np.where(at_work, self.work[who], self.home[who]))


def build_people(city: City, first: int = 0, last: int | None = None) -> People:
    """Users first..last-1 of the city (all by default); O(users)."""
    seed, n = city.seed, city.simulation.users
    who = np.arange(first, n if last is None else min(last, n))

    def u(name: str) -> NDArray[np.float64]:
        return uniform(seed, "user/" + name, who)

    district, home_lat, home_lon = somewhere(seed, "user/home", who, 4, 0.010)
    _, work_lat, work_lon = somewhere(seed, "user/work", who, 3, 0.007)
    low, high = rules.LOYALTY
    sigma = 0.8
    joined = np.where(
        u("founder") < rules.FOUNDERS, -1 - (u("before") * 700).astype(int), (u("joined") * rules.JOIN_DAYS).astype(int)
    )
    return People(
        id=who,
        bot=u("bot") < city.simulation.bots,
        worker=u("worker") < 0.75,
        shares_place=u("shares") < 0.4,
        knows_clock=u("clock") < 0.95,
        joined=joined,
        home_district=district,
        home=zone_of(home_lat, home_lon),
        work=zone_of(work_lat, work_lon),
        home_latitude=home_lat,
        home_longitude=home_lon,
        work_latitude=work_lat,
        work_longitude=work_lon,
        loyalty=low + (high - low) * u("loyalty"),
        activity=np.exp(sigma * normal(u("activity1"), u("activity2")) - 0.5 * sigma**2),
        lateness=0.4 * u("late") - 0.2,
        web=np.where(u("web") < 0.3, 0.7, 0.1),
        age=(u("age") * 5).astype(int),
        cycle_days=rules.CYCLE_DAYS[0] + u("cycle") * (rules.CYCLE_DAYS[1] - rules.CYCLE_DAYS[0]),
        cycle_phase=u("phase") * (joined < 0),
    )


def life(city: City, people: People, day: int) -> NDArray[np.int64]:
    """(U,) code of rules.STATES on a day.

    Life comes in cycles of the user's own length: each cycle is active throughout, or active and then dormant, or
    wholly churned; who comes back is returning for NEW_DAYS. Bots are always active.
    """
    age = day - people.joined
    at = np.maximum(age, 0) / people.cycle_days + people.cycle_phase
    cycle = at.astype(np.int64)
    into = (at - cycle) * people.cycle_days
    churned, stop = _plan(city, people, slice(None), cycle)
    state = np.where(into >= stop, rules.DORMANT, rules.ACTIVE)
    recent = np.flatnonzero((cycle > 0) & (into < rules.NEW_DAYS))
    was_churned, was_stop = _plan(city, people, recent, cycle[recent] - 1)
    state[recent[was_churned | (was_stop < people.cycle_days[recent])]] = rules.RETURNING
    state[churned] = rules.CHURNED
    state[age < rules.NEW_DAYS] = rules.NEW
    state[people.bot] = rules.ACTIVE
    state[age < 0] = rules.UNBORN
    return state


def _plan(
    city: City, people: People, who: slice | NDArray[np.int64], cycle: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether a cycle is churned, and after how many days its activity stops."""
    draw = uniform(city.seed, "life/plan", people.id[who], cycle)
    stop = 0.3 + 0.6 * uniform(city.seed, "life/stop", people.id[who], cycle)
    return (draw < rules.CHURNS) & (cycle > 0), np.where(draw < rules.PAUSES, stop, 1.0) * people.cycle_days[who]

"""The city's people: what they are, and their hidden state on a day.

Fixed traits are hashes of the user; interests and favourites are hashes of the user, the slot and its epoch, so the
state of any day is known at once, without living through the days before. Never here: what they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City, normal, somewhere
from components.events.simulator.draw import uniform
from components.events.simulator.places import zone_of

_CATEGORIES = len(rules.CATEGORIES)
_ROLES = len(rules.ROLES)
_SLOTS = len(rules.INTEREST_WEIGHT)


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
    )


def life(city: City, people: People, day: int) -> NDArray[np.int64]:
    """(U,) code of rules.STATES on a day.

    Life comes in cycles of the user's own length: each cycle is active throughout, or active and then dormant, or
    wholly churned; who comes back is returning for NEW_DAYS. Bots are always active.
    """
    seed, who = city.seed, people.id
    low, high = rules.CYCLE_DAYS
    length = low + uniform(seed, "life/length", who) * (high - low)
    age = day - people.joined
    at = np.maximum(age, 0) / length + uniform(seed, "life/phase", who) * (people.joined < 0)
    cycle = at.astype(np.int64)
    into = (at - cycle) * length

    def plan(k: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        draw = uniform(seed, "life/plan", who, k)
        stop = 0.3 + 0.6 * uniform(seed, "life/stop", who, k)
        churned = (draw < 0.12) & (k > 0)
        return churned, np.where(draw < 0.55, stop, 1.0) * length

    churned, stop = plan(cycle)
    was_churned, was_stop = plan(cycle - 1)
    back = (cycle > 0) & (was_churned | (was_stop < length)) & (into < rules.NEW_DAYS)
    state = np.where(into >= stop, rules.DORMANT, np.where(back, rules.RETURNING, rules.ACTIVE))
    state = np.where(churned, rules.CHURNED, state)
    state = np.where(age < rules.NEW_DAYS, rules.NEW, state)
    state = np.where(people.bot, rules.ACTIVE, state)
    return np.asarray(np.where(age < 0, rules.UNBORN, state))


def epoch(city: City, who: NDArray[np.integer], kind: str, slots: int, day: int) -> NDArray[np.int64]:
    """(slots, n) number of times that each slot has been replaced: a share `drift` of them in 30 days."""
    phase = uniform(city.seed, f"{kind}/phase", np.asarray(who), np.arange(slots)[:, None])
    return np.floor((day + 10_000) * (city.simulation.drift / 30.0) + phase).astype(np.int64)


def interests(
    city: City, people: People, who: NDArray[np.integer], day: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(6, n) category of each interest and whether it is open yet; weights are rules.INTEREST_WEIGHT."""
    ids, slot = people.id[who], np.arange(_SLOTS)[:, None]
    at = epoch(city, ids, "interest", _SLOTS, day)
    category = (uniform(city.seed, "interest/category", ids, slot, at) * _CATEGORIES).astype(np.int64)
    later = slot[rules.BASE_INTERESTS :]
    opens = uniform(city.seed, "interest/opens", ids, later) * 30.0
    open_now = np.ones(category.shape, dtype=bool)
    open_now[rules.BASE_INTERESTS :] = opens <= city.simulation.widening * np.maximum(day - people.joined[who], 0)
    return category, open_now


def favourites(
    city: City, people: People, who: NDArray[np.integer], role: NDArray[np.integer], at: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items of (n,) favourites: the favourite of `role` in epoch `at`, and the companion that follows it.

    A favourite is drawn by popularity and nearness to home (or work, by role) within a category of the role; its
    companion near it, within a category that goes with it. It may not be launched yet: then it waits.
    """
    seed, ids = city.seed, people.id[who]

    def u(name: str) -> NDArray[np.float64]:
        return uniform(seed, "favourite/" + name, ids, role, at)

    width = len(rules.ROLE_CATEGORIES[0])
    options = np.array([(c * width)[:width] for c in rules.ROLE_CATEGORIES])
    sizes = np.array([len(c) for c in rules.ROLE_CATEGORIES])
    has = city.table.has()
    category = options[role, (u("category") * sizes[role]).astype(int)]
    category = np.where(has[category], category, 0)
    zone = np.where(rules.ROLE_AT_WORK[role] & people.worker[who], people.work[who], people.home[who])
    item = city.table.draw(category, zone, u("zone"), u("item"))
    after = rules.COMPANIONS[category, (u("companion") * 2).astype(int)]
    after = np.where(has[after], after, 0)
    near = np.where(city.zone[item] < rules.ZONES, city.zone[item], zone)
    companion = city.table.draw(after, near, u("zone2"), u("item2"))
    return item, np.where(companion == item, city.successor[item, 1], companion)


@dataclass(frozen=True)
class Habits:
    """Favourites and companions on a day: (roles, U) items each."""

    favourite: NDArray[np.int32]
    companion: NDArray[np.int32]


class Diary:
    """Habits of all users day by day, brought forward (or back) by redrawing only what was replaced."""

    def __init__(self, city: City, people: People) -> None:
        self._city, self._people = city, people
        self._epoch: NDArray[np.int64] | None = None
        none = np.zeros((_ROLES, len(people)), np.int32)
        self._habits = Habits(none, none)

    def on(self, day: int) -> Habits:
        """Habits on any day; what was returned before stays as it was."""
        now = epoch(self._city, self._people.id, "favourite", _ROLES, day)
        changed = np.ones_like(now, dtype=bool) if self._epoch is None else now != self._epoch
        role, who = np.nonzero(changed)
        if len(who):
            favourite, companion = self._habits.favourite.copy(), self._habits.companion.copy()
            item, after = favourites(self._city, self._people, who, role, now[role, who])
            favourite[role, who], companion[role, who] = item, after
            self._habits = Habits(favourite, companion)
        self._epoch = now
        return self._habits

"""What people like: interests that drift and widen, favourites that they return to, and what follows those.

Each sits in a slot that is redrawn at its own times; what a slot holds is a hash of the user, the slot and the number
of redraws (its epoch). So the habits of any day are known at once; `Diary` keeps them from one day to the next.
Never here: what anybody does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City
from components.events.simulator.draw import uniform
from components.events.simulator.people import People
from components.params import SimulationParams

ROLES = len(rules.ROLES)
INTERESTS = len(rules.INTEREST_WEIGHT)
_CATEGORIES = len(rules.CATEGORIES)
_LATER = np.arange(rules.BASE_INTERESTS, INTERESTS)


EARLY = 10_000  # days before the log's first day from which epochs are counted


def phases(city: City, people: People, kind: str, slots: int) -> NDArray[np.float64]:
    """(slots, U) where in its period each slot is on day 0 - EARLY, in periods."""
    return uniform(city.seed, f"{kind}/phase", people.id, np.arange(slots)[:, None])


def epochs(simulation: SimulationParams, phase: NDArray[np.float64], day: int) -> NDArray[np.int64]:
    """Number of times that each slot has been redrawn: a share `drift` of them is in 30 days."""
    return np.floor((day + EARLY) * (simulation.drift / 30.0) + phase).astype(np.int64)


def interest(
    city: City, people: People, who: NDArray[np.integer], slot: NDArray[np.integer], at: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Categories of (n,) interests: slot `slot` in epoch `at`; any category as likely as another."""
    u = uniform(city.seed, "interest/category", people.id[who], slot, at)
    return (u * _CATEGORIES).astype(np.int64)


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

    sizes = np.array([len(c) for c in rules.ROLE_CATEGORIES])
    options = np.array([(c * sizes.max())[: sizes.max()] for c in rules.ROLE_CATEGORIES])
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
    """What people like on a day.

    Attributes
    ----------
    day, widening : the day's number, and the parameter
    favourite, companion : (roles, U) items
    interest : (6, U) categories, weights rules.INTEREST_WEIGHT
    joined : (U,) day numbers
    opens : (3, U) days after joining, times `widening`, at which each later interest opens
    """

    day: int
    widening: float
    favourite: NDArray[np.int32]
    companion: NDArray[np.int32]
    interest: NDArray[np.int8]
    joined: NDArray[np.int64]
    opens: NDArray[np.float64]

    def interests_of(self, who: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(6, n) category of each interest of some users, and whether it is open yet."""
        open_now = np.ones((INTERESTS, len(who)), dtype=bool)
        spent = self.widening * np.maximum(self.day - self.joined.take(who), 0)
        open_now[_LATER] = self.opens.take(who, axis=1) <= spent
        return self.interest.take(who, axis=1).astype(np.int64), open_now


class Diary:
    """Habits of all users day by day, brought forward (or back) by redrawing only what was replaced."""

    def __init__(self, city: City, people: People) -> None:
        self._city, self._people = city, people
        self._phase = phases(city, people, "favourite", ROLES), phases(city, people, "interest", INTERESTS)
        self._epoch = tuple(np.full(phase.shape, -1) for phase in self._phase)
        self._opens = uniform(city.seed, "interest/opens", people.id, _LATER[:, None]) * 30.0
        none = np.zeros((ROLES, len(people)), np.int32)
        self._kept = none, none, np.zeros((INTERESTS, len(people)), np.int8)

    def on(self, day: int) -> Habits:
        """Habits on any day; what was returned before stays as it was."""
        city, people = self._city, self._people
        now = tuple(epochs(city.simulation, phase, day) for phase in self._phase)
        favourite, companion, interests = self._kept
        role, who = np.nonzero(now[0] != self._epoch[0])
        if len(who):
            favourite, companion = favourite.copy(), companion.copy()
            favourite[role, who], companion[role, who] = favourites(city, people, who, role, now[0][role, who])
        slot, who = np.nonzero(now[1] != self._epoch[1])
        if len(who):
            interests = interests.copy()
            interests[slot, who] = interest(city, people, who, slot, now[1][slot, who])
        self._epoch, self._kept = now, (favourite, companion, interests)
        return Habits(day, city.simulation.widening, favourite, companion, interests, people.joined, self._opens)

"""What people do on one day: sessions by slot, and in each a chain of choices and actions.

All sessions of a block of users advance together, one event at a time; the loop runs over the position within a
session, never over events or users. Never here: the columns of the log (`frame`), bots, dirt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import choice, rules
from components.events.simulator.city import City
from components.events.simulator.day import Day
from components.events.simulator.draw import choose, pick
from components.events.simulator.habits import Habits
from components.events.simulator.people import People, life

_EDGES_S = np.array(rules.SLOT_EDGES_H) * 3600.0


@dataclass(frozen=True)
class Steps:
    """n events of one day, unsorted; arrays are (n,).

    Attributes
    ----------
    who, slot, item, action : rows of People, slots, items, codes of rules.ACTIONS
    local_s : seconds since the local midnight
    dwell_s : how long it takes before anything else may follow
    """

    who: NDArray[np.int64]
    slot: NDArray[np.int64]
    item: NDArray[np.int64]
    action: NDArray[np.int64]
    local_s: NDArray[np.float64]
    dwell_s: NDArray[np.float64]


def session_chance(city: City, people: People, day: Day, state: NDArray[np.integer]) -> NDArray[np.float64]:
    """(U, SLOTS) chance that each user has a session in each slot; at most 0.95."""
    rate = rules.SLOT_RATE[int(day.free)] / rules.SLOT_RATE[int(day.free)].sum()
    each = city.simulation.events_per_user_day / rules.MEAN_SESSION
    mean = people.activity * rules.STATE_RATE[state] * each
    return np.asarray(np.minimum(mean[:, None] * rate, 0.95) * ~people.bot[:, None])


class _Sessions:
    """The sessions of a block on a day, and how each chooses."""

    def __init__(self, city: City, people: People, habits: Habits, day: Day, rng: np.random.Generator) -> None:
        self.city, self.day, self.rng = city, day, rng
        chance = session_chance(city, people, day, life(city, people, day.number))
        self.who, self.slot = np.nonzero(rng.random(chance.shape) < chance)
        self.zone = people.anchor(self.who, self.slot, day.free)
        self.loyalty = people.loyalty[self.who]
        self.favourite = habits.favourite[:, self.who].astype(np.int64)
        self.companion = habits.companion[:, self.who].astype(np.int64)
        row = self.slot * city.n_items
        self.role = choice.role_weight(day.free, self.slot, day.open.ravel()[row + self.favourite])
        self.interest, open_now = habits.interests_of(self.who)
        self.drawn_to = choice.interest_weight(day.appetite, self.slot, self.interest, open_now)
        late = people.lateness[self.who]
        when = np.clip(0.1 + 0.65 * rng.beta(2.0, 2.0, len(self.who)) + 0.5 * late, 0.0, 0.95)
        self.start_s = _EDGES_S[self.slot] + when * np.diff(_EDGES_S)[self.slot]
        self.stop_s = _EDGES_S[self.slot + 1]

    def _favourite(self, at: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
        """One favourite of each session `at`, by (roles, n) weights that are not all 0."""
        return self.favourite[choose(weight, self.rng.random(len(at))), at]

    def _explore(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """An item by interest (or without), then by popularity and nearness."""
        weight, u = self.drawn_to.take(at, axis=1), self.rng.random((4, len(at)))
        category = self.interest[choose(weight, u[0]), at]
        freely = np.flatnonzero((u[1] < rules.OPEN_MIND) | (weight.max(axis=0) <= 0))
        slot = self.slot.take(at[freely])
        category[freely] = pick(self.day.base, slot, self.rng.random(len(slot))) - slot * len(rules.CATEGORIES)
        return self.day.table.draw(category, self.zone.take(at), u[2], u[3])

    def first(self) -> NDArray[np.int64]:
        """(S,) the first item of every session."""
        has = self.role.max(axis=0) > 0
        weight = choice.at_start(self.loyalty, has, self.day.pull[self.slot, self.zone])
        way = choose(weight, self.rng.random(len(self.who)))
        item = self.day.social[self.slot]
        habit, free = np.flatnonzero(way == 0), np.flatnonzero(way == 2)
        item[habit] = self._favourite(habit, self.role.take(habit, axis=1))
        item[free] = self._explore(free)
        return item

    def move(self, at: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.int64]:
        """The item that each session `at` goes on to from `item`."""
        opened, row = self.day.open.ravel(), self.slot.take(at) * self.city.n_items
        mine = self.favourite.take(at, axis=1) == item
        companion, has_companion = np.zeros_like(item), np.zeros(len(at), dtype=bool)
        for role in range(len(mine) - 1, -1, -1):  # the first role counts
            on = np.flatnonzero(mine[role])
            companion[on] = self.companion[role, at[on]]
            has_companion[on] = opened[row[on] + companion[on]]
        successor = self.city.successor.take(item, axis=0).T
        follows = rules.SUCCESSOR_WEIGHT[:, None] * opened[row + successor]
        weight = self.role.take(at, axis=1) * ~mine
        way = choose(
            choice.on_move(has_companion, follows.max(axis=0) > 0, weight.max(axis=0) > 0), self.rng.random(len(at))
        )
        to = companion
        on = np.flatnonzero(way == 1)
        to[on] = successor[choose(follows.take(on, axis=1), self.rng.random(len(on))), on]
        on = np.flatnonzero(way == 2)
        to[on] = self._favourite(at[on], weight.take(on, axis=1))
        on = np.flatnonzero(way == 3)
        to[on] = self._explore(at[on])
        return to


def first_action(city: City, item: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) what is done first with an item that one comes to: venues are visited or looked up, the rest is viewed."""
    visit = (city.kind[item] == rules.VENUE) & (rng.random(len(item)) < rules.VISIT)
    return np.where(visit, rules.CHECKIN, rules.VIEW)


def live(city: City, people: People, habits: Habits, day: Day, rng: np.random.Generator) -> Steps:
    """All that a block of people does on a day."""
    sessions = _Sessions(city, people, habits, day, rng)
    at = np.arange(len(sessions.who))
    item, now_s = sessions.first(), sessions.start_s
    action = first_action(city, item, rng)
    funnel = np.ascontiguousarray(rules.FUNNEL.reshape(-1, rules.MOVE + 1).T)
    found: list[tuple[NDArray, ...]] = []
    while len(at):
        dwell = rules.DWELL_S[city.kind[item], action] * np.exp(
            rules.DWELL_SIGMA * rng.standard_normal(len(at), dtype=np.float32)
        )
        dwell += rules.MIN_DWELL_S
        found.append((at, item, action, now_s, dwell))
        now_s = now_s + dwell
        on = np.flatnonzero((rng.random(len(at)) < rules.CONTINUE[action]) & (now_s < sessions.stop_s.take(at)))
        at, item, action, now_s = at.take(on), item.take(on), action.take(on), now_s.take(on)
        step = choose(funnel.take(city.funnel[item] * len(rules.ACTIONS) + action, axis=1), rng.random(len(at)))
        moving = np.flatnonzero(step == rules.MOVE)
        item[moving] = sessions.move(at[moving], item[moving])
        step[moving] = first_action(city, item[moving], rng)
        action = step
    if not found:
        none, never = np.empty(0, np.int64), np.empty(0)
        return Steps(none, none, none, none, never, never)
    session, items, actions, local_s, dwell_s = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Steps(sessions.who[session], sessions.slot[session], items, actions, local_s, dwell_s)

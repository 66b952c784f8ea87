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
from components.events.simulator.draw import pick
from components.events.simulator.people import Habits, People, interests, life

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
        self.favourite = habits.favourite[self.who]
        self.companion = habits.companion[self.who]
        self.role = choice.role_weight(
            day.free, self.slot, day.open.ravel()[self.slot[:, None] * city.n_items + self.favourite]
        )
        category, open_now = interests(city, people, self.who, day.number)
        self.interest = category
        weight = choice.interest_weight(day.appetite[self.slot], category, open_now)
        self.interest_sum = np.cumsum(weight, axis=1)
        late = people.lateness[self.who]
        when = np.clip(0.1 + 0.65 * rng.beta(2.0, 2.0, len(self.who)) + 0.5 * late, 0.0, 0.95)
        self.start_s = _EDGES_S[self.slot] + when * np.diff(_EDGES_S)[self.slot]
        self.stop_s = _EDGES_S[self.slot + 1]

    def _favourite(self, at: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.int64]:
        """One favourite of each session `at`, by (n, roles) weights that are not all 0."""
        total = np.cumsum(weight, axis=1)
        chosen = (self.rng.random(len(at)) * total[:, -1])[:, None] >= total
        return self.favourite[at, np.minimum(chosen.sum(axis=1), weight.shape[1] - 1)].astype(np.int64)

    def _explore(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """An item by interest (or without), then by popularity and nearness."""
        total = self.interest_sum[at]
        u = self.rng.random(len(at))
        chosen = ((self.rng.random(len(at)) * total[:, -1])[:, None] >= total).sum(axis=1)
        category = self.interest[at, np.minimum(chosen, total.shape[1] - 1)]
        freely = (u < rules.OPEN_MIND) | (total[:, -1] <= 0)
        slot = self.slot[at[freely]]
        category[freely] = pick(self.day.base, slot, self.rng.random(len(slot))) - slot * len(rules.CATEGORIES)
        return self.day.table.draw(category, self.zone[at], self.rng.random(len(at)), self.rng.random(len(at)))

    def first(self) -> NDArray[np.int64]:
        """(S,) the first item of every session."""
        at = np.arange(len(self.who))
        has = self.role.sum(axis=1) > 0
        weight = choice.at_start(self.loyalty, has, self.day.pull[self.slot, self.zone])
        way = _column(weight, self.rng)
        item = self.day.social[self.slot]
        item[way == 0] = self._favourite(at[way == 0], self.role[way == 0])
        item[way == 2] = self._explore(at[way == 2])
        return item

    def move(self, at: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.int64]:
        """The item that each session `at` goes on to from `item`."""
        day, slot = self.day, self.slot[at]
        opened = day.open.ravel()
        row = slot * self.city.n_items
        mine = self.favourite[at] == item[:, None]
        companion = self.companion[at, mine.argmax(axis=1)]
        successor = self.city.successor[item]
        follows = rules.SUCCESSOR_WEIGHT * opened[row[:, None] + successor]
        role = np.where(mine, 0.0, self.role[at])
        weight = choice.on_move(
            mine.any(axis=1) & opened[row + companion], follows.sum(axis=1) > 0, role.sum(axis=1) > 0
        )
        way = _column(weight, self.rng)
        to = companion.astype(np.int64)
        second = self.rng.random(len(at)) * follows.sum(axis=1) >= follows[:, 0]
        to = np.where(way == 1, successor[np.arange(len(at)), second.astype(int)], to)
        to[way == 2] = self._favourite(at[way == 2], role[way == 2])
        to[way == 3] = self._explore(at[way == 3])
        return to


def _column(weight: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) a column of each row, by its chances; a column of chance 0 is never drawn."""
    total = np.cumsum(weight, axis=1)
    total[:, -1] = 1.0  # the last column is never 0 and takes the rounding
    return np.asarray((rng.random(len(weight))[:, None] >= total).sum(axis=1))


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
    found: list[tuple[NDArray, ...]] = []
    while len(at):
        dwell = rules.DWELL_S[city.kind[item], action] * np.exp(
            rules.DWELL_SIGMA * rng.standard_normal(len(at), dtype=np.float32)
        )
        dwell += rules.MIN_DWELL_S
        found.append((at, item, action, now_s, dwell))
        goes_on = (rng.random(len(at)) < rules.CONTINUE[action]) & (now_s + dwell < sessions.stop_s[at])
        at, item, action, now_s = at[goes_on], item[goes_on], action[goes_on], (now_s + dwell)[goes_on]
        step = _column(rules.FUNNEL[city.funnel[item], action], rng)
        moving = step == rules.MOVE
        item = item.copy()
        item[moving] = sessions.move(at[moving], item[moving])
        step[moving] = first_action(city, item[moving], rng)
        action = step
    if not found:
        none, never = np.empty(0, np.int64), np.empty(0)
        return Steps(none, none, none, none, never, never)
    session, items, actions, local_s, dwell_s = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Steps(sessions.who[session], sessions.slot[session], items, actions, local_s, dwell_s)

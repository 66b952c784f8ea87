"""How somebody who knows the city is asked: from the judge's queries to days, slots and items, and back to scores.

What is common to the oracle and the observer: the session that is going on, the funnel within it, the time that is
hidden, the bots. Never here: what either of them knows about people.

Exact: everything, given what the subclass says of a session's start and of a move, when the time is given. With the
time hidden, the session's going on is exact too, and what comes after it is approximated: sessions of the next
HORIZON days, as they would be on the next working and the next free day, without their social events.
Every answer is mixed with a uniform one of weight FLOOR, so that a log-probability is finite.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.events.simulator import rules
from components.events.simulator.city import City, build_city
from components.events.simulator.day import Day, build_day
from components.events.simulator.frame import bot_items
from components.features.store import Store
from components.files import read_json, write_json
from components.observers import chances
from components.observers.asked import Asked, numbers
from components.observers.chances import Floats, Whole
from components.params import SimulationParams
from components.predictor import Capability, Queries, Scores, Tracker, Window

HORIZON = 7  # days
FLOOR = 1e-6
_DAY_S = 86_400
_BLOCK = 512  # queries that are worked on at a time


class CityPredictor(ABC):
    """A predictor who knows the city's rules and its items; what it knows of people is up to the subclass."""

    name: str = "city"
    capabilities: frozenset[Capability] = frozenset({"item", "action"})

    def __init__(self, simulation: SimulationParams, seed: int) -> None:
        self.simulation, self.seed = simulation, seed
        self._days: dict[int, Day] = {}

    @cached_property
    def city(self) -> City:
        """The items."""
        return build_city(self.simulation, self.seed)

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Nothing is learned: the rules are known."""
        return

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Nothing is kept: every answer reads the visible history."""
        return

    def save(self, folder: Path) -> None:
        """Write the parameters of the city."""
        record = {"simulation": self.simulation.model_dump(mode="json"), "seed": self.seed}
        write_json(folder / "city.json", record)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        record = read_json(folder / "city.json")
        return cls(SimulationParams.model_validate(record["simulation"]), int(record["seed"]))

    def believe(self, asked: Asked) -> Asked:
        """The questions with what is inferred from their histories; nothing for one who sees what is hidden."""
        return asked

    @abstractmethod
    def start(self, asked: Asked) -> Floats:
        """(n, I) the first item of a session in the slot."""

    @abstractmethod
    def move(self, asked: Asked) -> Floats:
        """(n, I) the item that a session goes on to from `asked.item`, which is known."""

    @abstractmethod
    def sessions(self, asked: Asked) -> Floats:
        """(n, SLOTS) chance of a session in each slot of the day."""

    @abstractmethod
    def bots(self, asked: Asked) -> NDArray[np.bool_]:
        """(n,) who is taken for a bot."""

    def day(self, number: int) -> Day:
        """A day of the city, kept for the next question about it."""
        if number not in self._days:
            if len(self._days) >= 40:
                self._days.clear()
            self._days[number] = build_day(self.city, number)
        return self._days[number]

    def score(self, queries: Queries) -> Scores:
        """Answer; see the module on what is exact."""
        encoding = queries.store.encoding
        code_item = numbers(encoding.vocabularies["item"].ids, "i", self.city.n_items)
        actions = encoding.vocabularies["action"].code_of
        known = np.flatnonzero(code_item >= 0)
        item = np.full((len(queries), len(code_item)), -np.inf, np.float32)
        action = np.zeros((len(queries), len(encoding.vocabularies["action"])), np.float32)
        names = [name for name in rules.ACTIONS if name in actions]
        codes, rows = [actions[name] for name in names], [rules.ACTIONS.index(name) for name in names]
        for at in self._groups(queries):
            chance, act = self._answer(self.believe(self._asked(queries[at], code_item)))
            seen = chance[:, code_item[known]]
            item[at[:, None], known] = np.log(chances.share(seen))
            action[at[:, None], codes] = chances.share(act[:, rows])
        return Scores(item=item, action=action)

    def _groups(self, queries: Queries) -> list[NDArray[np.int64]]:
        """Rows of the queries, by day and at most _BLOCK at a time."""
        day = queries.time_s // _DAY_S
        found = []
        for one in np.unique(day):
            rows = np.flatnonzero(day == one)
            found += [rows[i : i + _BLOCK] for i in range(0, len(rows), _BLOCK)]
        return found

    def slot_of(self, time_s: NDArray[np.integer], midnight_s: NDArray[np.integer] | int) -> Whole:
        """(n,) slot of UTC seconds, from the local midnight before; the night belongs to the slots beside it."""
        hour = (time_s - midnight_s) / 3600.0
        return np.clip(np.searchsorted(rules.SLOT_EDGES_H, hour, side="right") - 1, 0, rules.SLOTS - 1)

    def number_of(self, time_s: NDArray[np.integer]) -> Whole:
        """(n,) day numbers of UTC seconds."""
        start = (self.simulation.start.toordinal() - 719_163) * _DAY_S
        return np.asarray((time_s - start) // _DAY_S)

    def _asked(self, queries: Queries, code_item: Whole) -> Asked:
        """Questions of one day, as the city understands them."""
        store = queries.store
        day = self.day(int(self.number_of(queries.time_s[:1])[0]))
        some = queries.stop > queries.start
        last = np.where(some, queries.stop - 1, 0)
        item = np.where(some, code_item[np.asarray(store["item"])[last]], -1)
        names = np.array([*store.encoding.vocabularies["action"].ids], dtype=object)
        code_action = np.array([rules.ACTIONS.index(a) if a in rules.ACTIONS else rules.VIEW for a in names])
        last_s = np.asarray(store["time_s"])[last]
        slot = self.slot_of(queries.time_s, day.midnight_s)
        same_day = last_s // _DAY_S == queries.time_s // _DAY_S
        # the same person in two rows of `users` never happens: ids are unique
        user = numbers(np.asarray(store.users, dtype=object)[queries.user], "u", self.simulation.users)
        return Asked(
            day=day,
            user=user,
            slot=slot,
            item=item,
            action=code_action[np.asarray(store["action"])[last]],
            going_on=some & same_day & (self.slot_of(last_s, day.midnight_s) == slot),
            time_s=queries.time_s,
            queries=queries,
        )

    def _answer(self, asked: Asked) -> tuple[Floats, Floats]:
        """(n, I) and (n, 5) chances of the next item and action."""
        n = len(asked)
        chance, act = np.zeros((n, self.city.n_items)), np.zeros((n, len(rules.ACTIONS)))
        on = asked.going_on.astype(np.float64)
        known = asked.going_on & (asked.item >= 0)
        if not asked.queries.time_given:
            stop_s = asked.day.midnight_s + np.array(rules.SLOT_EDGES_H)[asked.slot + 1] * 3600.0
            left_s = stop_s - asked.time_s
            on[known] = chances.goes_on(self.city, asked.item[known], asked.action[known], left_s[known])
            on[asked.going_on & ~known] = rules.CONTINUE[rules.VIEW]
        rows = np.flatnonzero(on > 0)
        if len(rows):
            chance[rows], act[rows] = self._within(asked.part(rows))
            chance[rows] *= on[rows, None]
            act[rows] *= on[rows, None]
        rows = np.flatnonzero(on < 1)
        if len(rows):
            part = asked.part(rows)
            begun = self.start(part) if asked.queries.time_given else self._later(part)
            off = (1.0 - on[rows])[:, None]
            chance[rows] += off * begun
            act[rows] += off * chances.first_actions(self.city, begun)
        rows = np.flatnonzero(self.bots(asked))
        if len(rows):
            chance[rows] = self._bot(asked.part(rows))
            act[rows] = np.arange(len(rules.ACTIONS)) == rules.VIEW
        return (1 - FLOOR) * chance + FLOOR / self.city.n_items, act

    def _within(self, asked: Asked) -> tuple[Floats, Floats]:
        """The next event of a session that goes on: the funnel of the last item, or a move."""
        n = len(asked)
        chance, act = np.zeros((n, self.city.n_items)), np.zeros((n, len(rules.ACTIONS)))
        lost, there = np.flatnonzero(asked.item < 0), np.flatnonzero(asked.item >= 0)
        if len(lost):  # an item that the store does not know: as if the session began anew
            chance[lost] = self.start(asked.part(lost))
            act[lost] = chances.first_actions(self.city, chance[lost])
        if len(there):
            part = asked.part(there)
            stay = chances.stays(self.city, part.item, part.action)
            moved = self.move(part) * (1.0 - stay.sum(axis=1, keepdims=True))
            act[there] = stay + chances.first_actions(self.city, moved)
            moved[np.arange(len(there)), part.item] += stay.sum(axis=1)
            chance[there] = moved
        return chance, act

    def _later(self, asked: Asked) -> Floats:
        """(n, I) first item of the next session, whenever it is: slots weighted by the chance that it is the next."""
        today = asked.day.number
        alone = np.ones(len(asked))
        weight = np.zeros((len(asked), 2, rules.SLOTS))
        example: dict[bool, Day] = {}
        for number in range(today, today + HORIZON):
            day = self.day(number)
            if number > today:
                example.setdefault(day.free, day)
            chance = self.sessions(dataclasses.replace(asked, day=day))
            for slot in range(rules.SLOTS):
                now = chance[:, slot] * ((number > today) | (slot > asked.slot))
                weight[:, int(day.free), slot] += alone * now
                alone = alone * (1.0 - now)
        weight /= np.maximum(weight.sum(axis=(1, 2), keepdims=True), 1e-30)
        found = np.zeros((len(asked), self.city.n_items))
        for free, day in example.items():
            quiet = dataclasses.replace(day, pull=np.zeros_like(day.pull))
            for slot in range(rules.SLOTS):
                found += weight[:, int(free), slot, None] * self.start(asked.on(quiet, slot))
        return chances.share(found)

    def _bot(self, asked: Asked) -> Floats:
        """(n, I) a bot's next item: the next launched one, or, on a new day, what its hash says."""
        launched = np.flatnonzero(self.city.launch <= asked.day.number)
        following = launched[np.searchsorted(launched, asked.item, side="right") % len(launched)]
        first = self.bot_start(asked)
        last_s = np.asarray(asked.queries.store["time_s"])[np.maximum(asked.queries.stop - 1, 0)]
        begins = (asked.queries.stop <= asked.queries.start) | (last_s // _DAY_S != asked.time_s // _DAY_S)
        found = np.zeros((len(asked), self.city.n_items))
        found[np.arange(len(asked)), following] = 1.0
        found[begins] = first[begins]
        return found

    def bot_start(self, asked: Asked) -> Floats:
        """(n, I) the first item that a bot reads on the day: anything launched."""
        launched = (self.city.launch <= asked.day.number).astype(np.float64)
        return np.tile(launched / launched.sum(), (len(asked), 1))


def bot_first(city: City, day: Day, user: Whole) -> Floats:
    """(n, I) the first item that each bot reads on the day, known."""
    return chances.scatter(city.n_items, bot_items(city, day, user)[:, :1], np.ones((len(user), 1)))

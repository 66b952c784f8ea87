"""The judge's questions as the city understands them: people, days, slots and items by their numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.events.simulator.day import Day
from components.observers.beliefs import Beliefs
from components.observers.chances import Whole
from components.predictor import Queries


@dataclass(frozen=True)
class Asked:
    """n questions about one day.

    Attributes
    ----------
    day : the day
    user : (n,) number of the user in the city; -1 = a stranger
    slot : (n,) slot that is asked about
    item, action : (n,) the last visible event: item of the city (-1 = unknown or none), code of rules.ACTIONS
    going_on : (n,) whether the last event belongs to the same session as the question
    time_s : (n,) UTC seconds of the question
    queries : the questions as they were asked, with their visible histories
    beliefs : of an observer
    """

    day: Day
    user: Whole
    slot: Whole
    item: Whole
    action: Whole
    going_on: NDArray[np.bool_]
    time_s: Whole
    queries: Queries
    beliefs: Beliefs | None = None

    def __len__(self) -> int:
        return len(self.user)

    def part(self, rows: NDArray) -> Asked:
        """The questions of an index array."""
        held = None if self.beliefs is None else self.beliefs.part(rows)
        skip = ("day", "queries", "beliefs")
        arrays = {f.name: getattr(self, f.name)[rows] for f in dataclasses.fields(self) if f.name not in skip}
        return Asked(day=self.day, queries=self.queries[rows], beliefs=held, **arrays)

    def on(self, day: Day, slot: int) -> Asked:
        """The same people, asked about a session's start in another slot of another day."""
        n = len(self)
        return dataclasses.replace(self, day=day, slot=np.full(n, slot), going_on=np.zeros(n, bool))


def numbers(names: NDArray[np.object_], letter: str, limit: int) -> Whole:
    """(n,) numbers of ids like i000012; -1 for what is not the city's."""
    found = [int(s[1:]) if s[:1] == letter and s[1:].isdecimal() else -1 for s in names.tolist()]
    number = np.array(found, dtype=np.int64).reshape(-1)
    return np.where(number < limit, number, -1)

"""Which action comes next: four ways to count it, to be mixed.

Never here: items.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory import loops
from components.memory.ask import Ask, Events, Floats
from components.memory.counter import checked

PARTS = ("everybody", "after the last action", "own", "own after the last action")


class ActionCounts:
    """Counts of actions and of steps between them, for everybody.

    Parameters
    ----------
    n_actions : A, padding and unknown included
    prior : smoothing of what is counted for few, in events
    """

    def __init__(self, n_actions: int, prior: float) -> None:
        self.n_actions, self.prior = n_actions, prior
        self.count: Floats = np.zeros(n_actions)
        self.step: Floats = np.zeros((n_actions, n_actions))

    def update(self, events: Events, sign: float) -> None:
        """Add or take away events."""
        action = events.column("action").astype(np.int64)
        np.add.at(self.count, action, sign)
        np.add.at(self.step, (events.before("action").astype(np.int64), action[events.followers]), sign)

    def parts(self, ask: Ask) -> Floats:
        """(4, B, A) distributions over the actions, in the order of PARTS."""
        return loops.action_parts(ask.edges, ask.column("action"), self.count, self.step, self.prior, UNKNOWN)

    def merge(self, other: Self) -> None:
        """Add what another has counted."""
        self.count += other.count
        self.step += other.step

    def state(self) -> dict[str, NDArray]:
        """Arrays that hold the tables."""
        return {"count": self.count, "step": self.step}

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        """Take the arrays of `state`; shapes are checked."""
        self.count = checked(arrays["count"], self.count.shape, where)
        self.step = checked(arrays["step"], self.step.shape, where)

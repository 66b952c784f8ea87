"""What an update learns: all that is new, and a sample of what is older, so that it is not forgotten.

The older part of each history is cut into blocks; a share of them is drawn and learned again. Blocks keep neighbours
together, so that a stretch that is read is also learned from. Histories are whole either way: what is not learned is
still seen. Never draws from a row that is not training.

References: Rehearsal against forgetting: Robins (1995), Catastrophic forgetting, rehearsal and pseudorehearsal;
Rolnick et al. (2019), Experience replay for continual learning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.store import WINDOWS, Store


@dataclass(frozen=True)
class Replay:
    """Which training events an update learns.

    Attributes
    ----------
    since_s : events after this UTC second are new
    share : of the older events that are learned again, 0..1
    """

    since_s: int
    share: float

    def rows(self, store: Store, block: int, seed: int) -> NDArray[np.bool_]:
        """(N,) the training events that are learned.

        Parameters
        ----------
        store : the log
        block : events of a block, those of a stretch of the network
        seed : of the draw
        """
        train = np.asarray(store["window"]) == WINDOWS["train"]
        new = train & (np.asarray(store["time_s"]) > self.since_s)
        place = np.arange(store.n_events) - np.asarray(store.offsets)[store.user]
        fresh = np.ones(store.n_events, bool)
        fresh[1:] = (np.diff(store.user) != 0) | (place[1:] // block != place[:-1] // block)
        number = np.cumsum(fresh) - 1
        drawn = np.random.default_rng([seed, 2]).random(int(fresh.sum())) < self.share
        return new | (train & drawn[number])

    def counts(self, store: Store, block: int, seed: int) -> dict[str, int]:
        """How many events are new, older, and learned again."""
        train = np.asarray(store["window"]) == WINDOWS["train"]
        new = train & (np.asarray(store["time_s"]) > self.since_s)
        again = self.rows(store, block, seed) & ~new
        return {"new": int(new.sum()), "older": int((train & ~new).sum()), "again": int(again.sum())}

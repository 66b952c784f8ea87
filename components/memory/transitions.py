"""What follows what: for everybody, and for this user.

Reference: first-order Markov chains, research/spatiotemporal.md §2.6 and research/sequential.md §1.1.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory import loops
from components.memory.ask import Ask, Events
from components.memory.counter import Counter, Popularity, World
from components.memory.pairs import PairTable
from components.memory.share import Share


class Markov(Counter):
    """p(v | last item) ∝ how often v came next, for anybody, within `max_gap_h` hours where that is given.

    An event is counted with the event just before it in its user's history, so one event is one addition.
    """

    kind = "markov"
    optional = frozenset({"max_gap_h"})

    def __init__(self, options: dict[str, float], world: World) -> None:
        super().__init__(options, world)
        self.table = PairTable(world.n_items, world.n_items, world.max_pairs)

    def update(self, events: Events, sign: float) -> None:
        before = events.before("item").astype(np.int64)
        after = events.item[events.followers]
        use = (before > UNKNOWN) & (after > UNKNOWN)
        if "max_gap_h" in self.options:
            use &= events.gap_s < 3600 * self.options["max_gap_h"]
        self.table.add(before[use], after[use], sign)

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        query, item, count = self.table.lookup(ask.last_item)
        share, popular = loops.capped(query, count, self.table.total[ask.last_item], self.world.prior)
        return Share(popular, pairs=(query, item, share))

    def merge(self, other: Self) -> None:
        self.table.merge(other.table)

    def state(self) -> dict[str, NDArray]:
        return self.table.state()

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        self.table.restore(arrays, where)


class Habit(Counter):
    """p(v | user, last item) ∝ Σ 2^(-age / half-life) over the times when the user went from that item to v.

    Only steps shorter than `max_gap_h` hours count. With `sigma_gap`, and where the time of the answer is given,
    steps whose pause resembles the present one count most: × exp(-(Δ log gap)² / 2σ²).
    """

    kind = "user_markov"
    optional = frozenset({"half_life_days", "max_gap_h", "sigma_gap"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        paused = ask.queries.time_given and "sigma_gap" in self.options
        query, item, share, popular = loops.steps(
            ask.edges, ask.item, ask.time_s, ask.last_item, ask.queries.time_s,
            3600 * self.options.get("max_gap_h", np.inf), self.options.get("half_life_days", np.inf),
            self.options["sigma_gap"] if paused else np.inf, UNKNOWN, self.world.prior,
        )  # fmt: skip
        return Share(popular, pairs=(query, item, share))

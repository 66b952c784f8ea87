"""What everybody does: popularity of all time, of late, and at this hour.

Reference: research/spatiotemporal.md §2.6 (pop, POI-hour lift).
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.memory.ask import DAY_S, Ask, Events, Floats
from components.memory.counter import Counter, Popularity, World, checked
from components.memory.share import Share, dense_share


class AllTime(Counter):
    """p(v) ∝ count(v) + 1."""

    kind = "popularity"

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        return Share(popular=np.ones(ask.size))


class OfLate(Counter):
    """p(v | t) ∝ Σ 2^(-(t - t_i) / half-life) over the item's events, smoothed.

    The sums are kept relative to one instant, so that the order of updates does not matter; the instant moves
    (and everything is scaled once) only after `SPAN` half-lives.
    """

    kind = "recent_popularity"
    required = frozenset({"half_life_days"})
    SPAN = 400.0  # 2^400 and its inverse are far inside float64

    def __init__(self, options: dict[str, float], world: World) -> None:
        super().__init__(options, world)
        self.mass: Floats = np.zeros(world.n_items)  # Σ 2^((t_i - since) / half-life)
        self.since_s = 0.0
        self.newest_s = 0.0
        self.empty = True
        self._moves, self._told = 0, (-1, 0.0, self.mass)  # how often it changed, and what was made of it after so many
        self._half_life_s = options["half_life_days"] * DAY_S

    def update(self, events: Events, sign: float) -> None:
        time_s = events.column("time_s")[events.known].astype(np.float64)
        if not time_s.size:
            return
        newest_s = float(time_s.max())
        self.newest_s = newest_s if self.empty else max(self.newest_s, newest_s)
        if self.empty or (newest_s - self.since_s) / self._half_life_s > self.SPAN:
            self._move(newest_s)
        np.add.at(self.mass, events.item[events.known], sign * np.exp2((time_s - self.since_s) / self._half_life_s))
        self._moves += 1

    def _move(self, since_s: float) -> None:
        self.mass *= 0.0 if self.empty else np.exp2((self.since_s - since_s) / self._half_life_s)
        self.since_s, self.empty = since_s, False

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        total, share = self._shares()
        # nobody asks before what was counted; if somebody does, rounding left by `forget` must not be blown up
        age = (np.maximum(ask.queries.time_s, self.newest_s) - self.since_s) / self._half_life_s
        own = np.exp2(np.maximum(-age, -1000.0)) * total
        weight = own / (own + self.world.prior)
        vector = share if total > 0 else popularity.share
        return Share(popular=1 - weight, vectors=((vector, weight),))

    def _shares(self) -> tuple[float, Floats]:
        """The sum of all, and (V,) the part of each, made once after each change."""
        moves, (known, total, share) = self._moves, self._told
        if known != moves:
            mass = np.maximum(self.mass, 0.0)  # a forgotten event may leave a rounding error below zero
            total = float(mass.sum())
            share = mass / total if total > 0 else mass
            self._told = moves, total, share
        return total, share

    def merge(self, other: Self) -> None:
        if other.empty:
            return
        self.newest_s = other.newest_s if self.empty else max(self.newest_s, other.newest_s)
        if self.empty or other.since_s > self.since_s:
            self._move(other.since_s)
        self.mass += other.mass * np.exp2((other.since_s - self.since_s) / self._half_life_s)
        self._moves += 1

    def state(self) -> dict[str, NDArray]:
        return {"mass": self.mass, "since_s": np.array([self.since_s, self.newest_s, float(self.empty)])}

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        self.mass = checked(arrays["mass"], self.mass.shape, where)
        self._moves += 1
        since_s, newest_s, empty = checked(arrays["since_s"], (3,), where)
        self.since_s, self.newest_s, self.empty = float(since_s), float(newest_s), bool(empty)


class AtThisHour(Counter):
    """p(v | hour) ∝ Σ_h count(v, h) exp(-Δh² / 2σ²), Δh circular; smoothed.

    Counts each item's events by local hour of the day.
    """

    kind = "item_hour"
    required = frozenset({"sigma_h"})

    def __init__(self, options: dict[str, float], world: World) -> None:
        super().__init__(options, world)
        self.count: Floats = np.zeros((24, world.n_items))

    def update(self, events: Events, sign: float) -> None:
        hour = events.column("local_hour")[events.known].astype(np.int64)
        np.add.at(self.count, (hour, events.item[events.known]), sign)

    def kernel(self, hour: Floats) -> NDArray[np.float32]:
        """(B, 24) weight of each hour of the day for requests at `hour` (B,)."""
        away = np.abs(hour[:, None] - (np.arange(24) + 0.5))
        return np.exp(-0.5 * (np.minimum(away, 24 - away) / self.options["sigma_h"]) ** 2).astype(np.float32)

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        return dense_share(self.kernel(ask.hour) @ self.count.astype(np.float32), self.world.prior)

    def merge(self, other: Self) -> None:
        self.count += other.count

    def state(self) -> dict[str, NDArray]:
        return {"count": self.count}

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        self.count = checked(arrays["count"], self.count.shape, where)

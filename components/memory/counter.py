"""What every counter is: one way to turn events into a distribution over the catalogue.

A counter with a table learns by `update` and forgets by the same call with sign -1; a counter of habits has no
table at all and reads the visible history. Never here: a formula.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError, IntegrityError
from components.features.encoding import Encoding
from components.memory import loops
from components.memory.ask import Ask, Events, Floats, unit_vectors
from components.memory.share import Share
from components.once import made_once
from components.params import MemoryParams

EARTH_KM = 6371.0


@dataclass(frozen=True)
class World:
    """What counters share: sizes, the smoothing, and where the items are.

    Attributes
    ----------
    n_items : V, padding and unknown included
    max_pairs : successors kept per item
    prior : every counter is smoothed by popularity as if by so many events
    timed : whether times are real (else they are an order only)
    latitude, longitude : (V,) float64 degrees, NaN = no place
    """

    n_items: int
    max_pairs: int
    prior: float
    timed: bool
    latitude: Floats
    longitude: Floats

    @classmethod
    def of(cls, encoding: Encoding, params: MemoryParams) -> World:
        """The world of an encoding."""
        return cls(
            encoding.n_items,
            params.max_pairs,
            params.prior,
            encoding.settings.get("time_kind") != "ordinal",
            np.asarray(encoding.catalogue.latitude, np.float64),
            np.asarray(encoding.catalogue.longitude, np.float64),
        )

    @made_once
    def points(self) -> Floats:
        """(V, 3) the items on the unit sphere; 0 for those without a place."""
        return np.nan_to_num(unit_vectors(self.latitude, self.longitude))

    @made_once
    def axes(self) -> Floats:
        """(3, V) the same, axis by axis: what is read in one pass over all items."""
        return np.ascontiguousarray(self.points.T)

    @made_once
    def nowhere_mask(self) -> NDArray[np.bool_]:
        """(V,) whether an item has no place."""
        return np.isnan(self.latitude) | np.isnan(self.longitude)

    @made_once
    def nowhere(self) -> NDArray[np.int64]:
        """Codes of the items without a place."""
        return np.flatnonzero(self.nowhere_mask)


@dataclass(frozen=True)
class Popularity:
    """How often each item was met.

    Attributes
    ----------
    count : (V,) events of each item
    share : (V,) (count + 1) / Σ(count + 1): a new item has been met once; 0 for padding and unknown
    """

    count: Floats
    share: Floats

    @made_once
    def plus_one(self) -> NDArray[np.float32]:
        """(V,) count + 1."""
        return (self.count + 1).astype(np.float32)


class Counter(ABC):
    """Base of all counters; those without a table override `share` alone.

    Parameters
    ----------
    options : constants of the formula: all of `required`, any of `optional`
    world : World
    """

    kind: ClassVar[str]
    required: ClassVar[frozenset[str]] = frozenset()
    optional: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Mapping[str, float], world: World) -> None:
        if not self.required <= set(options) <= self.required | self.optional:
            raise ConfigError(
                f"options {sorted(self.required)} and at most {sorted(self.optional)} for the counter `{self.kind}`",
                found=f"{sorted(options)} in memory.components of the params",
                do="Mend them.",
            )
        wrong = {name: value for name, value in options.items() if value < 0}
        if wrong:
            raise ConfigError("options of counters that are not negative", found=f"{wrong}", do="Mend them.")
        self.options = dict(options)
        self.world = world

    def update(self, events: Events, sign: float) -> None:
        """Add (sign +1) or take away (sign -1) the events: O(1) for each."""
        return

    @abstractmethod
    def share(self, ask: Ask, popularity: Popularity) -> Share:
        """Distribution over the catalogue for each query."""

    def merge(self, other: Self) -> None:
        """Add what another counter of the same kind and options has counted."""
        return

    def state(self) -> dict[str, NDArray]:
        """Arrays that hold the table."""
        return {}

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        """Take the arrays of `state`; shapes are checked."""
        return

    def decay(self, age_d: Floats) -> Floats:
        """(n,) weight of events of an age: 2^(-age / half_life_days), or 1 without that option."""
        return loops.aged(age_d, self.options.get("half_life_days", np.inf))


def checked(array: NDArray, shape: tuple[int, ...], where: str) -> Floats:
    """A float64 copy of an array of the given shape, or an error that names the folder."""
    if array.shape != shape or not np.isfinite(array).all():
        raise IntegrityError(
            f"a finite table of shape {shape}",
            found=f"shape {array.shape} or values that are not finite in {where}",
            do="Train again, or bring the folder back from DVC.",
        )
    return np.array(array, np.float64)

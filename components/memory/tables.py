"""Everything that the memory has counted, as one thing that learns, forgets, merges and is saved.

Never here: weights of a mixture (`predictor.py`), and how a file is written (`components.files`).
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError, IntegrityError
from components.features.store import Store
from components.files import write_with
from components.memory.actions import ActionCounts
from components.memory.ask import Ask, Events, Floats, Ints
from components.memory.cells import CellCounts
from components.memory.counter import Counter, Popularity, World, checked
from components.memory.gaps import GapCounts
from components.memory.kinds import make_counter
from components.memory.share import Share, mix
from components.params import MemoryParams
from components.predictor import Queries


class _Part(Protocol):
    def update(self, events: Events, sign: float) -> None: ...
    def merge(self, other: Any) -> None: ...
    def state(self) -> dict[str, NDArray]: ...
    def restore(self, arrays: dict[str, NDArray], where: str) -> None: ...


_NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass
class Heads:
    """The counts behind action, time and place; cells are None where nothing has a place."""

    actions: ActionCounts
    gaps: GapCounts
    cells: CellCounts | None


@dataclass(frozen=True)
class Answer:
    """What K counters say to B queries.

    Attributes
    ----------
    ask : the queries with their histories
    shares : K distributions over the catalogue for each query
    popularity : (V,) what everybody does
    """

    ask: Ask
    shares: tuple[Share, ...]
    popularity: Floats

    def at(self, items: NDArray[np.integer], query: Ints | None = None) -> Floats:
        """(n, K) probability of items (n,) of queries (n,); by default of one item per query.

        No dense block is built for most counters.
        """
        codes: Ints = np.asarray(items, np.int64)
        of = np.arange(self.ask.size) if query is None else query
        return np.stack([share.at(self.ask, of, codes, self.popularity) for share in self.shares], axis=1)

    def mix(self, weights: Floats) -> NDArray[np.float32]:
        """(B, V) the mixture with weights (B, K)."""
        return mix(self.ask, self.shares, weights, self.popularity)


class Tables:
    """The counters of items and, where wanted, the counts of actions, pauses and cells.

    Parameters
    ----------
    params : which counters there are
    world : sizes and places
    heads : empty counts, or None
    """

    def __init__(self, params: MemoryParams, world: World, heads: Heads | None) -> None:
        wrong = [name for name in params.components if not _NAME.fullmatch(name)]
        if wrong or not params.components:
            raise ConfigError(
                "at least one counter, with a name of a-z, 0-9 and _",
                found=f"{wrong} at memory.components",
                do="Rename it.",
            )
        self.world, self.max_history = world, params.max_history
        self.count: Floats = np.zeros(world.n_items)
        self._moves = 0  # how often the counts have changed
        self._popularity: tuple[int, Popularity] | None = None  # after so many changes
        self.counters: dict[str, Counter] = {
            name: make_counter(name, one, world) for name, one in params.components.items()
        }
        self.heads = heads

    def update(self, store: Store, rows: NDArray[np.int64], sign: float = 1.0) -> None:
        """Count events (sign +1), or take them back (sign -1): a few additions for each.

        Parameters
        ----------
        store : holds the events and, just before each, the previous event of its user
        rows : (n,) distinct rows
        """
        events = Events(store, np.asarray(rows, np.int64))
        if not len(events.rows):
            return
        np.add.at(self.count, events.item[events.known], sign)
        self._moves += 1
        for part in self._parts().values():
            part.update(events, sign)

    def _parts(self) -> dict[str, _Part]:
        parts: dict[str, _Part] = {f"counter.{name}": counter for name, counter in self.counters.items()}
        if self.heads is not None:
            parts |= {"head.actions": self.heads.actions, "head.gaps": self.heads.gaps}
            if self.heads.cells is not None:
                parts["head.cells"] = self.heads.cells
        return parts

    @property
    def popularity(self) -> Popularity:
        """What everybody does, now."""
        moves, found = self._moves, self._popularity
        if found is None or found[0] != moves:
            count = np.maximum(self.count, 0.0)
            share = count + 1.0
            share[:2] = 0.0
            found = self._popularity = moves, Popularity(count, share / share.sum())
        return found[1]

    def answer(self, queries: Queries | Ask, used: Sequence[bool] | NDArray[np.bool_] | None = None) -> Answer:
        """What each counter says to B queries (or gathered histories); with `used` (K,), only those that are."""
        ask = queries if isinstance(queries, Ask) else Ask(queries, self.max_history)
        popularity = self.popularity
        asked = self.counters.values() if used is None else itertools.compress(self.counters.values(), used)
        return Answer(ask, tuple(one.share(ask, popularity) for one in asked), popularity.share)

    def merge(self, other: Self) -> None:
        """Add what other tables of the same params and encoding have counted: as if both logs had been read."""
        mine, theirs = self._parts(), other._parts()
        if self.count.shape != other.count.shape or {n: type(p) for n, p in mine.items()} != {
            n: type(p) for n, p in theirs.items()
        }:
            raise ConfigError("memories of one encoding and one set of counters", found="others", do="Refit one.")
        self.count += other.count
        self._moves += 1
        for name, part in mine.items():
            part.merge(theirs[name])

    def copy(self) -> Self:
        """Independent tables with the same counts."""
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        """Write every table as an .npy file."""
        arrays = {"count": self.count}
        for name, part in self._parts().items():
            arrays |= {f"{name}.{key}": array for key, array in part.state().items()}
        for name, array in arrays.items():
            write_with(folder / f"{name}.npy", partial(_put, array=array))

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote; every shape is checked."""
        where = str(folder)
        self.count = checked(read_array(folder / "count.npy"), self.count.shape, where)
        self._moves += 1
        for name, part in self._parts().items():
            part.restore(_Lazy(folder, name), where)


class _Lazy(dict[str, NDArray]):
    """Arrays of one part, read when they are asked for."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        self._folder, self._name = folder, name

    def __missing__(self, key: str) -> NDArray:
        return read_array(self._folder / f"{self._name}.{key}.npy")


def _put(path: Path, array: NDArray) -> None:
    with path.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def read_array(path: Path) -> NDArray:
    """An array of numbers from a .npy file; nothing is unpickled."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IntegrityError(
            f"a whole array at {path}", found=str(error), do="Train again, or bring the folder back from DVC."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise IntegrityError(f"an array of numbers at {path}", found="something else", do="Train again.")
    return array


def write_array(path: Path, array: NDArray) -> None:
    """Write one array, atomically."""
    write_with(path, partial(_put, array=array))

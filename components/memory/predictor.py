"""The memory as a predictor: a mixture of counters, and one counter alone as a baseline.

`fit` counts the training window and learns the weights of the mixture on the tune window, lived through day by
day as the judge will live through the later windows. After `fit` the counts cover the training window alone:
whoever asks about a later time first calls `update` with what happened until then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError, TrainingError
from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.memory import rows
from components.memory.actions import ActionCounts
from components.memory.ask import Events, Floats
from components.memory.cells import CellCounts
from components.memory.counter import World
from components.memory.folder import read_memory, write_memory
from components.memory.gaps import GapCounts, fit_components
from components.memory.replay import Asker, ask_online
from components.memory.tables import Answer, Heads, Tables
from components.memory.weights import Weights, fit_weights_of
from components.params import MemoryParams
from components.predictor import Capability, Queries, Scores, TimeDistribution, Tracker, Window

BLOCK = 256


class _Counting:
    """What the memory and a single counter share: tables that are counted on the training window and then move."""

    with_heads: bool

    def __init__(self, params: MemoryParams) -> None:
        self.params = params
        self._tables: Tables | None = None

    @property
    def tables(self) -> Tables:
        """The counts.

        Raises
        ------
        TrainingError
            Nothing was fitted or loaded yet.
        """
        if self._tables is None:
            raise TrainingError("a fitted memory", found="one that has counted nothing", do="Call `fit` or `load`.")
        return self._tables

    def count(self, train: Window) -> None:
        """Make the tables anew and count the events of a window."""
        self._tables = Tables(self.params, World.of(train.store.encoding, self.params), self._heads(train))
        self._tables.update(train.store, train.events)

    def _heads(self, train: Window) -> Heads | None:
        if not self.with_heads:
            return None
        store, prior = train.store, self.params.prior
        sizes = {name: len(words) for name, words in store.encoding.vocabularies.items()}
        gap_s = Events(store, train.events).gap_s
        mean, sigma = fit_components(np.log1p(gap_s[gap_s >= 0].astype(np.float64)))
        cells = None
        if store.cells:
            finest = store.cells[-1]
            if (np.asarray(store[finest])[train.events] > UNKNOWN).any():
                cells = CellCounts(finest, sizes["item"], sizes[finest], self.params.max_pairs, prior)
        return Heads(ActionCounts(sizes["action"], prior), GapCounts(mean, sigma, prior), cells)

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Count events that have happened; O(1) for each.

        Parameters
        ----------
        store : holds the events and, just before each, the previous event of its user
        rows : (n,) distinct rows
        """
        self.tables.update(store, rows)

    def forget(self, store: Store, rows: NDArray[np.int64]) -> None:
        """Take back events that were counted, as if they had never been; exact up to rounding.

        Of an item with more than `params.memory.max_pairs` successors, rare ones may be gone already. The shapes
        of the components of time, and the weights of the mixture, are not counts and stay.
        """
        self.tables.update(store, rows, -1.0)

    def merge(self, other: Self) -> None:
        """Add what another memory of the same encoding and params has counted."""
        self.tables.merge(other.tables)


class MemoryPredictor(_Counting):
    """Mixture of all counters of `params.memory.components`.

    Parameters
    ----------
    params : the counters and their constants
    asker : what a window asks; the judge's own where histories are restricted
    name : of the candidate model
    """

    with_heads = True

    def __init__(self, params: MemoryParams, asker: Asker = ask_online, name: str = "memory") -> None:
        super().__init__(params)
        self.name = name
        self.capabilities: frozenset[Capability] = frozenset({"item", "action", "time"})
        self.asker = asker
        self.weights = {given: Weights.even(len(params.components)) for given in (True, False)}

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Count `train`; fit the weights on `tune`."""
        self.count(train)
        self._know_capabilities(self.tables)
        self.weights, likelihood = fit_weights_of(self.tables, tune, self.asker, self.params)
        tracker.log({f"tune_log_likelihood_{name}": value for name, value in likelihood.items()}, 0)

    def _know_capabilities(self, tables: Tables) -> None:
        able: list[Capability] = ["item", "action"]
        able += ["time"] if tables.world.timed else []
        able += ["place"] if self.heads.cells is not None else []
        self.capabilities = frozenset(able)

    @property
    def heads(self) -> Heads:
        """The counts behind action, time and place."""
        heads = self.tables.heads
        assert heads is not None
        return heads

    def score(self, queries: Queries) -> Scores:
        """Answer B queries; see `components.predictor.Scores`."""
        return in_blocks(self._score, queries)

    def _score(self, queries: Queries) -> Scores:
        mixture = self.weights[queries.time_given].item
        answer = self.tables.answer(queries, mixture.used)
        return self._all_of(answer, answer.mix(mixture.of(answer.ask.length)[:, mixture.used]))

    def answered(self, answer: Answer) -> Scores:
        """The scores, where what every counter says is known already."""
        weights = self.weights[answer.ask.queries.time_given].item.of(answer.ask.length)
        return self._all_of(answer, answer.mix(weights))

    def _all_of(self, answer: Answer, item: NDArray[np.float32]) -> Scores:
        ask = answer.ask
        weights = self.weights[ask.queries.time_given]
        action = rows.weighed(weights.action.of(ask.length), self.heads.actions.parts(ask))
        time = place = None
        if "time" in self.capabilities:
            gaps = self.heads.gaps
            share = rows.weighed(weights.time.of(ask.length), gaps.parts(ask))
            mean, sigma = gaps.shape
            if len(share) > 1:
                mean, sigma = np.broadcast_to(mean, share.shape), np.broadcast_to(sigma, share.shape)
            time = TimeDistribution(share, mean, sigma)
        if "place" in self.capabilities and self.heads.cells is not None:
            place = rows.weighed(weights.place.of(ask.length), self.heads.cells.parts(ask, item))
        return Scores(log_of(item), action, time, place)

    def target_probability(self, queries: Queries, items: NDArray[np.integer]) -> Floats:
        """(B, K) probability that each counter gives to one item (B,) per query; no dense block is built for most."""
        return self.tables.answer(queries).at(items)

    def explain(self, queries: Queries, items: NDArray[np.integer]) -> dict[str, Floats]:
        """Which counter gave how much of the probability of some items.

        Parameters
        ----------
        items : (B, M) item codes

        Returns
        -------
        counter → (B, M) float64
            Its share; the shares of all counters sum to 1.
        """
        answer = self.tables.answer(queries)
        weights = self.weights[queries.time_given].item.of(answer.ask.length)  # (B, K)
        part = np.stack([answer.at(column) * weights for column in np.asarray(items).T], axis=1)  # (B, M, K)
        part = part / np.maximum(part.sum(axis=2, keepdims=True), 1e-300)
        return {name: part[:, :, place] for place, name in enumerate(self.tables.counters)}

    def save(self, folder: Path) -> None:
        """Write `config.json` and the tables; the same memory gives the same bytes."""
        weights = {"given": self.weights[True].record(), "hidden": self.weights[False].record()}
        more = {"kind": "memory", "name": self.name, "weights": weights}
        write_memory(folder, self.params, self.tables, more)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; shapes and weights are checked."""
        params, tables, more = read_memory(folder)
        memory = cls(params, name=str(more.get("name")))
        memory._tables = tables
        memory._know_capabilities(tables)
        read = more.get("weights", {})
        memory.weights = {
            given: Weights.read(read.get(name, {}), len(params.components), str(folder))
            for given, name in ((True, "given"), (False, "hidden"))
        }
        return memory


class CounterPredictor(_Counting):
    """One counter alone: a baseline with nothing to fit.

    Parameters
    ----------
    name : a name of `params.memory.components`
    params : the counters; the others are left out
    """

    with_heads = False
    capabilities: frozenset[Capability] = frozenset({"item"})

    def __init__(self, name: str, params: MemoryParams) -> None:
        if name not in params.components:
            raise ConfigError(
                f"a counter among {sorted(params.components)}",
                found=f"{name!r}",
                do="Name one of them, or describe it in memory.components of params.yaml.",
            )
        super().__init__(params.model_copy(update={"components": {name: params.components[name]}}))
        self.name = name

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        """Count `train`."""
        self.count(train)

    def score(self, queries: Queries) -> Scores:
        """Items only."""
        return in_blocks(self._score, queries)

    def _score(self, queries: Queries) -> Scores:
        return self.answered(self.tables.answer(queries))

    def answered(self, answer: Answer) -> Scores:
        """The scores, where what the counter says is known already."""
        return Scores(log_of(answer.mix(np.ones((answer.ask.size, 1)))))

    def save(self, folder: Path) -> None:
        """Write `config.json` and the table."""
        write_memory(folder, self.params, self.tables, {"kind": "counter", "name": self.name})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; shapes are checked."""
        params, tables, _ = read_memory(folder)
        counter = cls(next(iter(params.components)), params)
        counter._tables = tables
        return counter


def log_of(item: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, V) log-probabilities, in place; -inf for padding and unknown."""
    with np.errstate(divide="ignore"):
        np.log(item, out=item)
    item[:, : UNKNOWN + 1] = -np.inf
    return item


def in_blocks(score: Callable[[Queries], Scores], queries: Queries) -> Scores:
    """Answers to many queries, BLOCK at a time: what lies between fits a processor's cache better."""
    if len(queries) <= BLOCK:
        return score(queries)
    parts = [score(queries[start : start + BLOCK]) for start in range(0, len(queries), BLOCK)]

    def whole(arrays: Sequence[NDArray | None]) -> NDArray | None:
        found = [array for array in arrays if array is not None]
        return np.concatenate(found) if found else None

    times = [part.time for part in parts if part.time is not None]
    time = None
    if times:
        time = TimeDistribution(
            np.concatenate([one.weight for one in times]),
            np.concatenate([one.mean for one in times]),
            np.concatenate([one.sigma for one in times]),
        )
    item = np.concatenate([part.item for part in parts])
    return Scores(item, whole([part.action for part in parts]), time, whole([part.place for part in parts]))

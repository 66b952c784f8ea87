"""A predictor simple enough to be checked by hand, and one that writes down what it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.features.store import Store
from components.predictor import Capability, Queries, Scores, TimeDistribution, Tracker, Window


class Counts:
    """Popularity that moves with every event; weight `own` for the user's own visible counts."""

    def __init__(self, name: str = "counts", own: float = 0.0, heads: bool = False) -> None:
        self.name, self.own, self.heads = name, own, heads
        self.capabilities: frozenset[Capability] = frozenset({"item", "action", "time"} if heads else {"item"})
        self.count: NDArray[np.float64] = np.zeros(0)

    def fit(self, train: Window, tune: Window, tracker: Tracker) -> None:
        store = train.store
        self.count = np.bincount(store["item"][train.events], minlength=store.encoding.n_items) + 0.1

    def score(self, queries: Queries) -> Scores:
        base = self.count.copy()
        base[:2] = 0
        p = np.tile(base / base.sum() * (1 - self.own), (len(queries), 1))
        for row, (start, stop) in enumerate(zip(queries.start, queries.stop, strict=True)):
            if stop > start:
                np.add.at(p[row], queries.store["item"][start:stop], self.own / (stop - start))
        p[:, :2] = 0
        with np.errstate(divide="ignore"):
            item = np.log(p / p.sum(axis=1, keepdims=True)).astype(np.float32)
        if not self.heads:
            return Scores(item)
        one = np.ones((len(queries), 1), np.float32)
        action = np.tile(np.array([0, 0, 0.4, 0.3, 0.3], np.float32), (len(queries), 1))
        return Scores(item, action, TimeDistribution(one, 10.5 * one, 1.2 * one))

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        np.add.at(self.count, store["item"][rows], 1.0)

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise NotImplementedError


class Spy(Counts):
    """Remembers, in order, every question and every lesson."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.log: list[tuple[str, Queries | NDArray[np.int64]]] = []

    def score(self, queries: Queries) -> Scores:
        self.log.append(("ask", queries))
        return super().score(queries)

    def update(self, store: Store, rows: NDArray[np.int64]) -> None:
        self.log.append(("teach", rows.copy()))
        super().update(store, rows)

    def asked(self) -> list[Queries]:
        return [what for kind, what in self.log if kind == "ask"]  # type: ignore[misc]

    def taught(self) -> NDArray[np.int64]:
        return np.concatenate([what for kind, what in self.log if kind == "teach"])  # type: ignore[misc]

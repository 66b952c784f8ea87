"""Where the next event is: the cells of the likely items, the user's own cells, and everybody's, to be mixed.

Cells are those of the finest resolution of the store. Never here: coordinates.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory import loops
from components.memory.ask import Ask, Events, Floats
from components.memory.counter import checked
from components.memory.pairs import PairTable

PARTS = ("items", "own", "stay", "everybody")


class CellCounts:
    """Counts of cells, and of the cells in which each item was met.

    Parameters
    ----------
    column : name of the store's finest cell column
    n_items, n_cells : sizes of the vocabularies, padding and unknown included
    max_pairs : cells kept per item
    prior : smoothing, in events
    """

    def __init__(self, column: str, n_items: int, n_cells: int, max_pairs: int, prior: float) -> None:
        self.column, self.n_cells, self.prior = column, n_cells, prior
        self.count: Floats = np.zeros(n_cells)
        self.of_item = PairTable(n_items, n_cells, max_pairs)

    def update(self, events: Events, sign: float) -> None:
        """Add or take away events."""
        cell = events.column(self.column).astype(np.int64)
        placed = cell > UNKNOWN
        np.add.at(self.count, cell[placed], sign)
        both = placed & events.known
        self.of_item.add(events.item[both], cell[both], sign)

    def parts(self, ask: Ask, item: NDArray[np.floating]) -> Floats:
        """(4, B, cells) distributions, in the order of PARTS.

        Parameters
        ----------
        item : (B, V) probabilities of the items
        """
        out = loops.cell_parts(ask.edges, ask.column(self.column), self.count, self.prior, UNKNOWN)
        if ask.size:
            out[0] = self._through_items(item, out[3, 0])
        return out

    def _through_items(self, item: NDArray[np.floating], everybody: Floats) -> Floats:
        """(B, cells) Σ p(item) p(cell | item); an item that was met nowhere is anywhere."""
        item = np.asarray(item, np.float32)
        if len(item) == 1:
            scaled, spread = loops.spread(item[0], self.of_item.total, self.prior)
            found = spread * everybody[None]
            for matrix in self.of_item.transposed():
                loops.through(scaled, matrix.indptr, matrix.indices, matrix.data, found[0])
            return np.maximum(found, 0.0, out=found)
        total = (np.maximum(self.of_item.total, 0.0) + self.prior).astype(np.float32)
        scaled = item / total
        found = np.outer(scaled.sum(axis=1, dtype=np.float64) * self.prior, everybody)
        for matrix in self.of_item.transposed():
            found += (matrix @ scaled.T).T
        return np.maximum(found, 0.0)

    def merge(self, other: Self) -> None:
        """Add what another has counted."""
        self.count += other.count
        self.of_item.merge(other.of_item)

    def state(self) -> dict[str, NDArray]:
        """Arrays that hold the tables."""
        return {"cells": self.count} | self.of_item.state()

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        """Take the arrays of `state`; shapes are checked."""
        self.count = checked(arrays["cells"], self.count.shape, where)
        self.of_item.restore(arrays, where)

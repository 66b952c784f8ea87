"""Sparse counts of (row, column) pairs that take one more event in amortised constant time.

A log-structured table: sorted runs of keys `row * columns + column`, each run at least `RATIO` times as long as
the next newer one. Adding is a merge of small runs; reading a row is one binary search per run (about five).
Never here: what a pair means.

Reference: O'Neil et al., "The log-structured merge-tree" (1996).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.errors import IntegrityError
from components.memory import loops
from components.memory.ask import Floats, Ints
from components.once import made_once

RATIO = 8
EMPTY = 1e-9  # a count this small is what rounding leaves of nothing
SMALL = 1024  # a run this short is merged with whatever comes: its cost is that of one numpy call


class Run:
    """Sorted distinct keys (p,) and their counts (p,); never changed once made."""

    def __init__(self, key: Ints, count: Floats, rows: int, columns: int) -> None:
        self.key, self.count, self.rows, self.columns = key, count, rows, columns

    def __len__(self) -> int:
        return len(self.key)

    @made_once
    def transposed(self) -> sparse.csr_array:
        """(columns, rows) float32 counts."""
        row, column = np.divmod(self.key, self.columns)
        return sparse.coo_array((self.count.astype(np.float32), (column, row)), shape=(self.columns, self.rows)).tocsr()

    def lookup(self, row: Ints) -> tuple[Ints, Ints, Floats]:
        """Index into `row`, column and count of each pair in the rows (B,)."""
        if len(row) == 1:
            column, count = loops.row_of(self.key, self.count, int(row[0]), self.columns)
            return np.zeros(len(column), np.int64), column, count
        low, high = np.searchsorted(self.key, row * self.columns), np.searchsorted(self.key, (row + 1) * self.columns)
        size = high - low
        which = np.repeat(np.arange(len(row)), size)
        at = np.arange(len(which)) + np.repeat(low - (np.cumsum(size) - size), size)
        return which, self.key[at] % self.columns, self.count[at]


class PairTable:
    """Counts of pairs (row < rows, column < columns), and the exact total of each row.

    Parameters
    ----------
    rows, columns : int
    cap : int
        Columns kept per row. A row that holds more than twice as many is cut to its `cap` largest when runs
        are merged; what is cut stays in `total`, so a reader can give its share to somebody else.
    """

    def __init__(self, rows: int, columns: int, cap: int) -> None:
        self.rows, self.columns, self.cap = rows, columns, cap
        self.total: Floats = np.zeros(rows)
        self._runs: list[Run] = []

    def add(self, row: Ints, column: Ints, weight: float = 1.0) -> None:
        """Add `weight` (negative: take away) to each pair (n,); pairs may repeat."""
        if not len(row):
            return
        np.add.at(self.total, row, weight)
        self._push(self._summed(row * self.columns + column, np.full(len(row), weight)))

    def _push(self, run: Run) -> None:
        runs = list(self._runs)  # the old list stays whole: who reads meanwhile sees all pairs or none of the new
        while runs and (len(runs[-1]) <= RATIO * len(run) or len(runs[-1]) <= SMALL):
            older = runs.pop()
            run = self._summed(np.concatenate([older.key, run.key]), np.concatenate([older.count, run.count]))
        self._runs = [*runs, run if runs else self._cut(run)]

    def _summed(self, key: Ints, count: Floats) -> Run:
        """Run of the distinct keys of (n,) and the sums of their counts."""
        if not len(key):
            return Run(key, count, self.rows, self.columns)
        order = np.argsort(key, kind="stable")
        key, count = key[order], count[order]
        first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        return Run(key[first], np.add.reduceat(count, first), self.rows, self.columns)

    def _cut(self, run: Run) -> Run:
        """Drop empty pairs, and the smallest ones of rows that hold too many."""
        keep = np.abs(run.count) > EMPTY
        key, count = run.key[keep], run.count[keep]
        row = key // self.columns
        size = np.bincount(row, minlength=self.rows)
        if (size > 2 * self.cap).any():
            order = np.lexsort((key, -count, row))  # in each row: largest first, ties by column
            rank = np.arange(len(key)) - np.repeat(np.cumsum(size) - size, size)
            chosen = np.sort(order[(rank < self.cap) | (size[row[order]] <= 2 * self.cap)])
            key, count = key[chosen], count[chosen]
        return Run(key, count, self.rows, self.columns)

    def lookup(self, row: Ints) -> tuple[Ints, Ints, Floats]:
        """Pairs of the given rows (B,): (index into `row` (p,), column (p,), count (p,)). Pairs may repeat."""
        found = [run.lookup(row) for run in self._runs]
        if len(found) == 1:
            return found[0]
        if not found:
            empty = np.zeros(0, np.int64)
            return empty, empty, np.zeros(0)
        which, column, count = (np.concatenate(part) for part in zip(*found, strict=True))
        return which, column, count

    def transposed(self) -> Iterator[sparse.csr_array]:
        """Matrices (columns, rows) whose sum is the table, float32; made once for each run."""
        return (run.transposed for run in self._runs)

    def merge(self, other: PairTable) -> None:
        """Add everything that `other` counted."""
        self.total += other.total
        for run in other._runs:
            self._push(run)

    def compact(self) -> Run:
        """All pairs as one run, capped."""
        key = np.concatenate([np.zeros(0, np.int64), *(run.key for run in self._runs)])
        count = np.concatenate([np.zeros(0), *(run.count for run in self._runs)])
        run = self._cut(self._summed(key, count))
        self._runs = [run] if len(run) else []
        return run

    def state(self) -> dict[str, NDArray]:
        """Arrays that hold the table: compressed rows, sorted columns."""
        run = self.compact()
        edges = np.searchsorted(run.key, np.arange(self.rows + 1) * self.columns)
        return {
            "edges": edges,
            "column": (run.key % self.columns).astype(np.int32),
            "count": run.count,
            "total": self.total,
        }

    def restore(self, arrays: dict[str, NDArray], where: str) -> None:
        """Take the arrays of `state`; they are checked, not trusted."""
        edges, column, count, total = (arrays[name] for name in ("edges", "column", "count", "total"))
        whole = (
            edges.shape == (self.rows + 1,)
            and total.shape == (self.rows,)
            and column.shape == count.shape == (int(edges[-1]),)
            and edges[0] == 0
            and bool((np.diff(edges) >= 0).all())
            and bool(((column >= 0) & (column < self.columns)).all())
        )
        if not whole:
            raise IntegrityError(
                f"a table of {self.rows} rows and {self.columns} columns",
                found=f"arrays of other shapes in {where}",
                do="Train again, or bring the folder back from DVC.",
            )
        self.total = np.array(total, np.float64)
        row = np.repeat(np.arange(self.rows), np.diff(edges))
        key = row * self.columns + column
        self._runs = [Run(key, np.array(count, np.float64), self.rows, self.columns)] if len(key) else []

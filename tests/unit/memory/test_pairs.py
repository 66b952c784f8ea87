"""The sparse table of pairs, against a plain dense one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.errors import IntegrityError
from components.memory.pairs import RATIO, SMALL, PairTable


def dense(table: PairTable) -> np.ndarray:
    out = np.zeros((table.rows, table.columns))
    which, column, count = table.lookup(np.arange(table.rows))
    np.add.at(out, (which, column), count)
    return out


@pytest.mark.parametrize("sizes", [[1] * 50, [5000, 1, 1, 3000, 20], [10, 20_000, 10]])
def test_any_sizes_of_updates_count_the_same(sizes: list[int]) -> None:
    rng = np.random.default_rng(1)
    table, want = PairTable(60, 70, 10_000), np.zeros((60, 70))
    for size in sizes:
        row, column = rng.integers(0, 60, size), rng.integers(0, 70, size)
        table.add(row, column)
        np.add.at(want, (row, column), 1)
    assert np.array_equal(dense(table), want)
    assert np.array_equal(table.total, want.sum(axis=1))
    assert np.allclose(sum(m.toarray() for m in table.transposed()), want.T)


def test_runs_stay_few_however_many_single_events_come() -> None:
    rng = np.random.default_rng(2)
    table = PairTable(5000, 5000, 100)
    table.add(rng.integers(0, 5000, 200_000), rng.integers(0, 5000, 200_000))
    moved = []
    for _ in range(3000):
        before = {id(run) for run in table._runs}
        table.add(rng.integers(0, 5000, 1), rng.integers(0, 5000, 1))
        moved.append(sum(len(run) for run in table._runs if id(run) not in before))
    assert len(table._runs) <= 4
    # amortised: a single event rewrites a short run, and seldom more
    assert np.mean(moved) < SMALL
    assert RATIO > 1


def test_a_row_that_is_full_keeps_its_largest_and_its_total() -> None:
    table = PairTable(3, 100, 2)
    column = np.repeat(np.arange(10), np.arange(10, 0, -1))  # column c is met 10 - c times
    table.add(np.ones(len(column), np.int64), column)
    found = dense(table)
    assert found[1, :3].tolist() == [10, 9, 0]
    assert table.total.tolist() == [0, 55, 0]


def test_taking_back_leaves_nothing() -> None:
    table = PairTable(4, 4, 10)
    table.add(np.array([1, 1, 2]), np.array([2, 2, 3]))
    table.add(np.array([1, 1, 2]), np.array([2, 2, 3]), -1.0)
    assert len(table.compact()) == 0
    assert table.total.tolist() == [0, 0, 0, 0]


def test_merge_adds() -> None:
    one, two = PairTable(4, 4, 10), PairTable(4, 4, 10)
    one.add(np.array([1, 2]), np.array([2, 3]))
    two.add(np.array([1, 3]), np.array([2, 0]))
    one.merge(two)
    want = np.zeros((4, 4))
    want[1, 2], want[2, 3], want[3, 0] = 2, 1, 1
    assert np.array_equal(dense(one), want)


def test_state_and_back() -> None:
    rng = np.random.default_rng(3)
    table, other = PairTable(30, 40, 1000), PairTable(30, 40, 1000)
    table.add(rng.integers(0, 30, 500), rng.integers(0, 40, 500))
    other.restore(table.state(), "here")
    assert np.array_equal(dense(other), dense(table))
    assert np.array_equal(other.total, table.total)


@pytest.mark.parametrize("name", ["edges", "column", "count", "total"])
def test_arrays_of_other_shapes_are_refused(name: str, tmp_path: Path) -> None:
    table = PairTable(5, 6, 10)
    table.add(np.array([1, 2]), np.array([2, 5]))
    arrays = table.state()
    arrays[name] = arrays[name][:-1]
    with pytest.raises(IntegrityError, match="5 rows and 6 columns"):
        PairTable(5, 6, 10).restore(arrays, str(tmp_path))


def test_a_column_beyond_the_vocabulary_is_refused() -> None:
    table = PairTable(5, 6, 10)
    table.add(np.array([1, 2]), np.array([2, 5]))
    with pytest.raises(IntegrityError):
        PairTable(5, 5, 10).restore(table.state(), "here")

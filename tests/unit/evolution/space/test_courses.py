"""Courses: chance is told as chance, what was planted is found, and long histories cost no more than a bound."""

from __future__ import annotations

import numpy as np
import pytest

from components.evolution.space import courses as module
from components.evolution.space.courses import MOST_MOVES, Courses, courses, trade


def compared(own: np.ndarray, seed: int) -> Courses:
    """Users who come back ten times to each of their own cells, at random."""
    rng = np.random.default_rng(seed)
    cell = rng.permuted(np.repeat(own, 10, axis=1), axis=1).ravel()
    user = np.repeat(np.arange(len(own)), own.shape[1] * 10)
    found = courses(user, cell, user, 48 + cell * 0.01, 2 + cell % 17 * 0.01, len(own), 39, seed)
    assert found is not None
    return found


def drawn(users: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """(users, 3) cells by how busy they are, without regard to anybody else."""
    busy = 1 / np.arange(1, cells + 1) ** 0.8
    return np.array([rng.choice(cells, 3, replace=False, p=busy / busy.sum()) for _ in range(users)])


def test_independent_users_are_no_finding() -> None:
    found = [compared(drawn(100, 150, np.random.default_rng(seed)), seed).p for seed in range(20)]
    assert np.mean(np.array(found) <= 0.05) <= 0.2
    assert 0.25 <= np.mean(found) <= 0.75


def test_shared_courses_are_a_finding() -> None:
    own = np.repeat(drawn(50, 150, np.random.default_rng(0)), 2, axis=0)  # two users take each
    found = compared(own, 0)
    assert found.likeness == 1
    assert found.p <= 0.05


def test_a_deal_keeps_how_many_have_a_cell_and_how_many_it_has() -> None:
    rng = np.random.default_rng(0)
    has = rng.random((30, 20)) < np.linspace(0.1, 1.0, 20)
    holder, held = np.nonzero(has)
    trade(held, np.searchsorted(holder, np.arange(31)), 150, rng)
    dealt = np.zeros_like(has)
    dealt[holder, held] = True
    assert (dealt.sum(axis=0) == has.sum(axis=0)).all()
    assert (dealt.sum(axis=1) == has.sum(axis=1)).all()
    assert (dealt != has).any()


def test_a_long_history_is_compared_by_its_newest_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two daily users of 4,000 visits, two in each place; only the newest moves are the same."""
    length: list[int] = []
    real = module.edit_distance

    def watched(a: np.ndarray, b: np.ndarray) -> float:
        length.extend([len(a), len(b)])
        return real(a, b)

    monkeypatch.setattr(module, "edit_distance", watched)
    cell = np.repeat(np.tile(np.arange(4), 500), 2)
    older = np.where(np.arange(4_000) < 2_000, (cell + 1) % 4, cell)
    user, both = np.repeat([0, 1], 4_000), np.concatenate([cell, older])
    found = courses(user, both, user, 48 + both * 0.01, np.full(8_000, 2.0), 2, 3, 0)
    assert found is not None
    assert max(length) == MOST_MOVES
    assert found.edits == 0
    assert found.apart_km == 0

"""Vectors of one shape: centred, in few directions, of length 1, and nothing where nothing is known."""

from __future__ import annotations

import numpy as np

from components.knowledge.shape import shaped

EVERY = np.ones(60, bool)


def cone(n: int = 60, m: int = 8) -> np.ndarray:
    """Vectors that all look one way, and differ in two directions alone."""
    rng = np.random.default_rng(1)
    values = np.full((n, m), 5.0)
    values[:, :2] += rng.normal(size=(n, 2)) * [2.0, 1.0]
    return values.astype(np.float32)


def test_rows_have_length_one_and_no_common_part() -> None:
    found = shaped(cone(), EVERY, EVERY, None)
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert (
        np.linalg.norm(found.mean(0)) < 0.3 < np.linalg.norm((cone() / np.linalg.norm(cone(), axis=1)[:, None]).mean(0))
    )


def test_few_directions_keep_what_differs() -> None:
    whole, two = shaped(cone(), EVERY, EVERY, None), shaped(cone(), EVERY, EVERY, 2)
    assert two.shape == (60, 2)
    assert np.allclose(whole @ whole.T, two @ two.T, atol=1e-4)  # nothing else was there


def test_what_is_not_known_is_nothing() -> None:
    known = EVERY.copy()
    known[3] = False
    assert not shaped(cone(), known, EVERY, 2)[3].any()
    assert not shaped(cone(), ~EVERY, EVERY, 2).any()


def test_statistics_are_those_of_training() -> None:
    trained = np.arange(60) < 40
    other = cone()
    other[40:] += 100.0
    assert np.array_equal(shaped(cone(), EVERY, trained, 2)[:40], shaped(other, EVERY, trained, 2)[:40])
    assert not np.allclose(shaped(cone(), EVERY, EVERY, 2)[:40], shaped(other, EVERY, EVERY, 2)[:40], atol=0.1)

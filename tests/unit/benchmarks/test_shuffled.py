"""The twin of a log: the same events of the same users at the same times, in an order that says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.shuffled import CLOCK, shuffled
from components.features.store import WINDOWS, Store
from tests.toy import toy_store


@pytest.fixture
def store() -> Store:
    """Every event has numbers and gaps in them of its own, so that one can see where it went."""
    one = toy_store(pattern="markov")
    place = np.arange(one.n_events)
    numbers = np.stack([place + 10_000 * f for f in range(one.numbers.shape[1])], axis=1).astype(np.float32)
    return replace(one, numbers=numbers, missing=(place % 16).astype(np.uint16))


def train(store: Store) -> np.ndarray:
    return np.flatnonzero(np.asarray(store["window"]) == WINDOWS["train"])


def test_the_clock_and_everything_outside_training_stand_still(store: Store) -> None:
    twin = shuffled(store, 0)
    for name in CLOCK & set(store.columns):
        assert np.array_equal(twin[name], store[name]), name
    outside = np.setdiff1d(np.arange(store.n_events), train(store))
    for name in store.columns:
        assert np.array_equal(twin[name][outside], store[name][outside], equal_nan=name in {"distance_km"}), name
    assert np.array_equal(twin.numbers[outside], store.numbers[outside])
    assert np.array_equal(twin.missing[outside], store.missing[outside])
    assert twin.encoding is store.encoding


def test_a_user_keeps_their_events_whole_and_nothing_else(store: Store) -> None:
    twin, rows = shuffled(store, 0), train(store)
    moved = (twin.numbers[rows, 1] - 10_000).astype(np.int64)  # where the event of each row stood
    assert sorted(moved) == list(rows)
    assert np.array_equal(store.user[moved], store.user[rows])
    for name in set(store.columns) - CLOCK:
        assert np.array_equal(twin[name][rows], store[name][moved], equal_nan=name == "distance_km"), name
    assert np.array_equal(twin.numbers[rows, 1:], store.numbers[moved, 1:])
    assert np.array_equal(twin.missing[rows] >> 1, store.missing[moved] >> 1)


def test_numbers_of_the_clock_stay_with_the_clock(store: Store) -> None:
    twin = shuffled(store, 0)
    assert next(iter(store.encoding.scales)) == "gap_s"
    assert np.array_equal(twin.numbers[:, 0], store.numbers[:, 0])
    assert np.array_equal(twin.missing & 1, store.missing & 1)


def test_the_order_says_nothing_any_more(store: Store) -> None:
    def follows(one: Store) -> float:
        item, rows = np.asarray(one["item"]), train(one)
        pairs = rows[1:][(np.diff(rows) == 1) & (np.diff(one.user[rows]) == 0)]
        return float(np.mean((item[pairs] - item[pairs - 1]) % 20 == 1))

    assert follows(store) > 0.85
    assert follows(shuffled(store, 0)) < 0.2
    assert not np.array_equal(shuffled(store, 0)["item"], shuffled(store, 1)["item"])

"""What one user did at one time is one basket: where it begins, and what of it was asked for."""

from __future__ import annotations

import numpy as np

from components.features.baskets import basket_begin, baskets_of
from tests.baskets import basket_store, with_columns
from tests.toy import toy_store


def test_a_basket_ends_with_the_time_and_with_the_user() -> None:
    store = basket_store()
    np.testing.assert_array_equal(basket_begin(store), np.arange(store.n_events) // 3 * 3)
    at_once = with_columns(store, time_s=np.zeros(store.n_events, np.int64))
    np.testing.assert_array_equal(basket_begin(at_once), store.offsets[store.user])


def test_members_are_distinct_items_of_the_rows_that_are_asked_for() -> None:
    store = basket_store()
    item = np.asarray(store["item"]).copy()
    item[:6] = [7, 8, 7, 9, 9, 9]
    found = baskets_of(with_columns(store, item=item), np.array([1, 2, 4, 5]))
    np.testing.assert_array_equal(found.begin, [0, 3])
    np.testing.assert_array_equal(found.first, [1, 4])
    np.testing.assert_array_equal(found.member, [1, 2, 4])
    np.testing.assert_array_equal(found.offsets, [0, 2, 3])


def test_events_of_unlike_times_are_baskets_of_one() -> None:
    store = toy_store(n_users=4, events_per_user=10)
    rows = np.arange(store.n_events)
    found = baskets_of(store, rows)
    assert (np.diff(store["time_s"][found.first]) >= 0).all()
    np.testing.assert_array_equal(np.sort(found.begin), rows)
    np.testing.assert_array_equal(found.offsets, np.arange(store.n_events + 1))


def test_an_empty_log_has_none() -> None:
    none = baskets_of(toy_store(n_users=2, events_per_user=4), np.empty(0, np.int64))
    assert len(none.begin) == len(none.member) == 0
    np.testing.assert_array_equal(none.offsets, [0])

"""What is visible when a question is asked, under every protocol, on logs small enough to write down."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from components.evaluation.protocol import Protocol, make_queries, sample_users, shuffle_ties, tie_share
from components.features.store import WINDOWS, Store
from components.predictor import Window
from tests.toy import toy_store

HIDDEN = Protocol("temporal", "hidden", "online", "kept", "miss", "source")
GIVEN = dataclasses.replace(HIDDEN, target_time="given")


def tied_store() -> Store:
    """Three events of every user share a time, in the test window and elsewhere."""
    store = toy_store(n_users=6, events_per_user=30, pattern="random")
    time_s = store["time_s"].reshape(6, 10, 3)
    time_s[:] = time_s[:, :, :1].copy()
    edges = np.quantile(time_s, [0.6, 0.75, 0.9])
    store.columns["window"][:] = np.searchsorted(edges, store["time_s"], side="right")
    return store


def test_questions_come_in_time_order_and_see_only_what_was_before() -> None:
    store = toy_store()
    for protocol in (HIDDEN, GIVEN):
        queries, targets = make_queries(Window(store, "test"), protocol)
        assert (np.diff(targets.time_s) >= 0).all()
        np.testing.assert_array_equal(queries.stop, targets.row)
        np.testing.assert_array_equal(queries.start, store.offsets[store.user[targets.row]])
        assert np.isnan(queries.latitude).all()


def test_hidden_time_is_that_of_the_last_visible_event() -> None:
    store = toy_store()
    queries, targets = make_queries(Window(store, "test"), HIDDEN)
    np.testing.assert_array_equal(queries.time_s, store["time_s"][targets.row - 1])
    np.testing.assert_array_equal(targets.gap_s, store["time_s"][targets.row] - queries.time_s)
    given, _ = make_queries(Window(store, "test"), GIVEN)
    np.testing.assert_array_equal(given.time_s, targets.time_s)


def test_with_hidden_time_the_questions_hold_nothing_of_the_answers() -> None:
    store = toy_store()
    queries, targets = make_queries(Window(store, "test"), HIDDEN)
    changed = dataclasses.replace(store, columns={name: column.copy() for name, column in store.columns.items()})
    last = targets.row[targets.row == store.offsets[1:][store.user[targets.row]] - 1]  # nobody's history
    assert len(last)
    for name in ("item", "action", "latitude", "longitude", "local_hour", "utc_offset_min", "cell_8"):
        column = changed.columns[name]
        column[last] = column[last] + 1
    changed.columns["time_s"][last] += 1
    altered, _ = make_queries(Window(changed, "test"), HIDDEN)
    user_by_row = {int(row): i for i, row in enumerate(altered.stop)}
    same = np.array([user_by_row[int(row)] for row in queries.stop])
    for name in ("user", "start", "stop", "time_s", "utc_offset_min"):
        np.testing.assert_array_equal(getattr(queries, name), getattr(altered, name)[same])


def test_a_user_without_history_is_asked_at_the_start_of_the_window() -> None:
    store = toy_store(n_users=3, events_per_user=4)
    store.columns["window"][:] = WINDOWS["train"]
    store.columns["window"][0:4] = WINDOWS["test"]
    queries, targets = make_queries(Window(store, "test"), HIDDEN)
    assert queries.time_s[0] == store["time_s"][0]
    assert targets.gap_s[0] == -1
    assert queries.start[0] == queries.stop[0]


def test_train_only_shows_training_and_the_own_session() -> None:
    store = toy_store(n_users=8, events_per_user=60)
    store.columns["session"][:] = np.concatenate([np.arange(60) // 4] * 8)
    protocol = dataclasses.replace(HIDDEN, history="train_only")
    queries, targets = make_queries(Window(store, "test"), protocol)
    assert len(targets)
    for one in range(len(targets)):
        row = int(targets.row[one])
        user = store.user[row]
        own = np.arange(store.offsets[user], row)
        inside = (store["window"][own] == WINDOWS["train"]) | (store["session"][own] == store["session"][row])
        expected = own[inside]
        part = slice(queries.start[one], queries.stop[one])
        for name in ("item", "time_s", "action", "cell_8"):
            np.testing.assert_array_equal(queries.store[name][part], store[name][expected])
        assert queries.store.users[queries.user[one]] == store.users[user]
    gap = queries.store["gap_s"]
    joined = (gap[1:] >= 0) & (np.diff(queries.store.user) == 0)
    np.testing.assert_array_equal(gap[1:][joined], np.diff(queries.store["time_s"])[joined])


def test_a_basket_is_one_question_whose_history_ends_before_it() -> None:
    store = tied_store()
    protocol = dataclasses.replace(HIDDEN, ties="basket")
    queries, targets = make_queries(Window(store, "test"), protocol)
    single, _ = make_queries(Window(store, "test"), HIDDEN)
    assert len(queries) * 3 == len(single)
    for one in range(len(targets)):
        row = int(targets.row[one])
        basket = store["item"][row : row + 3]
        found = targets.item[targets.offsets[one] : targets.offsets[one + 1]]
        assert sorted(found.tolist()) == sorted(set(basket.tolist()))
        assert queries.stop[one] == row
        assert (store["time_s"][queries.start[one] : queries.stop[one]] < targets.time_s[one]).all()


def test_the_share_of_ties_is_reported() -> None:
    assert tie_share(toy_store()) == 0
    assert tie_share(tied_store()) == pytest.approx(2 / 3)


def test_shuffling_moves_tied_events_only_and_depends_on_the_seed_alone() -> None:
    events = pl.DataFrame(
        {
            "user_id": ["a"] * 6 + ["b"] * 3,
            "timestamp": [1, 1, 1, 1, 2, 3, 1, 2, 2],
            "item_id": list("qrstuvwxy"),
            "source_seq": list(range(9)),
        }
    )
    one = shuffle_ties(events, 5)
    again = shuffle_ties(events.sample(fraction=1.0, shuffle=True, seed=1), 5)
    assert one.equals(again)
    assert one.sort("user_id", "timestamp")["timestamp"].to_list() == events["timestamp"].to_list()
    orders = {
        tuple(shuffle_ties(events, seed).filter(user_id="a").sort("timestamp", "source_seq")["item_id"])
        for seed in range(40)
    }
    assert len(orders) > 10
    assert {order[4:] for order in orders} == {("u", "v")}


def test_a_sample_takes_whole_users_and_not_too_many() -> None:
    store = toy_store(n_users=50)
    rows = Window(store, "test").targets
    sample = sample_users(store, rows, 60, seed=3)
    assert 40 <= len(sample) <= 60
    chosen = np.unique(store.user[sample])
    np.testing.assert_array_equal(sample, rows[np.isin(store.user[rows], chosen)])
    assert not np.array_equal(sample, sample_users(store, rows, 60, seed=4))
    assert len(sample_users(store, rows[store.user[rows] == 0], 1, seed=3)) == 1


def test_one_busy_user_does_not_end_the_sample() -> None:
    store = toy_store(n_users=50)
    rows = Window(store, "test").targets
    busy = int(store.user[rows][0])
    many = np.concatenate([np.repeat(rows[store.user[rows] == busy], 100), rows[store.user[rows] != busy]])
    for seed in range(20):
        sample = sample_users(store, many, 60, seed=seed)
        assert 50 <= len(sample) <= 60
        assert busy not in store.user[sample]

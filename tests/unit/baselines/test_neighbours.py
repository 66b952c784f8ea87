"""Neighbours of sessions, users and items against the same sums, written as loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from components.baselines.base import Rules
from components.baselines.item_knn import ItemKnn
from components.baselines.items import ItemBaseline, give_repeats, repeat_share
from components.baselines.session_knn import SessionKnn
from components.baselines.user_knn import UserKnn
from components.features.store import Store
from components.memory.ask import Ask
from components.predictor import NoTracker, Queries, Window
from tests.networks import HIDDEN, make_queries
from tests.toy import toy_store

RULES = Rules(7, False)
SHARED: Mapping[str, Any] = {"max_history": 30, "prior": 0.1, "repeats": "free"}
USER = {**SHARED, "neighbours": 4, "shrinkage": 2.0, "decay": 0.9}
ITEM = {**SHARED, "neighbours": 5, "shrinkage": 1.0, "decay": 0.8, "max_items": 100}
SESSION = {**SHARED, "unit": "session", "neighbours": 6, "sample": 1000, "decay": 0.7, "half_life_days": 5}
ALL: list[tuple[type[ItemBaseline[Any]], dict[str, Any]]] = [(UserKnn, USER), (ItemKnn, ITEM), (SessionKnn, SESSION)]


def log() -> Store:
    """Twelve users, 18 events each, over fifteen items; sessions of a day and a half."""
    store = toy_store(n_users=12, n_items=15, events_per_user=18, pattern="habit", seed=3)
    gap_s = np.asarray(store["gap_s"])
    starts = np.asarray(store.offsets)[:-1]
    session = np.cumsum(gap_s > 130_000)
    store.columns["session"][:] = session - np.repeat(session[starts], 18)  # type: ignore[index]
    return store


def fitted(kind: type[ItemBaseline[Any]], store: Store, options: Mapping[str, Any]) -> ItemBaseline[Any]:
    made = kind("x", options, RULES)
    made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return made


def asked(store: Store) -> Queries:
    return make_queries(Window(store, "tune"), HIDDEN)[0]


def history(store: Store, queries: Queries, b: int) -> list[int]:
    """Rows of a query's visible events, oldest first."""
    return list(range(int(queries.start[b]), int(queries.stop[b])))[-30:]


def learned(store: Store, user: int) -> list[int]:
    rows = range(int(store.offsets[user]), int(store.offsets[user + 1]))
    return [row for row in rows if store["window"][row] == 0]


def query_weights(store: Store, queries: Queries, b: int, decay: float) -> np.ndarray:
    weight = np.zeros(store.encoding.n_items)
    for step, row in enumerate(reversed(history(store, queries, b))):
        weight[store["item"][row]] += decay**step
    return weight


def test_users() -> None:
    store = log()
    queries = asked(store)
    found = fitted(UserKnn, store, USER).weigh(Ask(queries, 30))
    count = np.zeros((12, store.encoding.n_items))
    for user in range(12):
        for row in learned(store, user):
            count[user, store["item"][row]] += 1
    for b in range(len(queries)):
        own = query_weights(store, queries, b, 0.9)
        near = {}
        for user in range(12):
            norm = np.linalg.norm(own) * np.linalg.norm(count[user])
            if user != queries.user[b] and own @ count[user] > 0:
                near[user] = own @ count[user] / (norm + 2.0)
        best = sorted(near, key=lambda user: (-near[user], user))[:4]
        wanted = sum((near[u] * count[u] / np.linalg.norm(count[u]) for u in best), np.zeros(len(own)))
        assert found[b] == pytest.approx(wanted, abs=1e-5)


def test_items() -> None:
    store = log()
    queries = asked(store)
    found = fitted(ItemKnn, store, ITEM).weigh(Ask(queries, 30))
    met = [{int(store["item"][row]) for row in learned(store, user)} for user in range(12)]
    n = store.encoding.n_items
    near = np.zeros((n, n))
    for v in range(2, n):
        for w in range(2, n):
            both = sum(v in one and w in one for one in met)
            users = sum(v in one for one in met) * sum(w in one for one in met)
            near[v, w] = both / (np.sqrt(users) + 1.0) if v != w else 0.0
        order = sorted(range(n), key=lambda w: (-near[v, w], w))
        near[v, order[5:]] = 0.0
    for b in range(len(queries)):
        assert found[b] == pytest.approx(query_weights(store, queries, b, 0.8) @ near, abs=1e-5)


@pytest.mark.parametrize("sample", [1000, 3])
def test_sessions(sample: int) -> None:
    store = log()
    queries = asked(store)
    found = fitted(SessionKnn, store, {**SESSION, "sample": sample}).weigh(Ask(queries, 30))
    sessions = []  # (user, items, end), in the order of users and time
    for user in range(12):
        rows = learned(store, user)
        for number in sorted({int(store["session"][row]) for row in rows}):
            mine = [row for row in rows if store["session"][row] == number]
            sessions.append((user, {int(store["item"][r]) for r in mine}, max(int(store["time_s"][r]) for r in mine)))
    newest = {user: place for place, (user, _, _) in enumerate(sessions)}
    n = store.encoding.n_items
    holds = [[s for s, (_, items, _) in enumerate(sessions) if v in items] for v in range(n)]
    index = [sorted(one, key=lambda s: (-sessions[s][2], s))[:sample] for one in holds]
    for b in range(len(queries)):
        rows = history(store, queries, b)
        current = store["session"][rows[-1]]
        near: dict[int, float] = {}
        for step, row in enumerate(reversed(rows)):
            item = int(store["item"][row])
            if store["session"][row] != current:
                continue
            for s in index[item]:
                idf = np.log1p(len(sessions) / len(holds[item]))
                near[s] = near.get(s, 0.0) + 0.7**step * idf / np.sqrt(len(sessions[s][1]))
        near.pop(newest[int(queries.user[b])], None)
        age_d = {s: max(int(queries.time_s[b]) - sessions[s][2], 0) / 86_400 for s in near}
        near = {s: x * 2 ** (-age_d[s] / 5) for s, x in near.items()}
        wanted = np.zeros(n)
        for s in sorted(near, key=lambda s: (-near[s], s))[:6]:
            for item in sessions[s][1]:
                wanted[item] += near[s]
        assert found[b] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("kind", "options"), [*ALL, (SessionKnn, {**SESSION, "unit": "user"})])
def test_learning_in_parts_is_learning_at_once(kind: type[ItemBaseline[Any]], options: dict[str, Any]) -> None:
    store = log()
    code = np.asarray(store["window"])
    whole = store.columns | {"window": np.where(code == 1, 0, code).astype(np.int8)}
    parts = fitted(kind, store, options)
    for rows in np.array_split(Window(store, "tune").events, 3):
        parts.update(store, rows)
    at_once = fitted(
        kind, Store(store.users, store.offsets, whole, store.numbers, store.missing, store.encoding), options
    )
    queries = make_queries(Window(store, "blend"), HIDDEN)[0]
    np.testing.assert_allclose(parts.score(queries).item, at_once.score(queries).item, atol=1e-5)


def test_an_item_pair_is_bounded_for_a_user_who_meets_everything() -> None:
    store = log()
    found = fitted(ItemKnn, store, {**ITEM, "max_items": 2})
    assert isinstance(found, ItemKnn)
    assert np.diff(found.met.indptr).max() == 2


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_answers_are_distributions_and_a_stranger_gets_popularity(
    kind: type[ItemBaseline[Any]], options: dict[str, Any]
) -> None:
    store = log()
    made = fitted(kind, store, {**options, "repeats": "learned"})
    queries = asked(store)[slice(0, 5)]
    stranger = Queries(
        store,
        queries.user,
        queries.start,
        queries.start,
        *(getattr(queries, n) for n in ("time_s", "utc_offset_min", "latitude", "longitude", "time_given")),
    )
    for asking in (queries, stranger):
        share = np.exp(made.score(asking).item.astype(np.float64))
        assert share.sum(axis=1) == pytest.approx(1.0, abs=1e-4)
        assert (share[:, :2] == 0).all()
    assert share[0] == pytest.approx(made.popularity, rel=1e-4)


def test_items_of_the_history_share_what_repeats_have_in_training() -> None:
    store = log()
    ask = Ask(asked(store), 30)
    share = np.full((ask.size, store.encoding.n_items), 1 / 17, np.float32)
    give_repeats(share, ask, 0.75)
    for b in range(ask.size):
        own = np.unique(ask.item_code[ask.item_query == b])
        assert share[b, own].sum() == pytest.approx(0.75, abs=1e-5)
        assert share[b].sum() == pytest.approx(1.0, abs=1e-5)


def test_repeat_share_counts_events_whose_item_was_met() -> None:
    store = log()
    again = total = 0
    for user in range(12):
        seen: set[int] = set()
        for place, row in enumerate(learned(store, user)):
            item = int(store["item"][row])
            total += place > 0
            again += item in seen
            seen.add(item)
    assert repeat_share(Window(store, "train")) == pytest.approx((again + 1) / (total + 2))

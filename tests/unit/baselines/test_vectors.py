"""Vectors of items: shifted PMI and content, against the same formulas written as loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from components.baselines.base import Rules
from components.baselines.content import Content, tf_idf
from components.baselines.item2vec import Item2Vec, factored, neighbour_pairs, shifted_ppmi
from components.features.store import Store
from components.predictor import NoTracker, Window
from tests.networks import HIDDEN, make_queries
from tests.toy import toy_store

RULES = Rules(7, False)
SHARED: dict[str, Any] = {"max_history": 30, "prior": 0.1, "repeats": "free", "decay": 0.8, "temperature": 0.2}


def test_pairs_are_counted_within_users_and_the_window() -> None:
    store = toy_store(n_users=4, n_items=8, events_per_user=12)
    found = neighbour_pairs(Window(store, "train"), 3).toarray()
    wanted = np.zeros_like(found)
    for user in range(4):
        rows = range(store.offsets[user], store.offsets[user + 1])
        items = [int(store["item"][row]) for row in rows if store["window"][row] == 0]
        for i, one in enumerate(items):
            for j, other in enumerate(items):
                if 0 < abs(i - j) <= 3 and one != other:
                    wanted[one, other] += 1 / abs(i - j)
    assert found == pytest.approx(wanted)


def test_shifted_ppmi() -> None:
    count = np.array([[0, 4, 1], [4, 0, 2], [1, 2, 0]], np.float64)
    found = shifted_ppmi(csr_array(count), 1.2).toarray()
    total = count.sum()
    context = (count.sum(axis=0) ** 0.75) / (count.sum(axis=0) ** 0.75).sum()
    for v in range(3):
        for w in range(3):
            joint = count[v, w] / total
            pmi = np.log(joint / (count[v].sum() / total * context[w]) / 1.2) if joint else -1.0
            assert found[v, w] == pytest.approx(max(pmi, 0.0))


def test_all_factors_give_the_matrix_back() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(6, 3))
    matrix = half @ half.T  # positive, of rank 3: U √Σ squared is the matrix
    vectors = factored(csr_array(matrix), 4)
    assert vectors @ vectors.T == pytest.approx(matrix, abs=1e-6)


def test_item2vec_finds_what_follows_what() -> None:
    store = toy_store(n_users=40, n_items=20, events_per_user=40)
    made = Item2Vec("x", {**SHARED, "popularity": 0.0, "width": 8, "window": 2, "negatives": 1}, RULES)
    made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    close = made.vectors[2:] @ made.vectors[2:].T
    following = close[np.arange(20), (np.arange(20) + 1) % 20].mean()
    assert following > close[np.arange(20), (np.arange(20) + 10) % 20].mean() + 0.3


def described(store: Store) -> Store:
    catalogue = store.encoding.catalogue
    n = len(catalogue.title)
    title = np.array(["", "", *(f"red{i % 3} lamp" for i in range(n - 2))], dtype=object)
    tags = np.array(["", "", *("new\ncheap" if i % 2 else "new" for i in range(n - 2))], dtype=object)
    encoding = replace(store.encoding, catalogue=replace(catalogue, title=title, tags=tags))
    return replace(store, encoding=encoding)


CONTENT = {**SHARED, "popularity": 0.0, "category": 2.0, "tags": 1.0, "words": 1.0, "hash_bits": 18}


def test_content_is_the_weighted_mean_of_its_parts() -> None:
    store = described(toy_store(n_users=4, n_items=12, events_per_user=10))
    made = Content("x", CONTENT, RULES)
    made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    close = (made.items @ made.items.T).toarray()
    same_category = close[2, 6]  # the toy's categories come round after four, titles after three, tags after two
    idf_lamp, idf_red = np.log(15 / 13), np.log(15 / 5)
    word = idf_lamp**2 / (idf_lamp**2 + idf_red**2)
    assert same_category == pytest.approx((2 * 1 + 1 * 1 + 1 * word) / 4)
    assert close[2, 14 - 6] == pytest.approx((2 * 0 + 1 * 1 + 1 * 1) / 4)  # two apart: tags; six apart: words too


def test_an_item_that_nobody_met_ranks_by_its_content() -> None:
    store = described(toy_store(n_users=10, n_items=12, events_per_user=20, pattern="habit"))
    item = np.asarray(store["item"]).copy()
    item[item == 13] = 2
    item[:] = np.where(item % 4 == 13 % 4, 5, 2)  # only items 5 and 2 are ever met; 13 is of 5's category
    store = replace(store, columns={**store.columns, "item": item})
    made = Content("x", {**CONTENT, "repeats": "learned"}, RULES)
    made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    assert made.count[13] == 0
    queries, _ = make_queries(Window(store, "tune"), HIDDEN)
    last = np.array([int(store["item"][stop - 1]) for stop in queries.stop])
    scores = made.score(queries).item[last == 5]
    assert (scores[:, 13] > scores[:, 12]).all()


def test_tf_idf_of_a_term_that_all_have_is_nothing() -> None:
    found = tf_idf(csr_array(np.array([[1.0, 1.0], [2.0, 0.0]]))).toarray()
    assert found[1].tolist() == [0.0, 0.0]
    assert found[0, 1] == pytest.approx(1.0)

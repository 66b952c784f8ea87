"""Actions and times from features: the arrays answer as scikit-learn does, and learn a rule that is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from components.baselines.asked import queries_at, table_of, width_of
from components.baselines.base import Rules
from components.baselines.classifiers import fit_boosted, fit_forest, fit_svm
from components.baselines.query_models import Boosted, Forest, QueryBaseline, Svm, components_of
from components.errors import ConfigError
from components.features.store import Store
from components.memory.ask import Ask
from components.predictor import NoTracker, Window
from tests.networks import HIDDEN, make_queries
from tests.toy import toy_store

SHARED = {"max_history": 20, "max_rows": 1000, "gap_edges_h": [1, 24], "floor": 0.01}
TREES = {"rounds": 8, "leaves": 6, "learning_rate": 0.2, "min_leaf": 5, "l2": 0.5}
FOREST = {"trees": 7, "depth": 6, "min_leaf": 3}
ALL: list[tuple[type[QueryBaseline[Any]], dict[str, Any]]] = [
    (Boosted, {**SHARED, **TREES}),
    (Forest, {**SHARED, **FOREST}),
    (Svm, {**SHARED, "cost": 1.0}),
]


def sample(classes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose class depends on two columns; class 1 never occurs unless named."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(400, 5)).astype(np.float32)
    return rows, np.array(classes)[np.digitize(rows[:, 0] + 0.5 * rows[:, 3], np.linspace(-1, 1, len(classes) - 1))]


@pytest.mark.parametrize("classes", [[0, 2, 3], [0, 2]])
def test_boosted_trees_equal_scikit_learns(classes: list[int]) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, label = sample(classes)
    theirs = HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=6, learning_rate=0.2, min_samples_leaf=5, l2_regularization=0.5, early_stopping=False
    ).fit(rows, label)
    fresh, _ = sample(classes, seed=1)
    found = fit_boosted(rows, label, 4, TREES, 0).predict(fresh)
    np.testing.assert_allclose(found[:, theirs.classes_], theirs.predict_proba(fresh), atol=1e-9)
    assert found[:, 1].max() < 1e-9


@pytest.mark.parametrize("classes", [[0, 2, 3], [0, 2]])
def test_a_forest_equals_scikit_learns(classes: list[int]) -> None:
    from sklearn.ensemble import RandomForestClassifier

    rows, label = sample(classes)
    theirs = RandomForestClassifier(7, max_depth=6, min_samples_leaf=3, random_state=5).fit(rows, label)
    fresh, _ = sample(classes, seed=1)
    found = fit_forest(rows, label, 4, FOREST, 5).predict(fresh)
    np.testing.assert_allclose(found[:, theirs.classes_], theirs.predict_proba(fresh), atol=1e-9)


@pytest.mark.parametrize("classes", [[0, 2, 3], [0, 2]])
def test_an_svm_equals_scikit_learns(classes: list[int]) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    rows, label = sample(classes)
    held, fresh = sample(classes, seed=2), sample(classes, seed=1)[0]
    mean, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    machine = LinearSVC(C=1.0, dual=False, random_state=0).fit((rows - mean) / spread, label)

    def margin(x: np.ndarray) -> np.ndarray:
        return machine.decision_function((x - mean) / spread).reshape(len(x), -1)

    theirs = LogisticRegression(max_iter=500).fit(margin(held[0]), held[1])
    found = fit_svm(rows, label, 4, {"cost": 1.0}, 0, held).predict(fresh)
    np.testing.assert_allclose(found[:, theirs.classes_], theirs.predict_proba(margin(fresh)), atol=1e-6)


def alternating() -> Store:
    """Users whose action changes with every event; after a `like` (code 3) a long pause follows, else a short one."""
    store = toy_store(n_users=20, events_per_user=30, days=40)
    step = np.arange(store.n_events) % 30
    action = (2 + step % 2).astype(np.int8)
    gap_s = np.where(step == 0, -1, np.where(step % 2 == 0, 200_000, 600))
    time_s = np.asarray(store["time_s"])[np.asarray(store.offsets)[:-1]].min() + np.cumsum(
        np.maximum(gap_s, 0).reshape(20, 30), axis=1
    )
    window = np.repeat(np.searchsorted([18, 22, 26], np.arange(30), side="right")[None], 20, axis=0)
    changed = {
        "action": action,
        "gap_s": gap_s.astype(np.int64),
        "time_s": time_s.ravel().astype(np.int64),
        "window": window.ravel().astype(np.int8),
    }
    return replace(store, columns={**store.columns, **changed})


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_a_rule_of_actions_and_pauses_is_learned(kind: type[QueryBaseline[Any]], options: dict[str, Any]) -> None:
    store = alternating()
    made = kind("x", options, Rules(7, False))
    made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    queries, targets = make_queries(Window(store, "test"), HIDDEN)
    found = made.score(queries)
    assert made.capabilities == {"item", "action", "time"}
    assert found.action is not None
    assert found.time is not None
    assert found.action.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (found.action.argmax(axis=1) == targets.action).mean() > 0.95
    soon = found.time.cdf(np.full(len(queries), 86_400.0)) > 0.5
    assert (soon == (targets.gap_s < 86_400)).mean() > 0.95
    share = np.exp(found.item[0].astype(np.float64))
    assert share == pytest.approx(made.popularity, rel=1e-4)


def test_one_action_and_no_clock_leave_items_alone() -> None:
    store = toy_store(n_users=5, events_per_user=12)
    encoding = replace(store.encoding, settings={**store.encoding.settings, "time_kind": "ordinal"})
    store = replace(store, encoding=encoding, columns={**store.columns, "action": np.full(store.n_events, 2, np.int8)})
    made = Svm("x", {**SHARED, "cost": 1.0}, Rules(7, True))
    made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    assert made.capabilities == {"item"}


@pytest.mark.parametrize("given", [True, False])
def test_features_know_nothing_of_the_answer(given: bool) -> None:
    store = toy_store(n_users=6, events_per_user=15)
    rows = np.arange(5, store.n_events, 7)
    queries = queries_at(store, rows, given)
    table = table_of(Ask(queries, 20), 5, given)
    assert table.shape == (len(rows), width_of(5))
    place = int(rows[len(rows) // 2])  # no first event: its time is the request's own
    answer = {name: column.copy() for name, column in store.columns.items()}
    for name in ("item", "action", "session", "gap_s"):
        answer[name][place] += 1
    answer["time_s"][place] += 0 if given else 3600
    other = replace(store, columns=answer)
    again = table_of(Ask(queries_at(other, np.array([place]), given), 20), 5, given)
    np.testing.assert_array_equal(again[0], table[len(rows) // 2])


def test_features_of_a_short_history_by_hand() -> None:
    store = alternating()
    table = table_of(Ask(queries_at(store, np.array([2]), False), 20), 4, False)[0]
    assert table[:8].tolist() == [0, 0, 0, 1, 0, 0, 1, 0]  # last a like, before it a view
    assert table[8:12].tolist() == [0, 0, 0, 0]
    assert table[12:16] == pytest.approx([0, 0, np.log(2), np.log(2)])
    assert table[20:26] == pytest.approx([np.log1p(600), 1, 0, 0, 0, 0])


def test_components_of_pauses() -> None:
    mean, sigma = components_of(np.array([9, 99, -1, 5000]), np.array([100.0, 1000.0]))
    assert mean[[0, 2]] == pytest.approx([np.log(10) / 2 + np.log(100) / 2, np.log(5001)])
    assert sigma[0] == pytest.approx(np.log(10) / 2)
    assert np.log(101) < mean[1] < np.log(1001)
    assert sigma[2] == 0.05


def test_edges_must_rise() -> None:
    store = toy_store(n_users=3, events_per_user=8)
    made = Svm("x", {**SHARED, "gap_edges_h": [24, 1], "cost": 1.0}, Rules(7, False))
    with pytest.raises(ConfigError, match="rising"):
        made.fit(Window(store, "train"), Window(store, "tune"), NoTracker())

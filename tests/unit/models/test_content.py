"""Items by what is known of them: the projection, ids that training hides, and items that training lacked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from components.errors import ConfigError, IntegrityError
from components.features.store import Store
from components.models.config import SequenceConfig, config_of
from components.models.embedding import ItemTable
from components.predictor import Window
from components.training.network import NetworkPredictor
from components.training.tune import Judge
from tests.networks import HIDDEN, fitted, network_params, predictor, queries_of
from tests.toy import toy_store

COLD = 4
SOURCES = {"sources": ["one", "two"], "drop": 0.5}


def cold_store() -> Store:
    """A toy log whose last four items training lacked (its events of them are gone), with two sources of vectors."""
    store = toy_store(n_items=20)
    rng = np.random.default_rng(3)
    item = np.asarray(store["item"]).copy()
    training = np.asarray(store["window"]) == 0
    item[training & (item >= 22 - COLD)] = 2
    one, two = (rng.normal(size=(22, width)).astype(np.float32) for width in (5, 3))
    vectors = {name: x / np.linalg.norm(x, axis=1, keepdims=True) for name, x in (("one", one), ("two", two))}
    vectors["two"][5] = 0.0
    encoding = replace(store.encoding, cold=COLD)
    return replace(store, columns={**store.columns, "item": item}, encoding=encoding, vectors=vectors)


def config(store: Store, **changes: Any) -> SequenceConfig:
    widths = {name: one.shape[1] for name, one in store.vectors.items()}
    return config_of(network_params(**changes), store.encoding, widths)


def table_of(store: Store, **changes: Any) -> ItemTable:
    table = ItemTable(config(store, **changes))
    if table.content is not None:
        table.content.vectors.copy_(torch.from_numpy(np.concatenate([*store.vectors.values()], axis=1)))
        torch.nn.init.normal_(table.content.absent)
    return table


def test_an_item_is_its_id_and_its_vectors_and_a_cold_one_its_vectors_alone() -> None:
    store = cold_store()
    table = table_of(store, vectors=SOURCES, inputs=["item"]).eval()
    told = table.content(table.content.vectors)
    every = table(torch.arange(22))
    assert torch.allclose(every[2:18], table.item.weight[2:18] + told[2:18], atol=1e-6)
    assert torch.allclose(every[18:], told[18:], atol=1e-6)
    assert torch.allclose(table.all(), every, atol=1e-6)
    assert torch.allclose(table.learned(), every[:18], atol=1e-6)
    missing = table.content.project.weight @ table.content.vectors[5] + table.content.absent[1]
    assert torch.allclose(told[5], missing, atol=1e-6)


def test_training_hides_a_share_of_the_ids_wherever_they_stand() -> None:
    table = table_of(cold_store(), vectors=SOURCES, inputs=["item"])
    table.content.absent.data.zero_()
    torch.manual_seed(1)
    table.train().draw()
    told = table.content(table.content.vectors)
    code = torch.arange(18)
    hidden = torch.isclose(table(code), told[:18], atol=1e-7).all(1)[2:]
    assert 2 < int(hidden.sum()) < 14
    assert torch.equal(hidden, torch.isclose(table.learned(), told[:18], atol=1e-7).all(1)[2:])
    table.draw()
    assert not torch.equal(hidden, torch.isclose(table.learned(), told[:18], atol=1e-7).all(1)[2:])
    assert not torch.isclose(table.eval()(code), told[:18], atol=1e-7).all(1)[2:].any()


def test_what_was_answered_is_forgotten_when_weights_change() -> None:
    table = table_of(cold_store(), vectors=SOURCES).eval()
    with torch.no_grad():
        before = table.all()
        assert table.all() is before
        table.train()
        table.item.weight += 1
        assert not torch.equal(table.eval().all(), before)


def trained(store: Store, **changes: Any) -> NetworkPredictor:
    return fitted(store, predictor("gru", loop={"epochs": 1}, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"item_bias": True, "distance": True},
        {"copy_heads": 2, "item_bias": True, "transitions": {"lags": 1, "successors": 4}},
        {"temperature": 0.1},
    ],
)
def test_with_vectors_every_item_is_answered_and_without_no_cold_one(changes: dict[str, Any]) -> None:
    store = cold_store()
    for sources, cold in ((SOURCES, True), ({"sources": [], "drop": 0.0}, False)):
        one = trained(store, vectors=sources, **changes)
        queries = queries_of(store, one, n=30)
        scores = one.score(queries[np.flatnonzero(_met_no_cold(store, queries))]).item
        assert np.isfinite(scores[:, 2 : 22 - COLD]).all()
        assert np.isfinite(scores[:, 22 - COLD :]).all() if cold else np.isneginf(scores[:, 22 - COLD :]).all()
        assert np.allclose(np.exp(scores).sum(1), 1.0, atol=1e-4)


def _met_no_cold(store: Store, queries: Any) -> np.ndarray:
    item = np.asarray(store["item"])
    return np.array([(item[a:b] < 22 - COLD).all() for a, b in zip(queries.start, queries.stop, strict=True)])


@pytest.mark.parametrize("kind", ["transformer", "bert", "seq2seq"])
def test_every_family_learns_with_vectors(kind: str) -> None:
    store = cold_store()
    one = fitted(store, predictor(kind, loop={"epochs": 1}, vectors=SOURCES))
    assert np.isfinite(one.score(queries_of(store, one, n=8)).item[:, 2:]).all()


def test_drawn_items_are_those_of_training() -> None:
    store = cold_store()
    loss = {"kind": "sampled", "negatives": 6, "alpha": 0.5, "logq": True, "t": 0.75, "softmax_weight": 0.0}
    one = fitted(store, predictor("gru", loop={"epochs": 1, "item_loss": loss}, vectors=SOURCES))
    assert np.isfinite(one.score(queries_of(store, one, n=8)).item[:, 2:]).all()
    assert not one.model.embedding.table.item.weight.shape[0] > 18


def test_vectors_that_the_store_lacks_are_told() -> None:
    store = toy_store()
    with pytest.raises(ConfigError, match=r"features\.vectors"):
        predictor("gru", vectors=SOURCES).fit(Window(store, "train"), Window(store, "tune"), None)


def test_vectors_in_the_weights_are_checked() -> None:
    table = table_of(cold_store(), vectors=SOURCES)
    table.check()
    table.content.vectors[7, 0] = float("nan")
    with pytest.raises(IntegrityError):
        table.check()


@pytest.mark.parametrize(
    "changes", [{"trained": 40}, {"trained": 1}, {"vectors": [["one", 5, 1]]}, {"vectors": [["one", 0]]}]
)
def test_a_configuration_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    record = config(cold_store(), vectors=SOURCES).to_json()
    with pytest.raises((IntegrityError, ValueError)):
        SequenceConfig.from_json({**record, **changes})


def test_answers_that_are_never_given_make_no_model_shy() -> None:
    one = trained(cold_store(), vectors={"sources": [], "drop": 0.0}, inputs=["item"])
    shy = fitted(cold_store(), predictor("gru", loop={"epochs": 1, "calibration": "temperature"}, inputs=["item"]))
    assert not one.temperatures
    assert shy.temperatures["item"] < 5  # 10, the hottest, if an impossible answer could be made likelier


@pytest.mark.parametrize("unseen", ["miss", "dropped"])
def test_the_tune_window_asks_for_cold_items_unless_they_are_dropped(unseen: str) -> None:
    store = cold_store()
    judge = Judge.of(Window(store, "tune"), replace(HIDDEN, unseen=unseen), "ndcg@10", 1000, 1)
    assert (judge.item >= 22 - COLD).any() == (unseen == "miss")


@pytest.mark.parametrize("changes", [{}, {"item_bias": True, "distance": True, "copy_heads": 2}])
def test_items_met_too_seldom_are_read_and_not_learned_as_answers(changes: dict[str, Any]) -> None:
    store = cold_store()
    rare = replace(store, columns={**store.columns, "item": toy_store(n_items=20)["item"]})  # their events are back
    one = trained(rare, vectors=SOURCES, **changes)
    assert np.isfinite([row["loss_item"] for row in one.curves if "loss_item" in row]).all()
    assert np.isfinite(one.score(queries_of(rare, one, n=8)).item[:, 2:]).all()

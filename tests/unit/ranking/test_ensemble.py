"""Ensembles: averages with given weights, pools, and stacks that are no worse than their best part."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from components import learners
from components.errors import ConfigError, IntegrityError
from components.evaluation.judge import between
from components.evaluation.protocol import make_queries
from components.features.store import WINDOWS, Store
from components.files import sha256_tree
from components.memory.replay import ask_online
from components.params import EnsembleParams, check_agreement
from components.predictor import Predictor, Scores, Window
from components.ranking.blend import BlendPredictor
from components.ranking.ensemble import EnsemblePredictor
from components.ranking.pool import FLOOR, fit_pool, pooled
from components.ranking.ranker import RankerPredictor
from components.ranking.stage import fit_blends
from tests.networks import with_columns
from tests.rankers import ranker_params
from tests.toy import toy_store
from tests.unit.ranking.test_blend import PARAMS, RULES, Fixed, part, workspace

BASE = {
    "parts": ["markov", "user_frequency"],
    "method": "stack",
    "weights": None,
    "history_buckets": [0, 10],
    "em_steps": 20,
    "pull": 1.0,
    "max_queries": 400,
    "candidate": True,
}


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov", n_users=40)


def params_of(**changes: Any) -> EnsembleParams:
    return EnsembleParams.model_validate({**BASE, **changes})


def ensemble_of(store: Store, *names: str, **changes: Any) -> EnsemblePredictor:
    parts: dict[str, Predictor] = {name: part(name, store) for name in names}
    return EnsemblePredictor(parts, params_of(parts=list(names), **changes), RULES)


def said(one: Predictor, store: Store, window: str) -> float:
    """Mean log-probability of what happened in a window, asked at once after everything before it."""
    one.update(store, between(store, window))
    queries, targets = make_queries(Window(store, window), RULES)
    return float(one.score(queries).item[np.arange(len(queries)), targets.item].mean())


def test_a_stack_is_no_worse_than_its_parts(log: Store) -> None:
    names = ("popularity", "markov", "user_frequency")
    stack = ensemble_of(log, *names)
    stack.fit_weights(Window(log, "blend"))
    assert stack.pool is not None
    assert stack.pool.weights[:, 1].min() > 0.6  # who knows the rule
    value = said(stack, log, "test")
    for name in names:
        assert value > said(part(name, log), log, "test") - 0.02


def test_learned_weights_are_those_of_the_least_loss() -> None:
    rng = np.random.default_rng(3)
    log_p = np.log(rng.dirichlet(np.ones(12), (600, 3))).astype(np.float32)
    right = np.array([1.5, 0.4, 0.0])
    p = np.exp(pooled([log_p[:, k] for k in range(3)], np.tile(right, (600, 1))).astype(np.float64))
    item = np.array([rng.choice(12, p=row / row.sum()) for row in p])
    own = log_p[np.arange(600), :, item].astype(np.float64)
    found = fit_pool(log_p, own, np.zeros(600, int), [0], 0.0)
    assert found.weights[0] == pytest.approx(right, abs=0.25)
    pulled = fit_pool(log_p, own, np.zeros(600, int), [0], 1e9)
    assert pulled.weights[0] == pytest.approx(np.full(3, 1 / 3), abs=1e-3)


def test_a_bucket_without_queries_trusts_as_all_do() -> None:
    log_p = np.log(np.random.default_rng(3).dirichlet(np.ones(5), (50, 2))).astype(np.float32)
    own = log_p[:, :, 0].astype(np.float64)
    found = fit_pool(log_p, own, np.full(50, 7), [0, 100], 1.0)
    assert found.weights.shape == (2, 2)
    both = fit_pool(log_p, own, np.full(50, 7), [0], 1.0)
    assert found.weights[1] == pytest.approx(both.weights[0], abs=0.2)


def test_a_stack_copies_the_rows_that_it_keeps_alone(log: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = ensemble_of(log, "markov", "popularity")
    asked = ask_online(Window(log, "blend"), False)[:64]
    item = np.log(np.random.default_rng(0).random((64, 20_000), np.float32))
    answers = {"markov": Scores(item), "popularity": Scores(item * 2)}
    monkeypatch.setattr(BlendPredictor, "_ask", lambda *_: answers)
    stack._take = np.arange(64) == 5
    tracemalloc.start()
    stack._ask({}, asked)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < item.nbytes
    log_p, own, length = stack._kept[0]
    np.testing.assert_array_equal(log_p, np.maximum([[item[5, 2:], item[5, 2:] * 2]], FLOOR))
    np.testing.assert_allclose(own, [[item[5, asked.item[5]], item[5, asked.item[5]] * 2]])
    assert length.tolist() == [asked.row[5] - asked.queries.start[5]]


def test_an_average_keeps_the_given_weights_for_every_head(log: Store) -> None:
    parts: dict[str, Predictor] = {"a": Fixed(log, 2, 1.0), "b": Fixed(log, 3, 9.0)}
    params = params_of(parts=["a", "b"], method="average", weights={"a": 3.0, "b": 1.0})
    found = EnsemblePredictor(parts, params, RULES)
    found.fit_weights(Window(log, "blend"))
    scores = found.score(make_queries(Window(log, "test"), RULES)[0])
    assert np.exp(scores.item[:, 2]) / np.exp(scores.item[:, 3]) == pytest.approx(3, rel=0.02)
    assert scores.action is not None
    assert scores.action[:, 2] / scores.action[:, 3] == pytest.approx(3, rel=0.02)
    assert scores.time is not None
    assert scores.time.weight[0].tolist() == [0.75, 0.25]


def test_a_pool_multiplies_and_nobody_forbids(log: Store) -> None:
    never = np.log(np.array([[0.5, 0.5, 1e-300]])).astype(np.float32)
    other = np.log(np.array([[0.2, 0.4, 0.4]])).astype(np.float32)
    p = np.exp(pooled([never, other], np.array([[0.5, 0.5]])))[0]
    assert p[:2] / p[0] == pytest.approx([1, np.sqrt(2)], rel=1e-4)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p[2] > np.exp(FLOOR)
    found = ensemble_of(log, "markov", "popularity", method="pool", weights={"markov": 1.0, "popularity": 0.0})
    queries = make_queries(Window(log, "test"), RULES)[0]
    alone = part("markov", log).score(queries).item
    assert found.score(queries).item[:, 2:] == pytest.approx(np.maximum(alone[:, 2:], FLOOR), abs=1e-3)
    assert np.isneginf(found.score(queries).item[:, :2]).all()


@pytest.mark.parametrize("method", ["average", "pool", "stack"])
def test_saved_and_read_again(log: Store, tmp_path: Path, method: str) -> None:
    found = ensemble_of(log, "memory", "markov", method=method)
    found.fit_weights(Window(log, "blend"))
    found.save(tmp_path / "a")
    again = learners.load(tmp_path / "a")
    again.save(tmp_path / "b")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")
    queries, targets = make_queries(Window(log, "test"), RULES)
    first, second = found.score(queries), again.score(queries)
    assert first.item == pytest.approx(second.item, abs=1e-6)
    assert np.exp(first.item.astype(np.float64)).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert again.capabilities == {"item", "action", "time", "place"}
    assert sum(found.explain(queries, targets.item[:, None]).values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [{"pool": None}, {"pool": {"edges": [0], "weights": [[-1.0, 2.0]]}}, {"ensemble": {}}, {"parts": ["../markov"]}],
)
def test_a_config_that_lies_is_refused(log: Store, tmp_path: Path, change: dict[str, Any]) -> None:
    ensemble_of(log, "markov", "popularity").save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(IntegrityError):
        EnsemblePredictor.load(tmp_path)


@pytest.mark.parametrize(
    "weights", [{"markov": 1.0}, {"markov": -1.0, "popularity": 2.0}, {"markov": 0, "popularity": 0}]
)
def test_weights_of_other_parts_are_refused(log: Store, weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"training\.ensembles\.ensemble\.weights"):
        ensemble_of(log, "markov", "popularity", method="average", weights=weights)


def test_the_test_window_is_never_read(log: Store) -> None:
    late = np.asarray(log["window"]) == WINDOWS["test"]
    poisoned = with_columns(log, item=np.where(late, 2, log["item"]).astype(np.int32))
    first, second = (ensemble_of(one, "markov", "user_frequency") for one in (log, poisoned))
    for one, store in ((first, log), (second, poisoned)):
        one.fit_weights(Window(store, "blend"))
    assert first.pool is not None
    assert second.pool is not None
    assert first.pool.weights.tolist() == second.pool.weights.tolist()


def test_the_stage_makes_what_params_declare(log: Store, tmp_path: Path) -> None:
    root = workspace(log, tmp_path, "memory", "markov")
    wanted = {"both": params_of(parts=["memory", "markov"]), "mean": params_of(parts=["markov"], method="average")}
    blend = PARAMS.training.blend.model_copy(update={"parts": []})
    training = PARAMS.training.model_copy(update={"blend": blend, "ensembles": wanted, "rankers": {}})
    text = fit_blends(root, PARAMS.model_copy(update={"training": training}))
    assert "both" in text
    assert isinstance(learners.load(root / "blends" / "both"), EnsemblePredictor)
    assert sorted(path.name for path in (root / "blends").iterdir()) == ["both", "mean"]


def test_a_ranker_may_be_a_part_where_weights_are_given(log: Store, tmp_path: Path) -> None:
    root = workspace(log, tmp_path, "memory", "markov")
    wanted = {"pooled": params_of(parts=["ranker", "markov"], method="pool", weights={"ranker": 1.0, "markov": 0.5})}
    blend = PARAMS.training.blend.model_copy(update={"parts": []})
    changes = {"blend": blend, "ensembles": wanted, "rankers": {"ranker": ranker_params()}}
    params = PARAMS.model_copy(update={"training": PARAMS.training.model_copy(update=changes)})
    fit_blends(root, params)
    made = learners.load(root / "blends" / "pooled")
    assert isinstance(made, EnsemblePredictor)
    ranker, window = made.parts["ranker"], Window(log, "test")
    assert isinstance(ranker, RankerPredictor)
    queries = make_queries(window, RULES)[0][:20]
    log_p = [np.maximum(made.parts[name].score(queries).item[:, 2:], FLOOR) for name in ("ranker", "markov")]
    product = log_p[0] * (2 / 3) + log_p[1] * (1 / 3)
    product -= logsumexp(product, axis=1, keepdims=True)
    np.testing.assert_allclose(made.score(queries).item[:, 2:], product, atol=2e-5)
    # What its trees were told is asked of nobody who is to be chosen.
    assert json.loads((root / "blends" / "pooled" / "config.json").read_text())["learned_until_s"] == (
        ranker.learned_until_s
    )
    assert isinstance(learners.build("pooled", params).parts["ranker"], RankerPredictor)  # type: ignore[attr-defined]


def test_no_stack_is_learned_over_a_ranker() -> None:
    wanted = {"stacked": params_of(parts=["ranker", "markov"])}
    changes = {"ensembles": wanted, "rankers": {"ranker": ranker_params()}}
    params = PARAMS.model_copy(update={"training": PARAMS.training.model_copy(update=changes)})
    with pytest.raises(ConfigError, match="Give the weights"):
        check_agreement(params)

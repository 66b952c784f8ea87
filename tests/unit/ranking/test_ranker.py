"""The ranker as a predictor: fitted on the blend window alone, saved whole, and the same when it is read."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components import learners
from components.errors import ConfigError, IntegrityError, TrainingError
from components.evaluation.judge import between
from components.evaluation.protocol import Targets, make_queries
from components.features.store import WINDOWS, Store
from components.files import sha256_tree
from components.memory.predictor import CounterPredictor
from components.predictor import NoTracker, Predictor, Queries, Window
from components.ranking.forest import Forest
from components.ranking.ranker import TREES, RankerPredictor
from tests.rankers import PARAMS, RULES, memory_of, ranker_of, ranker_params
from tests.toy import toy_store


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov", n_users=30)


@pytest.fixture(scope="module")
def ranker(log: Store) -> RankerPredictor:
    return ranker_of(log)


def asked(store: Store, window: str = "test") -> tuple[Queries, Targets]:
    return make_queries(Window(store, window), RULES)


def test_it_says_all_that_its_parts_can_say(log: Store, ranker: RankerPredictor) -> None:
    assert isinstance(ranker, Predictor)
    queries, _ = asked(log)
    scores = ranker.score(queries)
    assert ranker.capabilities == {"item", "action", "time", "place"}
    assert np.exp(scores.item).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert np.isneginf(scores.item[:, :2]).all()
    for table in (scores.action, scores.place):
        assert table is not None
        assert table.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert scores.time is not None


def test_fitting_leaves_the_parts_as_they_were(log: Store, tmp_path: Path) -> None:
    memory = memory_of(log)
    memory.save(tmp_path / "before")
    ranker_of(log, {"memory": memory}).parts["memory"].save(tmp_path / "after")
    assert sha256_tree(tmp_path / "before") == sha256_tree(tmp_path / "after")


def test_the_test_window_is_never_read(log: Store, ranker: RankerPredictor) -> None:
    late = np.asarray(log["window"]) == WINDOWS["test"]
    columns = {name: np.asarray(column).copy() for name, column in log.columns.items()}
    columns["item"][late] = 2
    columns["action"][late] = 2
    other = ranker_of(replace(log, columns=columns))
    assert other._text == ranker._text
    assert other.spread == ranker.spread
    assert other.looker.gate.record() == ranker.looker.gate.record()


def test_trees_add_to_the_mixture(log: Store, ranker: RankerPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, _ = asked(log)
    monkeypatch.setattr(ranker, "spread", replace(ranker.spread, score=1.0, mixture=0.0))
    _, mixture = ranker.looker.weigh(ranker.parts, queries, items_only=True)
    order = np.argsort(-mixture[:, 2:], axis=1)[:, :5]
    assert (np.argsort(-ranker.score(queries).item[:, 2:], axis=1)[:, :5] != order).any()
    monkeypatch.setattr(Forest, "predict", lambda self, table: np.zeros(len(table)))
    np.testing.assert_array_equal(np.argsort(-ranker.score(queries).item[:, 2:], axis=1)[:, :5], order)


def test_it_says_until_when_it_was_told_the_answers(log: Store, ranker: RankerPredictor) -> None:
    asked = np.sort(np.concatenate([Window(log, name).targets for name in ("tune", "blend")]))
    time_s = np.sort(np.asarray(log["time_s"])[asked])
    share = float(np.mean(time_s <= ranker.learned_until_s))
    edge = 1 - ranker.ranker.holdout
    assert edge - 0.02 <= share < edge + 0.15  # the day in which it falls is kept whole


def test_the_same_log_grows_the_same_trees(log: Store, ranker: RankerPredictor, tmp_path: Path) -> None:
    ranker.save(tmp_path / "a")
    ranker_of(log).save(tmp_path / "b")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")


def test_saved_and_read_again(log: Store, ranker: RankerPredictor, tmp_path: Path) -> None:
    ranker.save(tmp_path / "a")
    again = learners.load(tmp_path / "a")
    assert isinstance(again, RankerPredictor)
    again.save(tmp_path / "b")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")
    assert (tmp_path / "a" / TREES).read_text().startswith("tree\nversion=v4\n")
    queries, _ = asked(log)
    first, second = ranker.score(queries), again.score(queries)
    assert first.item == pytest.approx(second.item, abs=1e-6)


def test_what_happens_moves_the_counts(log: Store, ranker: RankerPredictor) -> None:
    moved = copy.deepcopy(ranker)
    moved.update(log, between(log, "test"))
    queries, _ = asked(log)
    assert not np.array_equal(moved.score(queries).item, ranker.score(queries).item)


def test_the_gate_alone_has_no_trees(log: Store, tmp_path: Path) -> None:
    gate = ranker_of(log, method="gate")
    gate.save(tmp_path)
    assert not (tmp_path / TREES).exists()
    queries, _ = asked(log)
    item = learners.load(tmp_path).score(queries).item
    assert item == pytest.approx(gate.score(queries).item, abs=1e-6)
    assert np.exp(item).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_any_learner_may_be_a_part(log: Store) -> None:
    counter = CounterPredictor("markov", PARAMS.memory)
    knn = learners.build("item_knn", PARAMS)
    for one in (counter, knn):
        one.fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    ranker = ranker_of(log, {"markov": counter, "item_knn": knn})
    assert ranker.capabilities == {"item"}
    assert {"markov/p", "item_knn/p", "mixture/p"} <= set(ranker._forest.names)  # type: ignore[union-attr]
    assert np.exp(ranker.score(asked(log)[0]).item).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_histories_that_end_with_training_are_looked_at_as_they_are() -> None:
    log, rules = toy_store(pattern="habit", n_users=20), replace(RULES, history="train_only")
    ranker = RankerPredictor({"memory": memory_of(log, rules)}, ranker_params(method="gate"), rules, 500, 7)
    likelihood = ranker.fit_weights(Window(log, "blend", "train_only"))
    assert likelihood == pytest.approx(np.log(1 / 3), abs=0.25), "answers of other rows would be noise"


def test_targets_alone_or_everything(log: Store) -> None:
    some = replace(log, columns={**log.columns, "target": np.arange(log.n_events) % 4 == 0})
    for asks, share in (("targets", 0.25), ("all", 1.0)):
        ranker = RankerPredictor({"memory": memory_of(some)}, ranker_params(asks=asks), RULES, 500, 7)
        window = Window(some, "blend")
        assert len(ranker._questions(window).row) == pytest.approx(share * len(window.events), rel=0.15)


def test_params_name_it_and_build_it(log: Store) -> None:
    rankers = {"small": ranker_params(parts=["memory", "popularity"])}
    params = PARAMS.model_copy(update={"training": PARAMS.training.model_copy(update={"rankers": rankers})})
    made = learners.build("small", params)
    made.fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    assert made.name == "small"
    assert np.isfinite(made.score(asked(log)[0]).item[:, 2:]).all()
    with pytest.raises(ConfigError, match="small"):
        learners.build("smaller", params)


def test_nothing_is_answered_before_it_was_fitted(log: Store) -> None:
    ranker = RankerPredictor({"memory": memory_of(log)}, ranker_params(), RULES, 500, 7)
    with pytest.raises(TrainingError, match="fitted ranker"):
        ranker.score(asked(log)[0])
    empty = replace(log, columns={**log.columns, "window": np.minimum(np.asarray(log["window"]), 1)})
    with pytest.raises(TrainingError, match="blend window"):
        ranker.fit_weights(Window(empty, "blend"))


@pytest.mark.parametrize(
    "change",
    [
        {"parts": ["../memory"]},
        {"parts": []},
        {"ranker": {}},
        {"gate": {}},
        {"spread": {}},
        {"seed": "x"},
        {"format": 1},
    ],
)
def test_a_config_that_lies_is_refused(ranker: RankerPredictor, tmp_path: Path, change: dict[str, object]) -> None:
    ranker.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(IntegrityError):
        RankerPredictor.load(tmp_path)

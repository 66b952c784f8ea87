"""The memory as a predictor: probabilities, saving, what it refuses, what it explains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError, IntegrityError, TrainingError
from components.features.store import WINDOWS, Store
from components.files import sha256_tree
from components.memory.predictor import BLOCK, CounterPredictor, MemoryPredictor
from components.memory.replay import ask_online
from components.params import load_params
from components.predictor import NoTracker, Predictor, Queries, Window
from tests.conftest import ROOT
from tests.toy import toy_store
from tests.unit.memory.logs import asking, store_of

MEMORY = load_params(ROOT / "params.yaml").memory


def windows(store: Store) -> tuple[Window, Window]:
    return Window(store, "train"), Window(store, "tune")


def fitted(store: Store) -> MemoryPredictor:
    memory = MemoryPredictor(MEMORY)
    memory.fit(*windows(store), NoTracker())
    return memory


def asked(store: Store, given: bool = True) -> Queries:
    return ask_online(Window(store, "test"), given).queries


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov")


@pytest.fixture(scope="module")
def memory(log: Store) -> MemoryPredictor:
    return fitted(log)


@pytest.mark.parametrize("given", [True, False])
def test_every_answer_is_a_distribution(memory: MemoryPredictor, log: Store, given: bool) -> None:
    scores = memory.score(asked(log, given))
    assert np.isneginf(scores.item[:, :2]).all()
    assert np.isfinite(scores.item[:, 2:]).all()
    assert np.exp(scores.item).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert scores.action is not None
    assert scores.action.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert scores.place is not None
    assert scores.place.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert scores.time is not None
    assert scores.time.weight.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert isinstance(memory, Predictor)


def test_the_mixture_is_that_of_its_counters(memory: MemoryPredictor, log: Store) -> None:
    queries = asked(log)
    item = np.asarray(log["item"])[Window(log, "test").targets]
    dense = memory.score(queries).item[np.arange(len(queries)), item]
    weights = memory.weights[True].item.of(queries.stop - queries.start)
    assert np.log((memory.target_probability(queries, item) * weights).sum(axis=1)) == pytest.approx(dense, abs=1e-4)


def test_a_block_answers_as_each_query_alone(memory: MemoryPredictor, log: Store) -> None:
    queries = asked(log)
    many = queries[np.arange(3 * len(queries)) % len(queries)]
    assert len(many) > BLOCK
    together = memory.score(many)
    for at in (0, 3, BLOCK, len(many) - 1):
        alone = memory.score(many[at : at + 1])
        assert together.item[at] == pytest.approx(alone.item[0], abs=1e-4)
        for name in ("action", "place"):
            assert getattr(together, name)[at] == pytest.approx(getattr(alone, name)[0], abs=1e-5)
        assert together.time is not None
        assert alone.time is not None
        assert together.time.weight[at] == pytest.approx(alone.time.weight[0], abs=1e-5)


def test_no_queries_no_answers(memory: MemoryPredictor, log: Store) -> None:
    scores = memory.score(asked(log)[:0])
    assert scores.item.shape == (0, log.encoding.n_items)
    assert scores.action is not None
    assert scores.action.shape == (0, len(log.encoding.vocabularies["action"]))


def test_scoring_changes_nothing(memory: MemoryPredictor, log: Store) -> None:
    queries = asked(log)
    assert np.array_equal(memory.score(queries).item, memory.score(queries).item)


def test_fit_counts_the_training_window_alone(memory: MemoryPredictor, log: Store) -> None:
    assert memory.tables.count.sum() == (np.asarray(log["window"]) == WINDOWS["train"]).sum()


@pytest.mark.parametrize("name", ["memory", *MEMORY.components])
def test_saved_and_read_again_it_answers_the_same(name: str, log: Store, tmp_path: Path) -> None:
    one = fitted(log) if name == "memory" else CounterPredictor(name, MEMORY)
    one.fit(*windows(log), NoTracker())
    one.save(tmp_path / "a")
    one.save(tmp_path / "b")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")
    again = type(one).load(tmp_path / "a")
    again.save(tmp_path / "c")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "c")
    rows = Window(log, "tune").events
    one.update(log, rows)
    again.update(log, rows)
    first, second = one.score(asked(log)), again.score(asked(log))
    assert again.name == one.name
    assert again.capabilities == one.capabilities
    assert first.item == pytest.approx(second.item, abs=1e-6)
    if first.place is not None:
        assert first.place == pytest.approx(second.place, abs=1e-6)


def test_fitting_twice_gives_the_same_bytes(log: Store, tmp_path: Path) -> None:
    fitted(log).save(tmp_path / "a")
    fitted(log).save(tmp_path / "b")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")


def test_damaged_folders_are_refused(memory: MemoryPredictor, tmp_path: Path) -> None:
    for number, name in enumerate(["count", "counter.markov.column", "head.gaps.step", "head.cells.edges", "latitude"]):
        folder = tmp_path / str(number)
        memory.save(folder)
        path = folder / "memory" / f"{name}.npy"
        np.save(path, np.load(path)[:-1], allow_pickle=False)
        with pytest.raises(IntegrityError):
            MemoryPredictor.load(folder)
        path.unlink()
        with pytest.raises(IntegrityError):
            MemoryPredictor.load(folder)


def test_a_pickle_among_the_arrays_is_not_opened(memory: MemoryPredictor, tmp_path: Path) -> None:
    memory.save(tmp_path)
    np.save(tmp_path / "memory" / "count.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(IntegrityError, match="whole array"):
        MemoryPredictor.load(tmp_path)


def test_a_config_that_lies_is_refused(memory: MemoryPredictor, tmp_path: Path) -> None:
    memory.save(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for key, value in {"params": {}, "sizes": {"items": "many"}, "order": ["nobody"]}.items():
        path.write_text(json.dumps(config | {key: value}))
        with pytest.raises(IntegrityError):
            MemoryPredictor.load(tmp_path)
    config["params"]["components"]["../../evil"] = config["params"]["components"]["markov"]
    path.write_text(json.dumps(config | {"order": list(config["params"]["components"])}))
    with pytest.raises(ConfigError, match="a-z"):
        MemoryPredictor.load(tmp_path)


def test_reasons_add_up_and_name_the_cause(memory: MemoryPredictor, log: Store) -> None:
    queries = asked(log)
    item = np.asarray(log["item"])[queries.stop - 1]
    follower = np.where(item == item.max(), 2, item + 1)[:, None]
    reasons = memory.explain(queries, np.repeat(follower, 3, axis=1))
    assert set(reasons) == set(MEMORY.components)
    assert sum(reasons.values()) == pytest.approx(1)
    assert reasons["markov"].shape == (len(queries), 3)
    assert reasons["markov"].mean() > 0.8


def test_an_unknown_user_is_answered_from_what_everybody_does(memory: MemoryPredictor, log: Store) -> None:
    queries = asked(log)[:1]
    nobody = replace(queries, stop=queries.start)
    scores = memory.score(nobody)
    assert np.exp(scores.item).sum() == pytest.approx(1, abs=1e-4)
    assert np.ptp(scores.item[0, 2:]) < 3


def test_items_that_training_never_saw_do_no_harm(log: Store) -> None:
    columns = dict(log.columns)
    columns["item"] = np.where(np.arange(log.n_events) % 5 == 0, 1, log["item"]).astype(np.int32)
    strange = replace(log, columns=columns)
    scores = fitted(strange).score(asked(strange))
    assert np.exp(scores.item).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_one_user_and_one_event() -> None:
    store = store_of([(0, 2, 0)], n_users=1)
    memory = MemoryPredictor(MEMORY)
    memory.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    scores = memory.score(asking(store))
    assert np.exp(scores.item).sum() == pytest.approx(1, abs=1e-4)
    assert scores.item.argmax() == 2
    assert scores.time is not None
    assert np.isfinite(scores.time.quantile(0.5)).all()


def test_a_log_without_places_or_real_times_says_so() -> None:
    store = toy_store()
    settings = {**store.encoding.settings, "time_kind": "ordinal"}
    columns = {
        **store.columns,
        "cell_6": np.zeros(store.n_events, np.int32),
        "cell_8": np.zeros(store.n_events, np.int32),
    }
    store = replace(store, columns=columns, encoding=replace(store.encoding, settings=settings))
    memory = fitted(store)
    assert memory.capabilities == {"item", "action"}
    scores = memory.score(asked(store))
    assert scores.time is None
    assert scores.place is None


def test_unfitted_it_says_what_to_do() -> None:
    with pytest.raises(TrainingError, match="Call `fit` or `load`"):
        MemoryPredictor(MEMORY).score(asking(store_of([])))


def test_a_counter_that_nobody_described() -> None:
    with pytest.raises(ConfigError, match="user_frequency"):
        CounterPredictor("oracle", MEMORY)

"""The blend: a mixture that is at least as likely as its best part, saved whole, and honest about idle parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError, DataError, IntegrityError, TrainingError
from components.evaluation.judge import between
from components.evaluation.protocol import Protocol, make_queries
from components.features.store import WINDOWS, Store
from components.files import sha256_tree
from components.memory.mixture import Mixture
from components.memory.predictor import CounterPredictor, MemoryPredictor
from components.params import BlendParams, load_params
from components.predictor import NoTracker, Predictor, Queries, Scores, TimeDistribution, Window
from components.ranking.blend import BlendPredictor
from components.ranking.stage import fit_blends
from tests.conftest import ROOT
from tests.toy import toy_store

PARAMS = load_params(ROOT / "params.yaml")
RULES = Protocol.of(PARAMS.evaluation)
BLEND = BlendParams(parts=["memory", "markov"], history_buckets=[0, 5, 20], em_steps=60, candidate=True)


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov", n_users=40)


def part(name: str, store: Store) -> MemoryPredictor | CounterPredictor:
    one = MemoryPredictor(PARAMS.memory) if name == "memory" else CounterPredictor(name, PARAMS.memory)
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return one


def blend_of(store: Store, *names: str) -> BlendPredictor:
    return BlendPredictor({name: part(name, store) for name in names}, BLEND, RULES)


def log_likelihood(predictor: Predictor, store: Store, window: str) -> float:
    """Mean log-probability of the window's items, asked at once after everything before the window."""
    queries, targets = make_queries(Window(store, window), RULES)
    return float(predictor.score(queries).item[np.arange(len(queries)), targets.item].mean())


def test_the_blend_is_no_worse_than_its_best_part(log: Store) -> None:
    names = ("popularity", "markov", "user_markov", "user_frequency")
    blend = blend_of(log, *names)
    value = blend.fit_weights(Window(log, "blend"))
    for name in names:
        alone = part(name, log)
        alone.update(log, between(log, "blend"))
        assert value >= log_likelihood(alone, log, "blend") - 0.02


def test_the_best_part_is_trusted_most_and_idle_ones_are_named(log: Store) -> None:
    blend = blend_of(log, "trajectory", "markov", "popularity")
    blend.fit_weights(Window(log, "blend"))
    assert (blend.weights["item"].weights[:, 1] > 0.8).all()
    assert "trajectory" in blend.idle()
    assert "markov" not in blend.idle()


def test_fitting_weights_leaves_the_parts_as_they_were(log: Store, tmp_path: Path) -> None:
    blend = blend_of(log, "memory", "markov")
    blend.parts["memory"].save(tmp_path / "before")
    blend.fit_weights(Window(log, "blend"))
    blend.parts["memory"].save(tmp_path / "after")
    assert sha256_tree(tmp_path / "before") == sha256_tree(tmp_path / "after")


class Fixed:
    """Answers every query with the same distributions."""

    def __init__(self, store: Store, item: int, gap_log: float) -> None:
        self.name, self.item, self.gap_log = "fixed", item, gap_log
        self.capabilities = frozenset({"item", "action", "time", "place"})
        words = store.encoding.vocabularies
        self.sizes = [len(words[name]) for name in ("item", "action", "cell_8")]

    def score(self, queries: Queries) -> Scores:
        item, action, place = (np.full((len(queries), n), 1e-3, np.float32) for n in self.sizes)
        for table in (item, action, place):
            table[:, self.item] = 1
            table[:, :2] = 0
            np.divide(table, table.sum(axis=1, keepdims=True), out=table)
        even = np.ones((len(queries), 1), np.float32)
        with np.errstate(divide="ignore"):
            return Scores(np.log(item), action, TimeDistribution(even, even * self.gap_log, even), place)

    def fit(self, *_: object) -> None: ...
    def update(self, *_: object) -> None: ...
    def save(self, *_: object) -> None: ...
    @classmethod
    def load(cls, folder: Path) -> Fixed:
        raise NotImplementedError


def test_every_head_is_mixed_by_its_own_weights(log: Store) -> None:
    blend = BlendPredictor({"a": Fixed(log, 2, 1.0), "b": Fixed(log, 3, 9.0)}, BLEND, RULES)
    for head, weight in {"item": 0.9, "action": 0.7, "time": 0.6, "place": 0.2}.items():
        blend.weights[head] = Mixture(np.zeros(1, np.int64), np.array([[weight, 1 - weight]]))  # type: ignore[index]
    scores = blend.score(make_queries(Window(log, "test"), RULES)[0])
    assert np.exp(scores.item[:, 2]) / np.exp(scores.item[:, 3]) == pytest.approx(9, rel=0.02)
    assert scores.action is not None
    assert scores.place is not None
    assert scores.time is not None
    assert scores.action[:, 2] / scores.action[:, 3] == pytest.approx(7 / 3, rel=0.02)
    assert scores.place[:, 3] / scores.place[:, 2] == pytest.approx(4, rel=0.02)
    assert scores.time.weight == pytest.approx(np.tile([0.6, 0.4], (len(scores.item), 1)).astype(np.float32))
    assert scores.time.mean[0].tolist() == [1, 9]
    for table in (np.exp(scores.item), scores.action, scores.place):
        assert table.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_time_is_learned_without_the_time_of_the_answer(log: Store) -> None:
    class Peeking(Fixed):
        """Knows the pause exactly where the time of the answer is given."""

        def score(self, queries: Queries) -> Scores:
            plain = super().score(queries)
            gap = np.log1p(queries.time_s - np.asarray(log["time_s"])[queries.stop - 1]).astype(np.float32)
            sure = TimeDistribution(
                np.ones((len(gap), 1), np.float32), gap[:, None], np.full((len(gap), 1), 0.05, "f4")
            )
            return replace(plain, time=sure if queries.time_given else plain.time)

    blend = BlendPredictor({"peek": Peeking(log, 2, 0.0), "honest": Fixed(log, 2, 10.5)}, BLEND, RULES)
    blend.fit_weights(Window(log, "blend"))
    assert blend.weights["time"].weights[:, 1].min() > 0.9


def test_saved_and_read_again(log: Store, tmp_path: Path) -> None:
    blend = blend_of(log, "memory", "markov")
    blend.fit_weights(Window(log, "blend"))
    blend.save(tmp_path / "a")
    again = BlendPredictor.load(tmp_path / "a")
    again.save(tmp_path / "b")
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")
    queries, _ = make_queries(Window(log, "test"), RULES)
    first, second = blend.score(queries), again.score(queries)
    assert first.item == pytest.approx(second.item, abs=1e-6)
    assert again.capabilities == blend.capabilities == {"item", "action", "time", "place"}


@pytest.mark.parametrize("change", [{"parts": ["../memory"]}, {"parts": []}, {"params": {}}, {"weights": {}}])
def test_a_config_that_lies_is_refused(log: Store, tmp_path: Path, change: dict[str, object]) -> None:
    blend = blend_of(log, "markov")
    blend.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(IntegrityError):
        BlendPredictor.load(tmp_path)


def test_reasons_open_the_memory(log: Store) -> None:
    blend = blend_of(log, "memory", "markov")
    blend.fit_weights(Window(log, "blend"))
    queries, targets = make_queries(Window(log, "test"), RULES)
    reasons = blend.explain(queries, targets.item[:, None])
    assert sum(reasons.values()) == pytest.approx(1, abs=1e-4)
    assert {"memory.markov", "memory.popularity", "markov"} <= set(reasons)


def test_what_happens_and_what_is_forgotten_reaches_the_parts(log: Store) -> None:
    blend = blend_of(log, "memory", "popularity")
    rows = Window(log, "tune").events
    before = blend.parts["memory"].tables.count.copy()  # type: ignore[attr-defined]
    blend.update(log, rows)
    assert blend.parts["memory"].tables.count.sum() == before.sum() + len(rows)  # type: ignore[attr-defined]
    blend.forget(log, rows)
    assert np.array_equal(blend.parts["popularity"].tables.count, before)  # type: ignore[attr-defined]


def workspace(log: Store, root: Path, *names: str) -> Path:
    log.save(root / "data" / "features")
    for name in names:
        part(name, log).save(root / "models" / name)
    return root


def with_parts(*names: str) -> object:
    training = PARAMS.training.model_copy(
        update={"blend": BLEND.model_copy(update={"parts": list(names)}), "ensembles": {}, "rankers": {}}
    )
    return PARAMS.model_copy(update={"training": training})


def test_the_stage_writes_a_folder_that_holds_everything(log: Store, tmp_path: Path) -> None:
    root = workspace(log, tmp_path, "memory", "markov")
    text = fit_blends(root, with_parts("memory", "markov"))  # type: ignore[arg-type]
    assert "item, history from" in text
    first = sha256_tree(root / "blends")
    fit_blends(root, with_parts("memory", "markov"))  # type: ignore[arg-type]
    assert sha256_tree(root / "blends") == first
    assert "blend/part_memory/config.json" in first
    for name in ("memory", "markov"):
        for path, digest in sha256_tree(root / "models" / name).items():
            assert first[f"blend/part_{name}/{path}"] == digest
    assert isinstance(BlendPredictor.load(root / "blends" / "blend"), Predictor)


def test_a_part_that_was_not_trained(log: Store, tmp_path: Path) -> None:
    root = workspace(log, tmp_path, "memory")
    with pytest.raises(DataError, match="no gru"):
        fit_blends(root, with_parts("memory", "gru"))  # type: ignore[arg-type]


def test_no_parts_leave_an_empty_folder(log: Store, tmp_path: Path) -> None:
    fit_blends(workspace(log, tmp_path), with_parts())  # type: ignore[arg-type]
    assert list((tmp_path / "blends").iterdir()) == []


def test_a_blend_window_without_events(log: Store) -> None:
    window = np.where(np.asarray(log["window"]) == WINDOWS["blend"], WINDOWS["rest"], log["window"]).astype(np.int8)
    empty = replace(log, columns={**log.columns, "window": window})
    with pytest.raises(TrainingError, match=r"windows\.blend"):
        blend_of(log, "markov").fit_weights(Window(empty, "blend"))


def test_parts_need_plain_names(log: Store) -> None:
    with pytest.raises(ConfigError):
        BlendPredictor({"../x": Fixed(log, 2, 1.0)}, BLEND, RULES)

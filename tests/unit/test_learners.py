"""Learners by name and by folder: the fixed table, and one's own class from params alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components import learners
from components.errors import ConfigError, IntegrityError
from components.memory.predictor import CounterPredictor, MemoryPredictor
from components.params import Params, load_params
from components.predictor import NoTracker, Scores, Window
from components.ranking.blend import BlendPredictor
from tests.conftest import ROOT
from tests.toy import toy_store

PARAMS = load_params(ROOT / "params.yaml")


class Own:
    """A user's predictor."""

    name = "own"
    capabilities = frozenset({"item"})

    def __init__(self, params: Params) -> None:
        self.params = params

    def fit(self, *_: object) -> None: ...
    def score(self, *_: object) -> Scores:
        raise NotImplementedError

    def update(self, *_: object) -> None: ...
    def save(self, *_: object) -> None: ...
    @classmethod
    def load(cls, folder: Path) -> Own:
        raise NotImplementedError


class Half:
    """Not a predictor."""

    def __init__(self, params: Params) -> None: ...


@pytest.mark.parametrize("name", PARAMS.evaluation.baselines)
def test_every_baseline_of_the_params_is_a_counter(name: str) -> None:
    built = learners.build(name, PARAMS)
    assert isinstance(built, CounterPredictor)
    assert built.name == name


def test_names_of_the_params() -> None:
    memory = learners.build("memory", PARAMS)
    assert isinstance(memory, MemoryPredictor)
    assert memory.params == PARAMS.memory
    blend = learners.build("blend", PARAMS)
    assert isinstance(blend, BlendPredictor)
    assert list(blend.parts) == PARAMS.training.blend.parts
    assert learners.build("gru", PARAMS).name == "gru"


def test_a_second_memory_has_its_own_name() -> None:
    models = {**PARAMS.training.models, "recall": PARAMS.training.models["memory"]}
    params = PARAMS.model_copy(update={"training": PARAMS.training.model_copy(update={"models": models})})
    assert learners.build("recall", params).name == "recall"


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(ConfigError, match="transformer"):
        learners.build("oracle", PARAMS)


def test_ones_own_class_is_called_with_the_params() -> None:
    built = learners.build("tests.unit.test_learners:Own", PARAMS)
    assert isinstance(built, Own)
    assert built.params is PARAMS


@pytest.mark.parametrize(
    "path", ["tests.nowhere:Own", "tests.unit.test_learners:Nobody", "tests.unit.test_learners:Half"]
)
def test_ones_own_class_must_be_a_predictor(path: str) -> None:
    with pytest.raises(ConfigError):
        learners.build(path, PARAMS)


@pytest.mark.parametrize("name", ["memory", "markov", "blend"])
def test_every_kind_comes_back_from_its_folder(name: str, tmp_path: Path) -> None:
    training = PARAMS.training.model_copy(
        update={"blend": PARAMS.training.blend.model_copy(update={"parts": ["memory", "popularity"]})}
    )
    built = learners.build(name, PARAMS.model_copy(update={"training": training}))
    store = toy_store()
    built.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    learners.save(built, tmp_path / "x")
    again = learners.load(tmp_path / "x")
    assert type(again) is type(built)
    assert again.name == name


@pytest.mark.parametrize("kind", ["tests.unit.test_learners:Own", "os:system", 7, None, ["memory"]])
def test_a_file_never_names_an_import(kind: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"kind": kind}))
    with pytest.raises(IntegrityError, match="kind among"):
        learners.load(tmp_path)


def test_a_folder_without_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(IntegrityError):
        learners.load(tmp_path)

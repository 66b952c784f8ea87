"""What each learner adds: much where it alone knows something, nothing where another knows the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import learners
from components.features.store import Store
from components.memory.predictor import CounterPredictor
from components.predictor import NoTracker, Predictor, Window
from components.ranking.adds import HISTORY, _metric
from components.ranking.lessons import Lessons
from components.ranking.ranker import ADDS, RankerPredictor
from tests.rankers import PARAMS, ranker_of
from tests.toy import toy_store


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov", n_users=60, n_items=80)  # nobody meets an item twice: one's past is no help


@pytest.fixture(scope="module")
def ranker(log: Store) -> RankerPredictor:
    parts: dict[str, Predictor] = {}
    for name, counter in {"next": "markov", "common": "popularity"}.items():
        parts[name] = CounterPredictor(counter, PARAMS.memory)
        parts[name].fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    return ranker_of(log, parts, ablation=True)


def told(ranker: RankerPredictor) -> dict[str, dict[str, Any]]:
    assert ranker.adds is not None
    return {row["name"]: row for row in ranker.adds["learners"]}


def test_only_who_knows_something_adds_something(ranker: RankerPredictor) -> None:
    rows = told(ranker)
    assert list(rows) == ["next", "common", HISTORY]
    assert rows["next"]["adds"]["low"] > 0.15
    assert abs(rows["common"]["adds"]["value"]) < 0.05
    assert rows["next"]["alone"] > rows["common"]["alone"] + 0.15
    whole = ranker.adds["all"]  # type: ignore[index]
    assert whole - rows["next"]["without"] == pytest.approx(rows["next"]["adds"]["value"])


def test_slices_part_the_questions(ranker: RankerPredictor) -> None:
    slices = {one["name"]: one for one in told(ranker)["next"]["slices"]}
    asked = ranker.adds["queries"]  # type: ignore[index]
    assert slices["repeat"]["queries"] + slices["explore"]["queries"] == asked
    by_length = [one["queries"] for name, one in slices.items() if name.startswith("history")]
    assert sum(by_length) == asked


def test_a_learner_that_another_repeats_adds_nothing(log: Store) -> None:
    one = CounterPredictor("markov", PARAMS.memory)
    one.fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    rows = told(ranker_of(log, {"a": one, "b": copy.deepcopy(one)}, ablation=True))
    assert abs(rows["a"]["adds"]["value"]) < 0.03
    assert rows["a"]["alone"] == pytest.approx(rows["b"]["alone"], abs=0.01)


def test_a_basket_is_measured_whole() -> None:
    """Two queries of four candidates: answers first and third, one more that is no candidate; and one answer, tied."""
    right = np.array([1, 0, 1, 0, 0, 1, 0, 0], bool)
    three, one = np.array([3, 1]), np.ones(2)
    asked = Lessons(np.zeros((8, 0), np.float32), np.ones(8), np.array([4, 4]), right, three, one, np.arange(2))
    found = _metric(asked, np.array([9.0, 8.0, 7.0, 6.0, 1.0, 1.0, 0.0, 0.0]))
    best = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert found == pytest.approx([(1 + 1 / np.log2(4)) / best, 1 / np.log2(2.5)])


def test_it_is_kept_with_the_ranker(ranker: RankerPredictor, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    assert (tmp_path / ADDS).is_file()
    again = learners.load(tmp_path)
    assert isinstance(again, RankerPredictor)
    assert again.adds == ranker.adds
    assert np.isfinite([row["without"] for row in told(again).values()]).all()

"""Trees as LightGBM writes them: walked as the library walks them, and refused line by line where they lie."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from components.errors import IntegrityError
from components.ranking.forest import Forest, _walk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 5)).astype(np.float32)
X[:, 4] = RNG.integers(0, 3, 600)
NAMES = ["a", "b", "memory.markov/p", "query/hour", "e"]


def booster(leaves: int = 7, rounds: int = 12, y: np.ndarray | None = None) -> lightgbm.Booster:
    right = (X[:, 0] + X[:, 1] * X[:, 4] > 0.5).astype(float) if y is None else y
    settings = {"num_leaves": leaves, "verbose": -1, "use_missing": False, "min_data_in_leaf": 5, "num_threads": 1}
    return lightgbm.train(settings, lightgbm.Dataset(X, right, feature_name=NAMES), rounds)


TEXT = booster().model_to_string()


def test_the_walk_is_the_library_s() -> None:
    forest = Forest.read(TEXT, "here")
    assert forest.names == tuple(NAMES)
    assert len(forest.root) == 12
    assert forest.predict(X) == pytest.approx(booster().predict(X), abs=1e-12)


def test_fewer_trees_and_trees_of_one_leaf() -> None:
    text = booster().model_to_string(num_iteration=3)
    assert Forest.read(text, "here").predict(X) == pytest.approx(booster().predict(X, num_iteration=3), abs=1e-12)
    stump = booster(y=np.full(600, 2.5)).model_to_string()
    assert "num_leaves=1" in stump
    assert Forest.read(stump, "here").predict(X[:3]) == pytest.approx([2.5] * 3)


def test_thresholds_part_values_as_the_library_does() -> None:
    forest = Forest.read(TEXT, "here")
    edges = np.unique(forest.threshold[np.isfinite(forest.threshold)])
    rows = np.repeat(X[:1], len(edges), axis=0)
    rows[:, 0] = edges.astype(np.float32)
    assert forest.predict(rows) == pytest.approx(booster().predict(rows), abs=1e-12)


@pytest.mark.parametrize("leaves", [2, 7, 32, 33, 64, 90])
def test_leaves_struck_out_are_those_of_the_walk_to_the_last_bit(leaves: int) -> None:
    y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]
    forest = Forest.read(booster(leaves, 20, y).model_to_string(), "here")
    inner = forest.threshold[np.isfinite(forest.threshold)]
    rows = np.concatenate([X, RNG.choice(inner, (400, 5)).astype(np.float32)])  # on the edges as well
    walked = _walk(
        np.ascontiguousarray(rows.T), forest.root, forest.depth, forest.feature, forest.threshold, forest.child,
        forest.value,
    )  # fmt: skip
    np.testing.assert_array_equal(forest.predict(rows), walked)
    assert (forest.falls is None) == (leaves > 64)


def line(name: str, value: str) -> str:
    """The text with one line of the second tree replaced."""
    head, first, second, *rest = TEXT.split("\nTree=")
    lines = [f"{name}={value}" if one.startswith(f"{name}=") else one for one in second.split("\n")]
    return "\nTree=".join([head, first, "\n".join(lines), *rest])


def field(name: str) -> list[str]:
    second = TEXT.split("\nTree=")[2]
    return next(one for one in second.split("\n") if one.startswith(f"{name}=")).partition("=")[2].split(" ")


def swapped(name: str, place: int, value: str) -> str:
    words = field(name)
    words[place] = value
    return line(name, " ".join(words))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tree\n",
        TEXT[: len(TEXT) // 2],
        TEXT.replace("version=v4", "version=v9"),
        TEXT.replace("num_class=1", "num_class=3"),
        TEXT.replace("max_feature_idx=4", "max_feature_idx=400"),
        TEXT.replace("feature_names=a b", "feature_names=a a"),
        line("num_leaves", "1000000000"),
        line("num_leaves", "-7"),
        line("num_cat", "1"),
        line("is_linear", "1"),
        line("left_child", "0 " * 6 + "0"),
        swapped("left_child", 0, "0"),
        swapped("left_child", 0, "99999999"),
        swapped("left_child", 0, "-99999999"),
        swapped("right_child", 1, "9" * 30),
        swapped("split_feature", 0, "5"),
        swapped("split_feature", 0, "-1"),
        swapped("decision_type", 0, "1"),
        swapped("decision_type", 0, "10"),
        swapped("threshold", 0, "nan"),
        swapped("leaf_value", 0, "inf"),
        swapped("leaf_value", 0, "__import__('os')"),
        line("leaf_value", "1 2"),
    ],
)
def test_text_that_lies_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError, match="trees of LightGBM in here"):
        Forest.read(text, "here")


def test_more_trees_than_anybody_grows_are_refused() -> None:
    head, *trees = TEXT.split("\nTree=")
    with pytest.raises(IntegrityError, match="1200 trees"):
        Forest.read("\nTree=".join([head, *(trees[:1] * 1199), trees[-1]]), "here")

"""Metrics against values computed by hand and against scikit-learn where it is installed."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from components.errors import ConfigError
from components.evaluation import calibration, judgement, metrics, ranks, significance
from components.evaluation.metrics import chances, item_metric, lists, ranked
from components.features.place import haversine_km

SINGLE = np.array([1.0, 3.0, 11.0, np.inf])
EACH = np.arange(5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hr@10", [1, 1, 0, 0]),
        ("recall@10", [1, 1, 0, 0]),
        ("precision@10", [0.1, 0.1, 0, 0]),
        ("f1@10", [2 / 11, 2 / 11, 0, 0]),
        ("ndcg@10", [1, 0.5, 0, 0]),
        ("mrr", [1, 1 / 3, 1 / 11, 0]),
    ],
)
def test_one_right_item(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(item_metric(name, SINGLE, EACH), expected)


def test_several_right_items_are_divided_by_what_is_achievable() -> None:
    ranks_, offsets = np.array([1.0, 2.0, 9.0, 4.0]), np.array([0, 3, 4])
    assert item_metric("hr@2", ranks_, offsets).tolist() == [1, 0]
    assert item_metric("recall@2", ranks_, offsets).tolist() == [1, 0]
    assert item_metric("ndcg@2", ranks_, offsets).tolist() == [1, 0]
    assert item_metric("precision@4", ranks_, offsets).tolist() == [0.5, 0.25]
    np.testing.assert_allclose(item_metric("f1@4", ranks_, offsets), [4 / 7, 2 / 5])
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    np.testing.assert_allclose(item_metric("ndcg@4", ranks_, offsets)[0], (1 + 1 / np.log2(3)) / ideal)
    assert item_metric("mrr", ranks_, offsets).tolist() == [1, 0.25]


def test_what_was_not_asked_is_not_counted() -> None:
    found = item_metric("hr@10", np.array([np.nan, 1.0]), np.array([0, 1, 2]))
    assert np.isnan(found[0])
    assert found[1] == 1
    assert np.isnan(item_metric("mrr", np.array([np.nan]), np.array([0, 1]))).all()


def test_unknown_names_are_refused() -> None:
    for name in ("hr", "hr@0", "hr@x", "auc@10", "ndcg@-1"):
        with pytest.raises(ConfigError):
            item_metric(name, SINGLE, EACH)


def test_ndcg_is_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(30.0), (20, 1)), axis=1)
    right = rng.random((20, 30)) < 0.1
    right[:, 0] = True
    offsets = np.concatenate([[0], np.cumsum(right.sum(axis=1))])
    ranked = np.concatenate([30 - scores[q][right[q]] for q in range(20)])
    for k in (1, 5, 10):
        mine = item_metric(f"ndcg@{k}", ranked, offsets).mean()
        assert mine == pytest.approx(sklearn.ndcg_score(right, scores, k=k))


def test_auc_and_macro_f1_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 200)
    probability = rng.integers(1, 5, (200, 3)).astype(float)  # ties
    probability /= probability.sum(axis=1, keepdims=True)
    areas = [sklearn.roc_auc_score(truth == c, probability[:, c]) for c in range(3)]
    assert metrics.macro_auc(truth, probability) == pytest.approx(np.mean(areas))
    guess = probability.argmax(axis=1)
    assert metrics.macro_f1(truth, guess) == pytest.approx(sklearn.f1_score(truth, guess, average="macro"))


def test_calibration_error_knows_the_honest_from_the_boastful() -> None:
    rng = np.random.default_rng(2)
    said = rng.uniform(0.1, 0.9, 20_000)
    came = rng.random(20_000) < said
    assert metrics.expected_calibration_error(said, came) < 0.02
    assert metrics.expected_calibration_error(np.minimum(said + 0.1, 1), came) == pytest.approx(0.1, abs=0.02)


def test_crps_in_closed_form_is_that_of_samples() -> None:
    rng = np.random.default_rng(3)
    weight, mean, sigma = np.array([[0.3, 0.7]]), np.array([[0.0, 2.0]]), np.array([[1.0, 0.5]])
    part = rng.random(200_000) < 0.3
    draws = np.where(part, rng.normal(0, 1, 200_000), rng.normal(2, 0.5, 200_000))
    by_draws = np.abs(draws - 1.2).mean() - 0.5 * np.abs(draws[:100_000] - draws[100_000:]).mean()
    assert metrics.crps_log(weight, mean, sigma, np.array([1.2]))[0] == pytest.approx(by_draws, abs=0.01)


def test_lists() -> None:
    lists = np.array([[2, 3, 0], [2, 4, 5]])
    category = np.array([0, 0, 7, 7, 8, 7])
    assert metrics.coverage(lists, 8) == 0.5
    np.testing.assert_allclose(metrics.intra_list_diversity(lists, category), [0, 2 / 3])
    assert metrics.gini(np.array([[2]]), 4) == pytest.approx(0.75)
    assert metrics.popularity_lift(lists, np.array([3, 1]), np.array([0, 0, 4, 2, 2, 2])) == pytest.approx(14 / 5 / 2)
    empty = np.zeros((2, 3), np.int32)
    assert np.isnan(metrics.gini(empty, 4))
    assert np.isnan(metrics.novelty(empty, np.ones(6))).all()


def test_distance_of_two_cities() -> None:
    one = [np.array([x]) for x in (48.8566, 2.3522, 51.5074, -0.1278)]
    assert haversine_km(*one)[0] == pytest.approx(343.5, abs=1)


@pytest.mark.parametrize("module", [chances, lists, ranked, ranks, significance, calibration, judgement])
def test_examples_in_the_documentation_run(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]

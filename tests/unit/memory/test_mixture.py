"""Expectation–maximisation of mixture weights."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import IntegrityError, TrainingError
from components.memory.mixture import Mixture, fit_mixture, fit_weights, log_likelihood


def planted(weights: np.ndarray, n: int, seed: int = 0, items: int = 12) -> np.ndarray:
    """(n, K) probabilities that K known distributions gave to draws from their mixture."""
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet(np.full(items, 0.3), size=len(weights))
    drawn = rng.choice(items, size=n, p=weights @ parts)
    return parts[:, drawn].T


def test_planted_weights_are_found() -> None:
    weights = np.array([0.6, 0.3, 0.1])
    found = fit_weights(planted(weights, 50_000), 500)
    assert found == pytest.approx(weights, abs=0.02)


def test_each_step_raises_the_likelihood() -> None:
    likelihood = planted(np.array([0.2, 0.5, 0.25, 0.05]), 2000)
    values = [log_likelihood(likelihood, fit_weights(likelihood, steps)) for steps in range(1, 60)]
    assert (np.diff(values) >= -1e-12).all()
    assert values[-1] > values[0] + 1e-3


def test_nothing_observed_leaves_equal_weights() -> None:
    assert fit_weights(np.zeros((0, 4)), 10) == pytest.approx([0.25] * 4)
    mixture = fit_mixture(np.zeros((0, 4)), np.zeros(0, np.int64), [5], 10)
    assert mixture.of(np.array([0, 9])) == pytest.approx(np.full((2, 4), 0.25))


def test_a_part_that_is_always_wrong_gets_nothing() -> None:
    likelihood = np.stack([np.full(500, 0.3), np.zeros(500)], axis=1)
    assert fit_weights(likelihood, 50) == pytest.approx([1, 0])


def test_buckets_are_used_where_they_help() -> None:
    n = 4000
    length = np.tile([1, 50], n // 2)
    good, bad = 0.5, 0.05
    likelihood = np.where((length == 1)[:, None], [[good, bad]], [[bad, good]])
    mixture = fit_mixture(likelihood, length, [0, 20], 100)
    assert mixture.of(np.array([1, 50])) == pytest.approx(np.array([[1, 0], [0, 1]]), abs=0.03)


def test_buckets_are_left_alone_where_they_are_noise() -> None:
    likelihood = planted(np.array([0.5, 0.5]), 300, seed=3)
    length = np.random.default_rng(1).integers(0, 100, 300)
    mixture = fit_mixture(likelihood, length, list(range(0, 100, 2)), 60)
    spread = np.ptp(mixture.of(np.arange(100))[:, 0])
    assert spread < 0.2


def test_lengths_fall_into_the_bucket_below_them() -> None:
    mixture = Mixture(np.array([0, 5, 20]), np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]))
    assert mixture.of(np.array([0, 4, 5, 19, 20, 999]))[:, 0].tolist() == [1, 1, 0.5, 0.5, 0, 0]


def test_idle_parts_get_exactly_nothing() -> None:
    mixture = Mixture(np.array([0, 5]), np.array([[0.6, 0.399, 0.001], [0.5, 0.001, 0.499]])).without_idle(0.01)
    assert mixture.weights == pytest.approx(np.array([[0.6, 0.399, 0.001], [0.5, 0.001, 0.499]]))
    mixture = Mixture(np.array([0]), np.array([[0.6, 0.395, 0.005]])).without_idle(0.01)
    assert mixture.weights[0].tolist() == [0.6 / 0.995, 0.395 / 0.995, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_answers_that_are_no_probabilities_are_refused(bad: float) -> None:
    with pytest.raises(TrainingError, match="finite probabilities"):
        fit_mixture(np.array([[0.1, bad]]), np.array([1]), [], 5)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"edges": [0], "weights": [[0.5, 0.6]]},
        {"edges": [0], "weights": [[1.0]]},
        {"edges": [0, 0], "weights": [[0.5, 0.5], [0.5, 0.5]]},
        {"edges": [1], "weights": [[0.5, 0.5]]},
        {"edges": [0], "weights": [[1.5, -0.5]]},
    ],
)
def test_weights_of_a_damaged_file_are_refused(record: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="sum to 1"):
        Mixture.read(record, 2, "here")


def test_an_observation_that_counts_twice_is_two() -> None:
    likelihood = planted(np.array([0.6, 0.3, 0.1]), 60)
    weight = np.random.default_rng(1).integers(0, 3, 60)
    twice = np.repeat(likelihood, weight, axis=0)
    one = fit_weights(likelihood, 40, weight=weight.astype(float))
    assert one == pytest.approx(fit_weights(twice, 40), abs=1e-12)
    assert log_likelihood(likelihood, one, weight.astype(float)) == pytest.approx(log_likelihood(twice, one))

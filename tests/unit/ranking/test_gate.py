"""The gate: it trusts the voice that is right for this kind of query, and nothing more than the data say."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import IntegrityError, TrainingError
from components.memory.mixture import fit_weights, log_likelihood
from components.ranking.gate import Gate, fit_gate

RNG = np.random.default_rng(0)


def voices(n: int, right: np.ndarray) -> np.ndarray:
    """(n, 3) likelihoods; the voice `right` (n,) gives a half to what happened, the others a fiftieth."""
    table = np.full((n, 3), 0.02)
    table[np.arange(n), right] = 0.5
    return table


def test_trust_depends_on_the_query() -> None:
    x = RNG.normal(size=(3000, 2))
    right = np.where(x[:, 0] > 0, 0, 2)
    gate = fit_gate(voices(3000, right), x, 60)
    weights = gate.of(np.array([[2.0, 0.0], [-2.0, 0.0]]))
    assert weights.sum(axis=1) == pytest.approx(1)
    assert weights[0, 0] > 0.8
    assert weights[1, 2] > 0.8
    likelihood = voices(3000, right)
    assert log_likelihood(likelihood, gate.of(x)) > log_likelihood(likelihood, fit_weights(likelihood, 60)) + 0.3


def test_where_nothing_depends_on_the_query_everybody_gets_the_same() -> None:
    x = RNG.normal(size=(400, 6))
    likelihood = voices(400, RNG.choice(3, 400, p=[0.7, 0.2, 0.1]))
    gate = fit_gate(likelihood, x, 60)
    assert gate.of(x).std(axis=0).max() < 0.1
    assert gate.of(x).mean(axis=0) == pytest.approx(fit_weights(likelihood, 60), abs=0.02)


def test_nothing_to_learn_from_is_even() -> None:
    gate = fit_gate(np.zeros((0, 4)), np.zeros((0, 2)), 60)
    assert gate.of(np.zeros((3, 2))) == pytest.approx(np.full((3, 4), 0.25))
    assert Gate.even(4, 2).of(np.ones((1, 2))) == pytest.approx(np.full((1, 4), 0.25))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(TrainingError):
        fit_gate(np.array([[0.5, wrong]] * 4), np.zeros((4, 1)), 5)


def test_written_and_read() -> None:
    gate = fit_gate(voices(200, RNG.integers(0, 3, 200)), RNG.normal(size=(200, 2)), 10)
    again = Gate.read(gate.record(), 3, 2, "here")
    x = RNG.normal(size=(5, 2))
    assert again.of(x) == pytest.approx(gate.of(x))


@pytest.mark.parametrize(
    "change",
    [{"bias": [0.0]}, {"slope": [[0.0] * 3]}, {"spread": [0.0, 1.0]}, {"centre": ["a", "b"]}, {"bias": [0, 0, "nan"]}],
)
def test_numbers_of_another_shape_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="gate over 3 voices in here"):
        Gate.read(Gate.even(3, 2).record() | change, 3, 2, "here")


def test_the_items_of_a_basket_weigh_as_much_as_one_answer() -> None:
    likelihood, x = voices(40, RNG.integers(0, 3, 40)), RNG.normal(size=(40, 2))
    each = np.repeat(np.arange(40), 3)
    one = fit_gate(likelihood, x, 30)
    three = fit_gate(likelihood[each], x[each], 30, np.full(120, 1 / 3))
    assert three.of(x) == pytest.approx(one.of(x), abs=1e-3)

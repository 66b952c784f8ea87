"""Distances to the baselines: the table's interval, and the wider one of a model that was picked for being first."""

from __future__ import annotations

import numpy as np

from components.evaluation.ahead import differences
from components.evaluation.significance import Bootstrap

USERS, EACH = 300, 3


def _ask(rng: np.random.Generator, shifts: list[float]) -> np.ndarray:
    """(Q, R) a metric in which users differ, and rows by a shift and noise of their own."""
    user = rng.normal(0, 0.2, USERS).repeat(EACH)
    return np.stack([0.5 + user + shift + rng.normal(0, 0.3, USERS * EACH) for shift in shifts], axis=1)


def _found(values: np.ndarray, kinds: list[str], seed: int = 0) -> list[dict]:
    names = [f"{kind}{i}" for i, kind in enumerate(kinds)]
    return differences(names, kinds, values, Bootstrap(np.repeat(np.arange(USERS), EACH), 300, 0.95, seed))


def test_the_first_of_eight_equal_models_is_seldom_called_ahead() -> None:
    kinds, wrong = ["model"] * 8 + ["baseline"], 0
    for seed in range(60):
        values = _ask(np.random.default_rng(seed), [0.0] * 9)
        first = int(values[:, :8].mean(axis=0).argmax())
        wrong += _found(values, kinds, seed)[first]["ahead"]["sure"] == "yes"
    assert wrong <= 6  # an interval that forgets the choice says so in a fifth of the logs, twelve of sixty


def test_a_model_that_is_better_is_ahead_and_one_that_is_worse_is_not() -> None:
    found = _found(_ask(np.random.default_rng(1), [0.2, -0.2, 0.0]), ["model", "model", "baseline"])
    assert [row.get("ahead", {}).get("sure") for row in found] == ["yes", "no", None]
    assert found[0]["ahead"]["low"] < found[0]["difference"]["low"]  # two could have been picked
    assert found[0]["difference"]["to"] == "baseline2"
    assert found[2] == {}


def test_it_is_ahead_of_every_baseline_or_of_none() -> None:
    rng = np.random.default_rng(2)
    values = _ask(rng, [0.1, 0.0, -0.02])
    values[:, 2] += rng.normal(0, 4.0, USERS).repeat(EACH)  # on average a little behind, and nobody knows how far
    values[:, 2] += values[:, 1].mean() - 0.02 - values[:, 2].mean()
    row = _found(values, ["model", "baseline", "baseline"])[0]
    assert row["difference"]["to"] == "baseline1"
    assert row["difference"]["low"] > 0
    assert row["ahead"]["sure"] == "unsure"


def test_without_baselines_or_with_one_user_nothing_is_said() -> None:
    values = _ask(np.random.default_rng(3), [0.1, 0.0])
    assert _found(values, ["model", "model"]) == [{}, {}]
    alone = differences(["a", "b"], ["model", "baseline"], values, Bootstrap(np.zeros(len(values), int), 50, 0.95, 0))
    assert alone[0]["ahead"] == {"sure": "unsure", "among": 1, "low": None, "high": None}

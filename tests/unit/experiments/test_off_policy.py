"""Off-policy estimates against a world whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from components.errors import DataError
from components.experiments.exploration import explored
from components.experiments.off_policy import Logged, estimates

ITEMS = 5
#: What an item is worth to a person of one of two kinds: the world's truth.
WORTH = np.array([[0.10, 0.20, 0.30, 0.40, 0.05], [0.50, 0.05, 0.10, 0.20, 0.30]])


def world(n: int, explore: float, seed: int) -> tuple[Logged, float]:
    """Decisions of a policy that shows item 0 but for a chance of any; the target knows the best of each kind."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, n // 4, n)
    kind = user % 2
    best = WORTH.argmax(axis=1)[kind]
    shown = np.where(rng.random(n) < explore, rng.integers(0, ITEMS, n), 0)
    chance = explore / ITEMS + np.where(shown == 0, 1 - explore, 0.0)
    reward = (rng.random(n) < WORTH[kind, shown]).astype(float)
    return Logged(user, shown, best[:, None], reward, chance, np.ones((n, 1))), float(WORTH.max(axis=1)[kind].mean())


def estimate(logged: Logged, most: float = 100.0):
    return estimates(logged, most, draws=300, confidence=0.95, seed=0)


def test_the_truth_lies_in_the_intervals_as_often_as_it_should() -> None:
    inside = {"ips": 0, "snips": 0, "robust": 0}
    bias = dict.fromkeys(inside, 0.0)
    runs = 60
    for seed in range(runs):
        logged, truth = world(4_000, 0.4, seed)
        found = estimate(logged)
        assert not found.doubts
        for name in inside:
            one = getattr(found, name)
            inside[name] += one.low <= truth <= one.high
            bias[name] += (one.value - truth) / runs
    assert min(inside.values()) >= 0.85 * runs
    assert max(abs(one) for one in bias.values()) < 0.01


def test_the_mean_of_what_was_served_is_no_estimate_of_the_target() -> None:
    logged, truth = world(4_000, 0.4, 1)
    found = estimate(logged)
    assert found.served.high < truth


def test_a_reward_model_narrows_the_interval() -> None:
    widths = {"ips": 0.0, "robust": 0.0}
    for seed in range(10):
        found = estimate(world(4_000, 0.4, seed)[0])
        for name in widths:
            one = getattr(found, name)
            widths[name] += one.high - one.low
    assert widths["robust"] < widths["ips"]


def test_clipping_is_told_and_biases_downwards() -> None:
    logged, truth = world(8_000, 0.2, 3)
    free, cut = estimate(logged), estimate(logged, most=5.0)
    assert free.clipped == 0.0
    assert cut.clipped > 0.0
    assert cut.ips.value < truth - 0.1
    assert cut.effective >= free.effective


def test_without_exploration_it_says_that_nothing_can_be_said() -> None:
    logged, _ = world(2_000, 0.0, 0)
    found = estimate(logged)
    assert "No overlap: everything was shown with certainty" in found.doubts[0]


def test_a_target_that_was_never_shown_is_told() -> None:
    logged, _ = world(2_000, 0.4, 0)
    never = Logged(logged.user, logged.shown, np.full((2_000, 1), 9), logged.reward, logged.chance, np.ones((2_000, 1)))
    found = estimate(never)
    assert "nothing that the target would show was ever shown" in found.doubts[0]
    assert found.effective == 0.0
    assert np.isnan(found.snips.value)


def test_support_that_is_partly_missing_is_told() -> None:
    logged, truth = world(4_000, 0.4, 0)
    keep = (logged.shown != 3) | (logged.wanted[:, 0] != 3)  # half the target's decisions are never seen
    part = Logged(*(getattr(logged, name)[keep] for name in ("user", "shown", "wanted", "reward", "chance", "target")))
    found = estimate(part)
    assert any("The weights average 0." in doubt for doubt in found.doubts)
    assert found.ips.value < truth


def test_chances_that_are_not_true_are_told() -> None:
    logged, _ = world(4_000, 0.4, 0)
    wrong = Logged(logged.user, logged.shown, logged.wanted, logged.reward, logged.chance / 2, logged.target)
    assert any("the logged chances are not the true ones" in doubt for doubt in estimate(wrong).doubts)


@pytest.mark.parametrize("chance", [0.0, -0.1, 1.1, np.nan])
def test_chances_must_be_chances(chance: float) -> None:
    one = np.zeros(1, np.int64)
    with pytest.raises(DataError, match="the chance of each"):
        Logged(one, one, one[:, None], np.ones(1), np.array([chance]), np.ones((1, 1)))


@pytest.mark.parametrize("chance", [0.3, 1.0])
def test_exploration_keeps_its_promise(chance: float) -> None:
    items = list("abcd")
    told: dict[tuple[int, str], float] = {}
    count = np.zeros((4, 4))
    for n in range(20_000):
        shown, chances = explored(items, chance, f"seed{n}")
        assert sorted(shown) == items
        for place, (item, one) in enumerate(zip(shown, chances, strict=True)):
            assert told.setdefault((place, item), one) == one  # a chance belongs to item and place
            count[place, items.index(item)] += 1
    for place in range(4):
        expected = np.array([told.get((place, item), 0.0) for item in items])
        assert expected.sum() == pytest.approx(1.0)
        seen = expected > 0
        assert count[place, ~seen].sum() == 0
        assert chisquare(count[place, seen], 20_000 * expected[seen]).pvalue > 0.001 if seen.sum() > 1 else True


def test_no_exploration_changes_nothing() -> None:
    assert explored(["a", "b"], 0.0, "x") == (["a", "b"], [1.0, 1.0])
    assert explored(["a"], 1.0, "x") == (["a"], [1.0])


def test_the_reward_model_tells_users_by_others_only() -> None:
    user, shown = np.array([0, 1, 2]), np.array([0, 1, 0])
    wanted, reward = np.array([[1], [0], [1]]), np.array([1.0, 0.0, 1.0])
    found = estimate(Logged(user, shown, wanted, reward, np.ones(3), np.ones((3, 1))))
    assert found.robust.value == pytest.approx(1 / 3)  # no weight: the model's word alone

"""Who gets what: evenly, for good, and independently of any other experiment."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, kstest

from components.experiments.assignment import arm_of, place
from tests.experiments import plan

USERS = [f"u{n:06d}" for n in range(20_000)]


def test_places_are_uniform() -> None:
    places = np.array([place("salt", user) for user in USERS])
    assert kstest(places, "uniform").pvalue > 0.01
    assert places.min() >= 0
    assert places.max() < 1


def test_two_salts_are_independent() -> None:
    first, second = (np.array([place(salt, user) for user in USERS]) for salt in ("one", "two"))
    table = np.histogram2d(first, second, bins=8, range=[[0, 1], [0, 1]])[0]
    assert chi2_contingency(table).pvalue > 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def test_a_salt_does_not_run_into_the_user() -> None:
    assert place("ab", "c") != place("a", "bc")


def test_any_string_is_a_user() -> None:
    assert 0 <= place("salt", "\ud800") < 1


@settings(deadline=None)
@given(st.text(max_size=40), st.floats(0.01, 0.98), st.floats(0.001, 0.99))
def test_a_larger_share_moves_only_users_to_the_challenger(user: str, share: float, more: float) -> None:
    larger = share + (0.99 - share) * more
    before, after = arm_of(plan(share=share), user), arm_of(plan(share=larger), user)
    if before != after:
        assert (before, after) == ("champion", "challenger")
        assert share <= place("salt", user) < larger


def test_the_share_is_kept() -> None:
    one = plan(share=0.2)
    share = np.mean([arm_of(one, user) == "challenger" for user in USERS])
    assert abs(share - 0.2) < 0.01

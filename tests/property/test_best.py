"""The compiled choice is that of a stable sort, whatever the ties, gaps and filters."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ranking.best import best


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.sampled_from([-np.inf, -3.0, -1.5, 0.0, 0.5, 2.0, 7.0, np.nan]), max_size=200),
    st.integers(0, 210),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_the_best_are_those_of_a_stable_sort(values: list[float], count: int, seed: int, filtered: bool) -> None:
    value = np.array(values, np.float32)
    allowed = np.random.default_rng(seed).random(len(value)) < 0.6 if filtered else np.zeros(0, np.bool_)
    _is_a_stable_sort(value, allowed, count)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.integers(60, 130), st.integers(0, 4_000), st.sampled_from([0.0, 0.3, 0.7, 0.9]),
    st.integers(0, 9),
)  # fmt: skip
def test_a_guess_at_the_least_of_many_leaves_nothing_out(
    seed: int, count: int, n: int, barred: float, odd: int
) -> None:
    rng = np.random.default_rng(seed)
    value = rng.integers(0, rng.integers(1, 3 * n + 2), n).astype(np.float32)
    value[::64] *= rng.choice([0, 1, 9])  # so that a sample of them is no fair one
    value[rng.random(n) < odd / 10] = rng.choice([np.nan, np.inf, -np.inf, 1e9])
    _is_a_stable_sort(value, rng.random(n) >= barred, count)


def _is_a_stable_sort(value: np.ndarray, allowed: np.ndarray, count: int) -> None:
    use = np.isfinite(value) & (allowed if len(allowed) else True)
    order = np.argsort(-np.where(use, value, -np.inf), kind="stable")
    np.testing.assert_array_equal(best(value, allowed, count), order[: min(count, int(use.sum()))])


def test_what_comes_after_many_that_are_smaller_is_found_and_what_is_no_number_hides_nothing() -> None:
    value = np.zeros(1_000, np.float32)
    value[700], value[703], value[710:] = 5.0, 4.0, np.nan
    value[999] = 3.0
    np.testing.assert_array_equal(best(value, np.zeros(0, np.bool_), 4), [700, 703, 999, 0])

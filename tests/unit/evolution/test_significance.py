"""p-values are valid under the null, false discoveries are held, shuffles stay in their groups."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.evolution.record import plain
from components.evolution.shuffles import bounds_of, shuffle_groups
from components.evolution.significance import adjusted, mean_by_user, p_value


def test_p_values_by_hand() -> None:
    null = np.array([1.0, 2.0, 3.0, 4.0])
    assert p_value(np.array(4.0), null, "greater") == 2 / 5
    assert p_value(np.array(0.0), null, "less") == 1 / 5
    assert p_value(np.array(5.0), null, "both") == 2 / 5
    assert np.isnan(p_value(np.array(np.nan), null, "both"))


def test_at_most_the_nominal_rate_under_the_null() -> None:
    rng = np.random.default_rng(0)
    p = p_value(rng.integers(0, 6, 4000).astype(float), rng.integers(0, 6, (199, 4000)).astype(float), "both")
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 4000)


def test_benjamini_hochberg_by_hand_and_nan_stays() -> None:
    found = adjusted(np.array([0.01, np.nan, 0.04, 0.03]))
    np.testing.assert_allclose(found, [0.03, np.nan, 0.04, 0.04])


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(0, 99))
def test_shuffles_stay_within_groups(groups: list[int], seed: int) -> None:
    group = np.sort(np.array(groups, int))
    rows = np.arange(len(group))
    shuffle_groups(rows, bounds_of(group), np.random.default_rng(seed))
    assert sorted(rows) == list(range(len(group)))
    np.testing.assert_array_equal(group[rows], group)


def test_every_order_is_as_likely() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(6000):
        rows = np.arange(3)
        shuffle_groups(rows, np.array([0, 3]), rng)
        seen.append(rows @ [9, 3, 1])
    count = np.unique(seen, return_counts=True)[1]
    assert len(count) == 6
    assert np.abs(count - 1000).max() < 5 * np.sqrt(1000)


def test_interval_covers_and_one_user_has_none() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        centre = rng.normal(0, 1, 30)
        found = mean_by_user(centre * 5, np.full(30, 5.0), 200, 0.95, seed)
        hits += found.low <= 0 <= found.high
    assert hits >= 178
    assert np.isnan(mean_by_user(np.ones(1), np.ones(1), 10, 0.95, 0).low)
    assert plain(mean_by_user(np.ones(1), np.zeros(1), 10, 0.95, 0))["value"] is None

"""Ranks by comparison: ties, NaN, filtering, and agreement with sorting."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluation.ranks import rank_by_dot, rank_dense, top_items


def naive(scores: np.ndarray, target: int, without: set[int] = frozenset()) -> float:
    """The rank by the book, one item after another."""
    if target in without:
        return float("inf")
    own = scores[target]
    others = [s for code, s in enumerate(scores) if code >= 2 and code != target and code not in without]
    greater = sum(1 for s in others if not s <= own)  # NaN counts as greater
    return 1 + greater + 0.5 * sum(1 for s in others if s == own)


@pytest.mark.parametrize(("rows", "items"), [(1, 3), (70, 9), (130, 2051), (65, 5000)])
def test_ranks_agree_with_counting_one_by_one(rows: int, items: int) -> None:
    rng = np.random.default_rng(items)
    scores = rng.integers(0, 40, (rows, items + 2)).astype(np.float32)  # many ties
    target = rng.integers(2, items + 2, rows)
    expected = [naive(scores[i], int(target[i])) for i in range(rows)]
    np.testing.assert_allclose(rank_dense(scores, target), expected)


def test_a_constant_scorer_gets_the_middle_and_is_never_better_than_chance() -> None:
    scores = np.zeros((50, 102), np.float32)
    ranks = rank_dense(scores, np.arange(2, 52))
    assert (ranks == 50.5).all()
    for k in (1, 5, 10, 20):
        assert (ranks <= k).mean() <= k / 100


def test_a_random_scorer_hits_k_in_the_catalogue() -> None:
    rng = np.random.default_rng(0)
    ranks = rank_dense(rng.random((4000, 102)).astype(np.float32), rng.integers(2, 102, 4000))
    assert (ranks <= 10).mean() == pytest.approx(0.1, abs=0.015)


def test_not_a_number_never_wins() -> None:
    scores = np.full((3, 12), np.nan, np.float32)
    scores[1, 5] = 1.0  # the target alone has a score: everything else counts as greater
    scores[2] = 0.0
    scores[2, 4] = np.nan  # the target has none
    assert rank_dense(scores, np.array([3, 5, 4])).tolist() == [10.5, 10.0, 10.5]


def test_padding_and_unknown_are_not_ranked() -> None:
    scores = np.array([[9, 9, 1, 2, 0]], np.float32)
    assert rank_dense(scores, np.array([3])).tolist() == [1.0]


def test_filtered_items_leave_the_ranking_and_a_filtered_target_is_a_miss() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 9, (40, 32)).astype(np.float32)
    target = rng.integers(2, 32, 40)
    seen = [set(rng.choice(np.arange(1, 32), 6, replace=False).tolist()) for _ in range(40)]
    pairs = np.array([(q, i) for q, items in enumerate(seen) for i in sorted(items)]).T
    order = rng.permutation(pairs.shape[1])
    found = rank_dense(scores, target, (pairs[0][order], pairs[1][order]))
    np.testing.assert_array_equal(found, [naive(scores[q], int(target[q]), seen[q]) for q in range(40)])
    assert np.isinf(found).any()


def test_several_answers_of_one_query() -> None:
    scores = np.array([[0, 0, 5, 4, 3], [0, 0, 1, 2, 3]], np.float32)
    found = rank_dense(scores, np.array([2, 4, 2]), None, np.array([0, 0, 1]))
    assert found.tolist() == [1.0, 3.0, 3.0]


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_ranking_by_dot_products_is_ranking_their_matrix(rows: int) -> None:
    rng = np.random.default_rng(rows)
    states, table = rng.integers(-3, 4, (rows, 8)).astype(np.float32), rng.integers(-3, 4, (901, 8)).astype(np.float32)
    target = rng.integers(2, 901, rows)
    np.testing.assert_array_equal(rank_by_dot(states, table, target), rank_dense(states @ table.T, target))


def test_top_items_leaves_out_the_seen_and_fills_with_nothing() -> None:
    scores = np.array([[9, 9, 1, 3, 2]], np.float32)
    codes, _ = top_items(scores, 4, (np.array([0]), np.array([3])))
    assert codes.tolist() == [[4, 2, 0, 0]]

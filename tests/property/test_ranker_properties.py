"""What must hold of the ranker on any log: a distribution, each item once, one query as many, no view of the future."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluation.protocol import make_queries
from components.features.store import Store
from components.predictor import Queries, Window
from components.ranking.candidates import Candidates
from components.ranking.look import Look
from components.ranking.ranker import RankerPredictor
from tests.rankers import RULES, ranker_of
from tests.toy import toy_store

quick = settings(max_examples=6, deadline=None, derandomize=True)
seeds = st.integers(0, 3)
patterns = st.sampled_from(["markov", "habit", "random"])


@cache
def made(pattern: str, seed: int, given_time: bool = True) -> tuple[Store, RankerPredictor, Queries]:
    log = toy_store(n_users=12, n_items=30, events_per_user=30, pattern=pattern, seed=seed)
    rules = RULES if given_time else replace(RULES, target_time="hidden")
    ranker = ranker_of(log, rules=rules, candidates={"history": 5, "each": 2, "total": 12})
    return log, ranker, make_queries(Window(log, "test"), rules)[0]


def look(ranker: RankerPredictor, queries: Queries) -> Look:
    return ranker.looker.look(ranker.parts, queries)


@quick
@given(patterns, seeds)
def test_an_answer_is_a_distribution_with_the_candidates_in_front(pattern: str, seed: int) -> None:
    _, ranker, queries = made(pattern, seed)
    item = ranker.score(queries).item
    assert np.exp(item.astype(np.float64)).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert np.isneginf(item[:, :2]).all()
    assert np.isfinite(item[:, 2:]).all()
    found = look(ranker, queries).candidates
    inside = np.zeros(item.shape, bool)
    inside[found.query, found.item] = True
    least = np.where(inside, item, np.inf).min(axis=1)
    assert (np.where(inside, -np.inf, item).max(axis=1) < least).all()


@quick
@given(patterns, seeds)
def test_no_candidate_is_ranked_twice(pattern: str, seed: int) -> None:
    _, ranker, queries = made(pattern, seed)
    found: Candidates = look(ranker, queries).candidates
    assert (np.diff(found.offsets) == 12).all()
    assert len(np.unique(found.query * 100 + found.item)) == len(found)
    assert found.item.min() >= 2


@quick
@given(patterns, seeds, st.booleans())
def test_one_query_is_looked_at_as_many_are(pattern: str, seed: int, given_time: bool) -> None:
    _, ranker, queries = made(pattern, seed, given_time)
    together = look(ranker, queries)
    scored = ranker.score(queries).item
    for one in range(0, len(queries), 7):
        part = slice(one, one + 1)
        alone = look(ranker, queries[part])
        low, high = together.candidates.offsets[one], together.candidates.offsets[one + 1]
        assert alone.candidates.item.tolist() == together.candidates.item[low:high].tolist()
        assert alone.table == pytest.approx(together.table[low:high], rel=1e-4, abs=1e-6)
        assert ranker.score(queries[part]).item[0] == pytest.approx(scored[one], abs=1e-3)


@quick
@given(patterns, seeds, st.booleans(), st.integers(0, 1000))
def test_nothing_at_or_after_the_query_is_seen(pattern: str, seed: int, given_time: bool, draw: int) -> None:
    log, ranker, queries = made(pattern, seed, given_time)
    one = draw % len(queries)
    part = queries[one : one + 1]
    row = int(part.stop[0])
    future = np.asarray(log["time_s"]) >= log["time_s"][row]
    future[part.start[0] : row] = False  # a tie of the own history is visible
    rng = np.random.default_rng(draw)
    columns = {name: np.asarray(column).copy() for name, column in log.columns.items()}
    for name in ("item", "action", "session", "cell_6", "cell_8", "local_hour", "local_weekday"):
        columns[name][future] = rng.permutation(columns[name][future])
    for name in ("latitude", "longitude", "distance_km"):
        columns[name][future] = rng.random(int(future.sum()))
    for name in ("time_s", "gap_s"):
        columns[name][future] += rng.integers(1, 10**6, int(future.sum()))
    altered = replace(part, store=replace(log, columns=columns))
    if not given_time:
        assert part.time_s[0] < log["time_s"][row]
    first, second = look(ranker, part), look(ranker, altered)
    assert first.candidates.item.tolist() == second.candidates.item.tolist()
    assert np.array_equal(first.table, second.table)

"""How trees are grown: from the mixture on, and on as many queries as the params say."""

from __future__ import annotations

import numpy as np
import pytest

from components.predictor import Window
from components.ranking.forest import Forest
from components.ranking.grow import grow
from components.ranking.lessons import Lessons, lessons_of
from tests.rankers import ranker_of, ranker_params
from tests.toy import toy_store


def lessons(queries: int, seed: int, sharp: float) -> Lessons:
    """Ten candidates a query, of which the mixture prefers the answer by `sharp` nats; one column that says nothing."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 10, queries)
    own = np.exp(rng.normal(0, 0.1, (queries, 10)))
    own[np.arange(queries), place] *= np.exp(sharp)
    table = rng.random((queries * 10, 1)).astype(np.float32)
    sizes, inside, one = np.full(queries, 10), np.ones(queries), np.ones(queries, np.int64)
    right = (np.arange(10) == place[:, None]).ravel()
    return Lessons(table, own.ravel(), sizes, right, one, inside, np.arange(queries))


def test_what_the_mixture_knows_needs_no_tree() -> None:
    trees = ranker_params().trees
    text, curve = grow(lessons(80, 0, 8.0), lessons(40, 1, 8.0), ["nothing"], trees, 7)
    assert curve[0] == 1.0
    assert np.abs(Forest.read(text, "here").value).max() < 0.05
    _, blind = grow(lessons(80, 0, 0.0), lessons(40, 1, 0.0), ["nothing"], trees, 7)
    assert max(blind) < 0.9


@pytest.mark.parametrize("holdout", [0.1, 0.25, 0.5])
def test_as_many_queries_stop_the_growth_as_the_params_say(holdout: float) -> None:
    log = toy_store(pattern="markov", n_users=60, n_items=80)  # a last day of a quarter of all questions
    ranker = ranker_of(log, since="blend", holdout=holdout)
    window = Window(log, "blend")
    params = ranker_params(since="blend", holdout=holdout)
    older, newer = lessons_of(ranker.parts, [(window, ranker._questions(window))], ranker.looker, params, 7)
    assert len(newer.sizes) / (len(older.sizes) + len(newer.sizes)) == pytest.approx(holdout, abs=0.06)

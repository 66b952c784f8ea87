"""What the ranker is for: it is right where no part alone is, and does no harm where one is enough."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from components.evaluation.judge import judge
from components.features.store import Store
from components.memory.predictor import CounterPredictor
from components.predictor import NoTracker, Predictor, Window
from components.ranking.blend import BlendPredictor
from tests.rankers import PARAMS, RULES, ranker_of
from tests.toy import toy_store


def two_rules(seed: int = 0) -> Store:
    """In the morning a user goes back to one of two own items; in the evening the item after the last one follows.

    Neither habits nor successors know the other half of the day, and only the hour tells which half it is.
    """
    log = toy_store(n_users=60, n_items=40, events_per_user=60, pattern="random", seed=seed)
    rng = np.random.default_rng(seed)
    item = np.asarray(log["item"]).copy()
    favourite = rng.integers(2, 42, (log.n_users, 2))
    evening = np.asarray(log["local_hour"]) >= 12
    for user in range(log.n_users):
        for row in range(log.offsets[user], log.offsets[user + 1]):
            if not evening[row] or row == log.offsets[user]:
                item[row] = favourite[user, rng.integers(2)]
            else:
                item[row] = 2 + (item[row - 1] - 1) % 40
    return replace(log, columns={**log.columns, "item": item.astype(np.int32)})


def ndcg(predictor: Predictor, log: Store) -> float:
    told = judge(copy.deepcopy(predictor), Window(log, "test"), RULES, max_queries=10**6, seed=0)
    return float(np.nanmean(told.metric("ndcg@10")))


@pytest.fixture(scope="module")
def log() -> Store:
    return two_rules()


@pytest.fixture(scope="module")
def parts(log: Store) -> dict[str, Predictor]:
    found: dict[str, Predictor] = {}
    for name in ("user_frequency", "markov"):
        found[name] = CounterPredictor(name, PARAMS.memory)
        found[name].fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    return found


@pytest.mark.parametrize("method", ["trees", "gate"])
def test_it_beats_each_part_and_their_plain_mixture_where_both_are_needed(
    log: Store, parts: dict[str, Predictor], method: str
) -> None:
    ranked = ndcg(ranker_of(log, parts, method=method), log)
    blend = BlendPredictor(parts, PARAMS.training.blend, RULES)
    blend.fit_weights(Window(log, "blend"))
    alone = {name: ndcg(part, log) for name, part in parts.items()}
    assert ranked > max(alone.values()) + 0.1, alone
    assert ranked > ndcg(blend, log) + 0.02


def test_it_does_no_harm_where_one_part_is_enough() -> None:
    log = toy_store(n_users=60, pattern="habit", events_per_user=60)
    counter = CounterPredictor("user_frequency", PARAMS.memory)
    counter.fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    assert ndcg(ranker_of(log, {"user_frequency": counter}), log) > ndcg(counter, log) - 0.01

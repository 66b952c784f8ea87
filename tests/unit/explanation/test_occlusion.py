"""What leaving events out tells: what the predictor says of the shorter history; and it finds what was planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from components import learners
from components.evaluation.protocol import Protocol, make_queries
from components.explanation.occlusion import FLOOR, asked_without, occlude
from components.features.store import Store
from components.memory.predictor import MemoryPredictor
from components.params import load_params
from components.predictor import NoTracker, Predictor, Queries, Scores, Window
from components.ranking.blend import BlendPredictor
from tests.conftest import ROOT
from tests.networks import fitted, predictor
from tests.toy import toy_store

PARAMS = load_params(ROOT / "params.yaml")
RULES = Protocol.of(PARAMS.evaluation)


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov")


def memory(log: Store) -> Predictor:
    one = MemoryPredictor(PARAMS.memory)
    one.fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    return one


def network(log: Store) -> Predictor:
    return fitted(log, predictor("gru", RULES, loop={"epochs": 1}))


def blend(log: Store) -> Predictor:
    return BlendPredictor({"memory": memory(log), "gru": network(log)}, PARAMS.training.blend, RULES)


def neighbours(log: Store) -> Predictor:
    """Knows users by their ids: nobody is a neighbour of their own."""
    one = learners.build("user_knn", PARAMS)
    one.fit(Window(log, "train"), Window(log, "tune"), NoTracker())
    return one


def question(log: Store, n: int = 5) -> Queries:
    queries, _ = make_queries(Window(log, "test"), RULES)
    return queries[n : n + 1]


@pytest.mark.parametrize("make", [memory, network, blend, neighbours])
def test_an_effect_is_the_difference_of_two_answers(log: Store, make: Callable[[Store], Predictor]) -> None:
    one, query = make(log), question(log)
    items = np.argsort(-one.score(query).item[0])[:2]
    found = occlude(one, query, items, max_events=6)
    n = int(query.stop[0] - query.start[0])
    assert found.event.tolist() == list(range(n - 6, n))
    assert found.whole == pytest.approx(one.score(query).item[0, items].astype(float), abs=1e-5)
    gone = 3  # one of the six, asked alone
    keep = np.ones((1, n), bool)
    keep[0, found.event[gone]] = False
    alone = one.score(asked_without(query, keep)).item[0, items]
    assert found.effect[gone] == pytest.approx(found.whole - alone, abs=1e-5)
    item = np.asarray(log["item"])[int(query.start[0]) : int(query.stop[0])]
    assert found.group.tolist() == list(dict.fromkeys(item[::-1][:6].tolist()))[::-1]
    alone = one.score(asked_without(query, (item != found.group[-1])[None])).item[0, items]
    assert found.group_effect[-1] == pytest.approx(found.whole - alone, abs=1e-5)
    only = one.score(asked_without(query, (item == found.group[-1])[None])).item[0, items]
    assert found.group_alone[-1] == pytest.approx(only - found.nothing, abs=1e-5)
    only = one.score(asked_without(query, ~keep)).item[0, items]
    assert found.alone[gone] == pytest.approx(only - found.nothing, abs=1e-5)
    assert found.worth == pytest.approx((found.effect + found.alone) / 2)
    nothing = one.score(asked_without(query, np.zeros((1, n), bool))).item[0, items]
    assert found.nothing == pytest.approx(nothing, abs=1e-5)


def test_the_event_that_decides_is_found(log: Store) -> None:
    """On a log where each item follows another, the last event carries the next item."""
    one = memory(log)
    right = 0
    for n in range(10):
        query = question(log, n)
        last = int(log["item"][query.stop[0] - 1])
        follows = 2 + (last - 2 + 1) % 20
        found = occlude(one, query, np.array([follows]), max_events=20)
        right += int(np.argmax(found.effect[:, 0])) == len(found.event) - 1
    assert right >= 9


def test_a_new_user_has_no_events_to_leave_out(log: Store) -> None:
    query = question(log)
    empty = Queries(**{**vars(query), "stop": query.start})
    found = occlude(memory(log), empty, np.array([2, 3]), max_events=5)
    assert found.effect.shape == (0, 2)
    assert found.group_effect.shape == (0, 2)
    assert found.whole == pytest.approx(found.nothing)


def test_a_hidden_time_is_that_of_what_is_left(log: Store) -> None:
    hidden, _ = make_queries(Window(log, "test"), Protocol("temporal", "hidden", "online", "kept", "miss", "source"))
    query = hidden[4:5]
    n = int(query.stop[0] - query.start[0])
    keep = np.ones((3, n), bool)
    keep[1, -1], keep[2] = False, False
    found = asked_without(query, keep)
    times = np.asarray(log["time_s"])
    assert found.time_s.tolist() == [times[query.stop[0] - 1], times[query.stop[0] - 2], query.time_s[0]]
    query = question(log)
    given = asked_without(query, np.zeros((2, int(query.stop[0] - query.start[0])), bool))
    assert (given.time_s == query.time_s[0]).all()


def test_an_impossible_item_is_no_infinity(log: Store) -> None:
    class Sure:
        def score(self, queries: Queries) -> Scores:
            item = np.full((len(queries), log.encoding.n_items), -np.inf, np.float32)
            item[:, 2] = 0.0
            return Scores(item)

    found = occlude(Sure(), question(log), np.array([2, 3]), max_events=5)  # type: ignore[arg-type]
    assert found.whole.tolist() == [0.0, FLOOR]
    assert not found.effect.any()

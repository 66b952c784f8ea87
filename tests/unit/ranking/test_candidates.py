"""Candidates: from every voice, each once, the likeliest first where places are few."""

from __future__ import annotations

import numpy as np
import pytest

from components.memory.ask import Ask
from components.memory.counter import Popularity
from components.memory.share import Share
from components.params import CandidateParams
from components.ranking.candidates import Candidates, choose
from components.ranking.evidence import Evidence
from tests.unit.memory.logs import asking, store_of

V = 12


def evidence(shares: dict[str, Share]) -> Evidence:
    """User 0 met items 2, 3, 2, 4, 4 in this order."""
    store = store_of([(0, 2, 0.0), (0, 3, 1.0), (0, 2, 2.0), (0, 4, 3.0), (0, 4, 4.0)], n_items=V - 2)
    return Evidence(Ask(asking(store), 500), Popularity(np.zeros(V), np.full(V, 0.1)), shares, {})


def found(shares: dict[str, Share], mixture: list[float] | None = None, **params: int) -> list[int]:
    block = np.zeros((1, V), np.float32) if mixture is None else np.array([[0, 0, *mixture]], np.float32)
    return choose(evidence(shares), block, CandidateParams(**params)).item.tolist()


def dense(*best: int) -> Share:
    table = np.full((1, V), 1e-6, np.float32)
    table[0, list(best)] = 0.1 + 0.1 * np.arange(len(best))
    return Share(np.zeros(1), dense=table)


def pairs(items: list[int], weights: list[float]) -> Share:
    return Share(np.zeros(1), pairs=(np.zeros(len(items), np.int64), np.array(items), np.array(weights)))


def test_the_newest_items_of_the_history() -> None:
    likes = [0.0] * 7 + [0.5, 0.0, 0.0]
    assert found({}, likes, history=2, each=0, total=2) == [2, 4], "two items, not two events"
    assert set(found({}, history=3, each=0, total=4)) >= {2, 3, 4}


def test_the_best_of_every_voice() -> None:
    shares = {"dense": dense(7, 9), "pairs": pairs([5, 6, 10], [0.1, 0.5, 0.3])}
    assert found(shares, history=0, each=2, total=4) == [6, 7, 9, 10]
    vector = Share(np.ones(1), vectors=((np.arange(V, dtype=float), np.ones(1)),))
    assert found({"vector": vector}, history=0, each=3, total=3) == [9, 10, 11]


def test_the_mixture_fills_what_is_left_and_decides_where_there_are_too_many() -> None:
    likes = [0.0, 0.0, 0.0, 0.3, 0.0, 0.4, 0.0, 0.0, 0.0, 0.0]
    assert found({"dense": dense(9)}, likes, history=0, each=1, total=3) == [5, 7, 9]
    shares = {"dense": dense(5, 7), "pairs": pairs([8, 9], [0.5, 0.5])}
    assert found(shares, likes, history=0, each=2, total=2) == [5, 7]


def test_a_mixture_that_is_no_number_fills_every_place_all_the_same() -> None:
    likes = [np.nan] * 3 + [0.3] + [np.nan] * 6
    assert found({"dense": dense(9)}, likes, history=0, each=1, total=4) == [2, 3, 5, 9]
    assert found({"dense": dense(5, 7, 9)}, [np.nan] * 10, history=0, each=3, total=2) == [5, 7]


def test_nobody_is_asked_twice_and_reserved_codes_never() -> None:
    shares = {"one": dense(0, 1, 4), "two": dense(4, 3), "three": pairs([4, 4, 3], [0.2, 0.2, 0.1])}
    items = found(shares, history=5, each=5, total=200)
    assert items == list(range(2, V)), "no more than there are"


def test_candidates_know_their_query() -> None:
    two = Candidates(np.array([0, 2, 5]), np.array([3, 7, 2, 3, 9]))
    assert two.query.tolist() == [0, 0, 1, 1, 1]


def test_more_than_two_hundred_are_refused() -> None:
    with pytest.raises(ValueError, match="total"):
        CandidateParams(history=10, each=10, total=201)

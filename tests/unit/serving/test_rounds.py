"""A thread's work goes on whatever it throws, and says so once; tries become more seldom."""

from __future__ import annotations

import itertools
import logging
import threading

import pytest

from components.errors import ServiceError
from components.serving.rounds import Tries, every, plainly


def test_a_round_that_throws_is_told_once_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    stop, rounds = threading.Event(), [0]

    def work() -> None:
        rounds[0] += 1
        if rounds[0] == 9:
            stop.set()
        if rounds[0] < 5:
            raise KeyError("alice@example.com")

    with caplog.at_level(logging.INFO):
        every(0.0, stop, work, "a round").join(timeout=10)
    assert rounds[0] == 9
    told = [one.getMessage() for one in caplog.records]
    assert len(told) == 2
    assert told[0].startswith("a round cannot be done just now: KeyError in test_rounds.py:")
    assert told[1] == "a round goes on"


def test_only_errors_that_were_foreseen_are_told_in_full() -> None:
    assert plainly(ServiceError("redis", found="none", do="Start it.")) == "Needed redis; found none. Start it."
    assert plainly(ValueError("u1 did this")) == "ValueError"


def test_tries_become_more_seldom() -> None:
    tries, tried = Tries(), []
    for number in range(200):
        if tries.due(7):
            tried.append(number)
            tries.failed(7, for_good=False)
    assert tried[:6] == [0, 1, 3, 7, 15, 31]
    assert max(b - a for a, b in itertools.pairwise(tried)) <= 64
    assert tries.due(8)
    tries.failed(8, for_good=True)
    assert not any(tries.due(8) for _ in range(200))

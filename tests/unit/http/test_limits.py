"""Buckets of tokens: what is taken comes back with time, and nobody's memory grows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bento.guard.limits import Buckets
from components.params import RateParams


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    one = Buckets(RateParams(per_s=2, burst=3), 10, clock)
    assert [one.take("a") for _ in range(3)] == [0, 0, 0]
    assert one.take("a") == 0.5
    assert one.wait_s("a") == 0.5
    clock.now += 0.5
    assert one.wait_s("a") == 0
    assert one.take("a") == 0
    assert one.take("a") > 0
    assert one.take("b") == 0, "another has a bucket of its own"
    clock.now += 1000
    assert [one.take("a") for _ in range(4)].count(0.0) == 3, "no more than fit"


def test_the_longest_silent_is_forgotten() -> None:
    one = Buckets(RateParams(per_s=0.001, burst=1), 2, Clock())
    assert one.take("a") == 0
    assert one.take("b") == 0
    assert one.take("a") > 0
    assert one.take("c") == 0
    assert len(one) == 2
    assert one.take("b") == 0, "it left, and has a full bucket"


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_more_than_the_burst_and_the_rate_ever_pass(pauses: list[float]) -> None:
    clock = Clock()
    one = Buckets(RateParams(per_s=3, burst=5), 10, clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += one.take("a") == 0
    assert passed <= 5 + 3 * sum(pauses) + 1e-6

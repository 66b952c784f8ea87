"""What a worker keeps of an experiment gives the same lines as all that was shown and all that happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence
from components.experiments.outcomes import outcomes
from components.experiments.tally import Tally
from components.serving.state.memory import MemoryState
from components.serving.state.newest import Newest
from components.serving.state.protocol import Stored
from tests.experiments import HOUR_US, START_US, did, plan, shown

USERS, ITEMS = ["ann", "bob", "cid"], ["a", "b", "c"]
PLAN = plan(window_h=6, horizon_h=3, rewards={"view": 1.0, "buy": 5.0})
OTHER = {"champion": "challenger", "challenger": "champion"}
times = st.integers(0, 24).map(lambda half: half / 2)
seen = st.tuples(
    st.just("seen"), st.sampled_from(USERS), st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3), times,
    st.sampled_from(["l1", "l2", "l3"]), st.integers(0, 19),
)  # fmt: skip
happened = st.tuples(
    st.just("did"), st.sampled_from(USERS), st.sampled_from(ITEMS), times, st.sampled_from(["view", "buy", "like"])
)
#: A look is taken so much later than the one before; what it asks of the log first, second … fails (0: nothing does).
look = st.tuples(st.just("look"), st.integers(0, 8), st.integers(0, 4))
steps = st.one_of(seen, happened, look, st.tuples(st.just("forget"), st.sampled_from(USERS)))


class Failing(MemoryState):
    """A state that fails once, at one of its calls to come."""

    calls = 0

    def _called(self) -> None:
        self.calls -= 1
        if self.calls == 0:
            raise OSError

    def last(self, user_id: str, n: int) -> Newest:
        self._called()
        return super().last(user_id, n)

    def after(self, offset: int, limit: int) -> list[Stored]:
        self._called()
        return super().after(offset, limit)


def _looked(tally: Tally, state: Failing, calls: int) -> None:
    """Follow; once more where it fails."""
    state.calls = calls
    try:
        tally.follow(state)
    except OSError:
        tally.follow(state)
    state.calls = 0


def _sent(state: MemoryState, step: tuple[Any, ...]) -> None:
    if step[0] == "seen":
        _, user, items, at_h, name, strange = step
        arm = OTHER[arm_of(PLAN, user)] if not strange else None
        state.append(shown(PLAN, user, items, at_h, f"{name}-{at_h}" if strange > 3 else name, arm))
    elif step[0] == "did":
        state.append([did(*step[1:])])
    else:
        state.forget(step[1])


@settings(max_examples=400, deadline=None)
@given(st.lists(steps, max_size=40))
def test_a_tally_says_what_everything_says_in_any_order(log: list[tuple[Any, ...]]) -> None:
    state, tally, evidence, now_us = Failing(), Tally(PLAN), Evidence(PLAN), START_US
    for step in [*log, ("look", 100, 0)]:
        if step[0] != "look":
            _sent(state, step)
            continue
        now_us += step[1] * HOUR_US
        _looked(tally, state, step[2])
        evidence.follow(state)
        found, strange = tally.outcomes(now_us)
        everything, strangers = outcomes(evidence, now_us)
        assert strange == strangers
        assert_frame_equal(found, everything)
    assert tally.offset == evidence.offset == state.head()
    assert len(tally) == 0 or now_us - START_US < 100 * HOUR_US


@pytest.mark.parametrize("calls", [2, 3])
def test_what_was_read_of_a_batch_that_failed_is_read_again(calls: int) -> None:
    state, tally, evidence = Failing(), Tally(PLAN), Evidence(PLAN)
    for user in ("ann", "bob"):  # what they did came in before they were known to be shown anything
        state.append([did(user, "a", 1.0)])
        state.append(shown(PLAN, user, ["a"], 0.5))
    _looked(tally, state, calls)
    evidence.follow(state)
    assert_frame_equal(tally.outcomes(START_US + HOUR_US)[0], outcomes(evidence, START_US + HOUR_US)[0])


def test_settled_users_are_read_again_where_reading_them_failed() -> None:
    state, tally, sound = Failing(), Tally(PLAN), Tally(PLAN)
    late_us = START_US + 50 * HOUR_US
    state.append([*shown(PLAN, "ann", ["a"], 0.5), *shown(PLAN, "bob", ["a"], 48.0), did("bob", "a", 49.0)])
    for one in (tally, sound):
        one.follow(state)
        one.outcomes(late_us)  # ann is settled, bob is not
    state.append([did("ann", "a", 1.0)])
    _looked(tally, state, 3)  # the log's gain, its end, then all of ann
    sound.follow(state)
    assert (tally.offset, len(tally)) == (sound.offset, len(sound))  # bob's are not kept twice
    assert_frame_equal(tally.outcomes(late_us)[0], sound.outcomes(late_us)[0])

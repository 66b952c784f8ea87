"""What a worker keeps of an experiment gives the same lines as all that was shown and all that happened."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence
from components.experiments.ledger import Ledger
from components.experiments.outcomes import outcomes
from components.serving.state.memory import MemoryState
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
#: A look is taken so much later than the one before.
steps = st.one_of(
    seen, happened, st.tuples(st.just("look"), st.integers(0, 8)), st.tuples(st.just("forget"), st.sampled_from(USERS))
)


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
def test_a_ledger_says_what_everything_says_in_any_order(log: list[tuple[Any, ...]]) -> None:
    state, ledger, evidence, now_us = MemoryState(), Ledger(PLAN), Evidence(PLAN), START_US
    for step in [*log, ("look", 100)]:
        if step[0] != "look":
            _sent(state, step)
            continue
        now_us += step[1] * HOUR_US
        ledger.follow(state)
        evidence.follow(state)
        found, strange = ledger.outcomes(now_us)
        everything, strangers = outcomes(evidence, now_us)
        assert strange == strangers
        assert_frame_equal(found, everything)
    assert ledger.offset == evidence.offset == state.head()
    assert len(ledger) == 0 or now_us - START_US < 100 * HOUR_US

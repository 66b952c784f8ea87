"""Live counts are those of the events, whatever the order in which they came and whoever took them."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.state.memory import MemoryState
from tests.unit.serving.live import SPLIT, START, ask, champion, live_of, log, params, sent, tables

WHOLE = params()
MODEL = champion(log(200).filter(pl.col("timestamp") < SPLIT), WHOLE)
SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def another(live_offset: int = 0) -> Champion:
    """The same model, counting apart."""
    artifact = copy.copy(MODEL.artifact)
    object.__setattr__(artifact, "predictor", copy.deepcopy(MODEL.predictor))
    object.__setattr__(artifact, "lineage", {**MODEL.artifact.lineage, "live_offset": live_offset})
    return Champion(MODEL.entry, artifact)


@st.composite
def live_events(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of few users, many at one moment, some among those of the artifact, some with new items."""
    n = draw(st.integers(1, 25))
    return [
        {
            "user_id": draw(st.sampled_from(["u0", "u1", "newcomer"])),
            "item_id": draw(st.sampled_from(["i0", "i1", "i4", "brand new", "newer"])),
            "action": draw(st.sampled_from(["view", "like"])),
            "timestamp": (START + dt.timedelta(hours=draw(st.integers(24 * 20, 24 * 40)))).isoformat(),
            "event_id": f"e{number}",
        }
        for number in range(n)
    ]


def alike(a: Live, b: Live) -> None:
    one, other = tables(a), tables(b)
    assert set(one) == set(other)
    for name in one:
        if name.endswith("recent_popularity.mass"):  # relative to an instant of its own
            continue
        np.testing.assert_allclose(one[name], other[name], atol=1e-6, err_msg=name)
    for user in ("u0", "newcomer", "u2"):
        x, y = (live.answer(ask(user)) for live in (a, b))
        assert [item.item_id for item in x.items][:5] == [item.item_id for item in y.items][:5]
        np.testing.assert_allclose(
            [item.probability for item in x.items], [item.probability for item in y.items], atol=1e-6
        )


@given(live_events(), st.randoms(use_true_random=False))
@SETTINGS
def test_the_order_of_arrival_and_the_size_of_a_request_change_nothing(
    events: list[dict[str, Any]], random: Any
) -> None:
    at_once, one_by_one = live_of(another()), live_of(another())
    at_once.take("event", sorted(events, key=lambda one: str(one["timestamp"])))
    shuffled = random.sample(events, len(events))
    for event in shuffled:
        one_by_one.take("event", [event])
    alike(at_once, one_by_one)


@given(live_events(), st.data())
@SETTINGS
def test_two_workers_of_one_state_converge(events: list[dict[str, Any]], data: st.DataObject) -> None:
    state = MemoryState()
    workers = [live_of(another(), state) for _ in range(2)]
    for event in events:
        workers[data.draw(st.integers(0, 1))].take("event", [event])
        if data.draw(st.booleans()):
            workers[data.draw(st.integers(0, 1))].follow()
    for worker in workers:
        worker.follow()
    alone = live_of(another())
    alone.take("event", events)
    alike(workers[0], workers[1])
    alike(workers[0], alone)


@given(live_events(), st.data())
@SETTINGS
def test_a_forgotten_user_is_counted_no_more(events: list[dict[str, Any]], data: st.DataObject) -> None:
    state = MemoryState()
    workers = [live_of(another(), state) for _ in range(2)]
    late = live_of(another(), state)  # comes to the log when all is over
    cut = data.draw(st.integers(0, len(events)))
    for event in events[:cut]:
        workers[0].take("event", [event])
        workers[1].follow()
    workers[0].forget("u0")
    for event in events[cut:]:
        workers[1].take("event", [event])
    for worker in (*workers, late):
        worker.follow()
    alike(workers[0], workers[1])
    alike(workers[0], late)
    after = [one for one in events[cut:] if one["user_id"] == "u0"]
    assert len(workers[0].timeline("u0", 100)) == len(after)


def test_forgetting_everybody_leaves_nothing_that_was_counted() -> None:
    live = live_of(another())
    live.take("event", sent(log(200).filter(pl.col("timestamp") >= SPLIT)))
    for user in ("u0", "u1", "u2", "u3", "u4"):
        live.forget(user)
    for name, table in tables(live).items():
        if name.split(".")[-1] not in {"mean", "sigma", "since_s"}:
            np.testing.assert_allclose(table, 0.0, atol=1e-5, err_msg=name)
    assert len(live.of(live.champion).fresh) == 0


def test_a_new_champion_has_caught_up_before_it_takes_over() -> None:
    live = live_of(another())
    events = sent(log(200, seed=3).filter(pl.col("timestamp") >= SPLIT))
    half = live.take("event", events[: len(events) // 2]).offset
    live.take("event", events[len(events) // 2 :])
    successor = another()
    live.prepare(successor)
    live._watch.champion = successor
    alike(live, live_of(another(), live.state))
    assert live.offset == live.state.head() > half


@pytest.mark.parametrize("kept", [3, 8])
def test_an_event_older_than_what_is_kept_is_counted_alone(kept: int) -> None:
    short = WHOLE.model_copy(update={"serving": WHOLE.serving.model_copy(update={"history": kept})})
    live = live_of(another(), whole=short)
    before = tables(live)["count"].sum()
    live.take("event", [{"user_id": "u1", "item_id": "i1", "action": "view", "timestamp": "2025-01-06T00:00:01+00:00"}])
    assert tables(live)["count"].sum() == before + 1
    assert len(live.of(live.champion).history("u1")) == kept

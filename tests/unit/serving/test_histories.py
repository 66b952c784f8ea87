"""A live history is what packing the whole log would give: columns, numbers, order."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from components.events.contract import conform
from components.features.pack import pack
from components.features.store import Store
from components.params import FillParams, NumberParams, Params
from components.registry.artifact import later
from components.serving.fresh import Fresh
from components.serving.insertion import touched
from tests.unit.serving.live import NOW, SPLIT, START, champion, live_of, log, params, rest, sent

WHOLE = params()
#: Whose features look further back: at the day so far, and at the last known value.
FAR = WHOLE.model_copy(
    update={
        "validation": WHOLE.validation.model_copy(update={"max_events_per_user_day": 2}),
        "features": WHOLE.features.model_copy(
            update={
                "numbers": WHOLE.features.numbers
                | {"value": NumberParams(scale="standard", fill=FillParams(rule="interpolate", value=0.0))}
            }
        ),
    }
)


def same(found: Store, wanted: Store, user: str, loose: tuple[str, ...] = ()) -> None:
    """The newest events of one user agree; `loose` may differ by what single precision loses."""
    at = wanted.users.tolist().index(user)
    stop, n = int(wanted.offsets[at + 1]), found.n_events
    part = slice(stop - n, stop)
    for name, column in found.columns.items():
        if name in {"window", "target"}:
            continue
        theirs = np.asarray(wanted[name][part])
        if name in loose:
            np.testing.assert_allclose(column, theirs, atol=2e-3, err_msg=name)
        else:
            np.testing.assert_array_equal(column, theirs, err_msg=name)
    np.testing.assert_array_equal(found.missing, wanted.missing[part])
    for f, name in enumerate(found.encoding.scales):
        tolerance = 2e-2 if name in loose else 0.0
        np.testing.assert_allclose(found.numbers[:, f], wanted.numbers[part, f], atol=tolerance, err_msg=name)


def whole_pack(frame: pl.DataFrame, store: Store) -> Store:
    kept, rejected = conform(frame, WHOLE.events, NOW)
    assert rejected.is_empty()
    return pack(kept, store.encoding, WHOLE)


@pytest.mark.parametrize("whole", [WHOLE, FAR], ids=["plain", "far"])
@pytest.mark.parametrize("seed", [0, 1])
def test_events_after_the_artifact_are_packed_as_the_whole_log_would_be(seed: int, whole: Params) -> None:
    frame = log(seed=seed)
    early, late = frame.filter(pl.col("timestamp") < SPLIT), frame.filter(pl.col("timestamp") >= SPLIT)
    live = live_of(champion(early, whole))
    for one in sent(late):
        live.take("event", [one])
    wanted = whole_pack(frame, live.champion.artifact.histories)
    for user in ("u0", "u1", "u2", "u3", "u4"):
        # A distance from a place that the artifact holds in single precision is exact to a metre.
        same(live.of(live.champion).history(user).store, wanted, user, ("distance_km", "speed_kmh", "value"))


@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_the_order_of_arrival_and_at_equal_moments(seed: int) -> None:
    frame = log(120, seed=seed)
    coarse = frame.with_columns(pl.col("timestamp").dt.truncate("12h"))  # many ties, told apart by source_seq
    first, held = coarse.head(1), coarse.tail(-1)
    live = live_of(champion(log(60, seed=9).with_columns(pl.col("user_id").replace("u0", "else")), WHOLE))
    drawn = np.random.default_rng(seed).permutation(held.height)
    live.take("event", sent(first))
    live.take("event", sent(held[drawn[:50].tolist()]))
    for one in sent(held[drawn[50:].tolist()]):
        live.take("event", [one])
    own = coarse.filter(pl.col("user_id") == "u0")  # of whom the artifact holds nothing: nothing is lost
    wanted = whole_pack(own, live.champion.artifact.histories)
    same(live.of(live.champion).history("u0").store, wanted, "u0")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_late_events_among_those_of_the_artifact(seed: int) -> None:
    frame = log(seed=seed)
    is_late = np.random.default_rng(seed).random(frame.height) < 0.1
    live = live_of(champion(frame.filter(~pl.Series(is_late)), WHOLE))
    live.take("event", sent(frame.filter(pl.Series(is_late)).sample(fraction=1.0, shuffle=True, seed=seed)))
    wanted = whole_pack(frame, live.champion.artifact.histories)
    for user in ("u0", "u3"):
        same(live.of(live.champion).history(user).store, wanted, user, ("distance_km", "speed_kmh"))


def test_only_the_newest_are_kept_and_they_are_the_same() -> None:
    frame = log()
    short = WHOLE.model_copy(update={"serving": WHOLE.serving.model_copy(update={"history": 12})})
    early = frame.filter(pl.col("timestamp") < SPLIT)
    live = live_of(champion(early, WHOLE), whole=short)
    live.take("event", sent(frame.filter(pl.col("timestamp") >= SPLIT)))
    found = live.of(live.champion).history("u1").store
    assert found.n_events == 12
    same(found, whole_pack(frame, found), "u1", ("distance_km", "speed_kmh"))


def test_what_the_artifact_already_knows_is_not_added_twice() -> None:
    frame = log()
    early, late = frame.filter(pl.col("timestamp") < SPLIT), frame.filter(pl.col("timestamp") >= SPLIT)
    live = live_of(champion(early, WHOLE))
    offset = live.take("event", sent(late)).offset
    retrained = champion(frame, WHOLE, {"live_offset": offset})
    live.prepare(retrained)
    assert len(live.of(retrained).history("u1")) == len(live.of(live.champion).history("u1"))
    np.testing.assert_array_equal(
        rest(live.of(retrained).history("u1").store)["time_s"], live.of(live.champion).history("u1").store["time_s"]
    )


def test_forgetting_takes_no_more_from_the_share_of_new_items_than_was_counted() -> None:
    frame = log()
    live = live_of(champion(frame, WHOLE))
    store = live.champion.artifact.histories
    rows = later(store)
    owner = np.repeat(store.users, np.diff(store.offsets))[rows]
    user = next(one for one in store.users if one != owner[-1])  # sums are relative to the newest event
    wanted = Fresh(WHOLE.live.fresh)
    wanted.begin(store, rows[owner != user])
    live.forget(user)
    assert live.of(live.champion).fresh._all == pytest.approx(wanted._all)


def test_named_sessions_of_the_artifact_part_only_where_they_did() -> None:
    hours = [0, 30, 30.1, 60, 60.1]  # one name over a long pause, two names within minutes
    names = ["a", "a", "b", "c", "d"]
    named = log().filter(pl.col("user_id") != "u1").with_columns(session_id=pl.lit(None, pl.String))
    own = named.head(5).with_columns(
        user_id=pl.lit("u1"),
        session_id=pl.Series(names),
        timestamp=pl.Series([START + dt.timedelta(hours=h) for h in hours]).cast(pl.Datetime("us", "UTC")),
    )
    live = live_of(champion(pl.concat([own, named]), WHOLE))
    assert live.of(live.champion).history("u1").store["session"].tolist() == [0, 0, 1, 2, 3]
    late = START + dt.timedelta(hours=10)
    live.take("event", [{"user_id": "u1", "item_id": "i1", "action": "view", "timestamp": late.isoformat()}])
    assert live.of(live.champion).history("u1").store["session"].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_event_and_the_two_behind_it_are_counted_anew() -> None:
    forget, count = touched(np.array([0, 1, -1, 2, 3, 4]))
    assert (forget.tolist(), count.tolist()) == ([2, 3], [2, 3, 4])
    forget, count = touched(np.array([0, 1, -1, -1]))
    assert (forget.tolist(), count.tolist()) == ([], [2, 3])


def test_a_timeline_is_newest_first_and_names_what_the_model_does_not_know() -> None:
    frame = log()
    live = live_of(champion(frame.filter(pl.col("timestamp") < SPLIT), WHOLE))
    at = START + dt.timedelta(days=50)
    live.take("event", [{"user_id": "u1", "item_id": "brand new", "action": "view", "timestamp": at.isoformat()}])
    newest, before, *_ = live.timeline("u1", 5)
    assert (newest.item_id, newest.time, newest.offset, newest.new_item) == ("brand new", at, 1, True)
    assert before.offset == 0
    assert before.time < newest.time
    assert len(live.timeline("u1", 5)) == 5
    assert live.timeline("nobody", 5) == []

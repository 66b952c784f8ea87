"""Histories and events that a process keeps: as many as have room in so many bytes, and bytes are what they take."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from components.serving.held import Held
from components.serving.histories import History, nothing, of_store
from components.serving.insertion import with_events
from components.serving.state.newest import Newest
from components.serving.state.protocol import Stored
from components.serving.state.recent import History as Known
from components.serving.state.recent import Recent
from components.serving.state.record import Record
from tests.toy import toy_encoding

EVENTS = 200


def event(user: str, number: int) -> Stored:
    payload = {"item_id": f"item{number % 20:05d}", "action": "view", "event_id": f"{user}-{number}"}
    return Stored(number + 1, Record("event", f"{user}-{number}", user, 10**15 + number * 10**6, 10**15, payload))


def grown(user: str, events: int) -> History:
    """A history that grew event by event, as those of people do."""
    history = nothing(ENCODING, user)
    for number in range(events):
        history, _ = with_events(history, [event(user, number)], EVENTS)
    return history


ENCODING = toy_encoding(20)


@pytest.fixture
def traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("events", [3, EVENTS, EVENTS + 20])
def test_a_history_takes_what_it_says(events: int, traced: None) -> None:
    grown("warm", 5)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    kept = [grown(f"u{n}", events) for n in range(4)]
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    assert taken / 4 == pytest.approx(kept[0].size, rel=0.3)


@pytest.mark.parametrize("events", [3, EVENTS])
def test_a_history_of_the_artifact_takes_what_it_says(events: int, traced: None) -> None:
    artifact = grown("u", EVENTS).store
    of_store(artifact, 0, events)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    kept = [of_store(artifact, 0, events) for _ in range(20)]
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    assert taken / 20 == pytest.approx(kept[0].size, rel=0.3)


def test_known_events_take_what_they_say(traced: None) -> None:
    before = tracemalloc.get_traced_memory()[0]
    recent = Recent()
    for user in range(20):
        recent.put(f"u{user}", Known(Newest.of(event(f"u{user}", n) for n in range(50)), whole=True))
        for number in range(50, EVENTS):
            recent.add(event(f"u{user}", number))
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    assert taken == pytest.approx(recent.size, rel=0.3)


def test_who_came_long_ago_leaves_where_there_is_no_room() -> None:
    small, large = grown("a", 3), grown("b", 60)
    held = Held(2 * large.size + small.size)
    for user, history in (("a", small), ("b", large), ("c", large)):
        held.put(user, history)
    assert (len(held), held.size) == (3, small.size + 2 * large.size)
    held.put("a", small)  # came again: now `b` is the one of long ago
    held.put("d", small)
    assert [user for user in "abcd" if held.get(user) is None] == ["b"]
    assert held.size == large.size + 2 * small.size
    held.put("c", small)
    assert held.size == 3 * small.size
    held.clear()
    assert (len(held), held.size) == (0, 0)


def test_the_one_that_came_last_is_kept_in_any_case() -> None:
    held = Held(1)
    for user in "ab":
        held.put(user, grown(user, 3))
    assert (held.get("a"), held.get("b") is None) == (None, False)


def test_who_is_pinned_stays_until_they_are_not() -> None:
    held = Held(1)
    held.put("a", grown("a", 3))
    held.pin("a")
    for user in "bc":
        held.put(user, grown(user, 3))
    assert [user for user in "abc" if held.get(user) is not None] == ["a", "c"]
    held.unpin("a")
    held.put("d", grown("d", 3))
    assert len(held) == 1


def test_known_events_have_no_more_room_than_they_are_given() -> None:
    one = Known(Newest.of(event("u", n) for n in range(50)), whole=True).size
    recent = Recent(3 * one)
    for user in range(9):
        recent.put(f"u{user}", Known(Newest.of(event("u", n) for n in range(50)), whole=True))
        assert recent.size <= 3 * one
    assert [recent.get(f"u{user}") is not None for user in range(9)] == [False] * 6 + [True] * 3
    recent.get("u6")
    for number in range(50, 90):
        recent.add(event("u8", number))  # grows until another has to leave: the one asked for longest ago
        assert recent.size <= 3 * one
    assert [recent.get(f"u{user}") is not None for user in (6, 7, 8)] == [True, False, True]
    recent.drop("u6")
    recent.drop("u8")
    assert recent.size == 0

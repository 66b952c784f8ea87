"""What `State` promises, of both stores alike."""

from __future__ import annotations

import threading

import pytest

from components.serving.state import index
from components.serving.state.protocol import Receipt
from components.serving.state.record import Record, decode
from tests.livestate import NOW_US, Store, ids, record


def test_what_was_appended_comes_back_as_it_was(kept: Store) -> None:
    state = kept.open()
    given = record("e1", text="naïve – 東京 \u0000", value=1.5, latitude=None, tags=["a", "b"], time_us=-5)
    assert state.append([given]) == [Receipt(1, duplicate=False)]
    [stored] = state.last("ann", 10)
    assert (stored.offset, stored.record) == (1, given)
    assert kept.open().last("ann", 10) == state.last("ann", 10) == state.after(0, 10)
    assert decode(given.encode()) == given


def test_nothing_is_there_at_first(kept: Store) -> None:
    state = kept.open()
    assert state.append([]) == []
    assert (state.head(), state.last("ann", 5), state.after(0, 5), state.forgotten("ann")) == (0, [], [], 0)
    assert (state.sizes().users, state.sizes().records) == (0, 0)
    assert state.sizes().bytes > 0
    assert (state.expire(10), state.last("ann", 0), state.after(0, 0)) == (0, [], [])


def test_a_record_that_comes_again_is_a_duplicate_at_its_first_offset(kept: Store) -> None:
    state = kept.open()
    state.append([record("e1"), record("e2")])
    again = record("e1", time_us=99_000, other="payload")
    assert state.append([again, record("e3"), record("e3")]) == [
        Receipt(1, duplicate=True),
        Receipt(3, duplicate=False),
        Receipt(3, duplicate=True),
    ]
    assert ids(state.last("ann", 9)) == ["e1", "e2", "e3"]
    assert kept.open().append([record("e2")]) == [Receipt(2, duplicate=True)]


def test_an_id_is_of_its_user_and_kind(kept: Store) -> None:
    state = kept.open()
    receipts = state.append([record("x"), record("x", user="bob"), record("x", kind="impression")])
    assert [one.duplicate for one in receipts] == [False, False, False]
    assert state.sizes().users == 2


def test_late_events_land_where_they_belong(kept: Store) -> None:
    state = kept.open()
    for id_, time_us in (("c", 30), ("a", 10), ("d", 30), ("b", 20)):
        state.append([record(id_, time_us=time_us)])
        state.last("ann", 2)  # what is known of the user is kept up, not read anew
    assert ids(state.last("ann", 9)) == ["a", "b", "c", "d"]  # equal times: in the order of the log
    assert ids(state.last("ann", 2)) == ["c", "d"]
    assert ids(state.after(1, 2)) == ["a", "d"]


def test_an_event_older_than_what_is_known_of_a_user_does_not_stand_for_one_between(kept: Store) -> None:
    state = kept.open()
    state.append([record("a", time_us=10), record("b", time_us=20), record("c", time_us=30)])
    assert ids(state.last("ann", 1)) == ["c"]
    state.append([record("late", time_us=5)])
    assert ids(state.last("ann", 2)) == ["b", "c"]
    assert ids(state.last("ann", 9)) == ["late", "a", "b", "c"]


def test_another_handle_sees_what_was_appended_since(kept: Store) -> None:
    one, other = kept.open(), kept.open()
    one.append([record("a", time_us=10), record("c", time_us=30)])
    assert ids(other.last("ann", 2)) == ["a", "c"]
    one.append([record("b", time_us=20)])
    assert ids(other.last("ann", 2)) == ["b", "c"]
    other.append([record("d", time_us=40)])
    assert ids(one.last("ann", 9)) == ["a", "b", "c", "d"]


def test_only_events_are_history(kept: Store) -> None:
    state = kept.open()
    state.append([record("p", kind="position"), record("e"), record("f", kind="feedback")])
    assert ids(state.last("ann", 9)) == ["e"]
    assert ids(state.after(0, 9)) == ["p", "e", "f"]


def test_long_histories_are_read_from_their_end(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.serving.state.recent.MOST_OF_A_USER", 40)
    state = kept.open()
    for first in range(0, 3_000, 500):
        state.append([record(f"e{i}", time_us=i * 7 % 3_000) for i in range(first, first + 500)])
    by_time = sorted(range(3_000), key=lambda i: (i * 7 % 3_000, i))
    for n in (1, 200, 3_000, 7, 5_000):
        assert ids(state.last("ann", n)) == [f"e{i}" for i in by_time[-n:]]
    state.append([record("new", time_us=5_000)])
    assert ids(state.last("ann", 2)) == [f"e{by_time[-1]}", "new"]
    found, offset = [], 0
    while page := state.after(offset, 700):
        found += ids(page)
        offset = page[-1].offset
    assert found == [*(f"e{i}" for i in range(3_000)), "new"]


def test_forgetting_erases_all_and_leaves_a_tombstone(kept: Store) -> None:
    state, other = kept.open(), kept.open()
    state.append([record("e1"), record("i1", kind="impression"), record("b1", user="bob"), record("e2")])
    assert len(other.last("ann", 9)) == 2
    tombstone = state.forget("ann")
    assert (tombstone.offset, tombstone.record.kind, tombstone.record.user_id) == (5, "tombstone", "ann")
    assert tombstone.record.time_us == NOW_US
    for one in (state, other, kept.open()):
        assert one.last("ann", 9) == []
        assert one.after(0, 9) == [*one.last("bob", 9), tombstone]
        assert (one.head(), one.forgotten("ann"), one.forgotten("bob")) == (5, 5, 0)
        assert (one.sizes().users, one.sizes().records) == (1, 2)
    assert state.forget("nobody").offset == 6


def test_what_a_tombstone_bars_stays_away_and_what_is_newer_comes(kept: Store) -> None:
    state = kept.open()
    state.append([record("old"), record("ahead", time_us=NOW_US + 60)])
    offset = state.forget("ann").offset
    barred = [record("old"), record("never seen", time_us=NOW_US), record("ahead", time_us=NOW_US + 60)]
    assert state.append(barred) == [Receipt(offset, duplicate=True)] * 3
    assert state.append([record("shown", kind="impression")])[0].duplicate
    fresh = state.append([record("old", time_us=NOW_US + 61), record("old", user="bob")])
    assert [one.duplicate for one in fresh] == [False, False]
    assert ids(state.last("ann", 9)) == ["old"]
    again = state.forget("ann")
    assert (state.forgotten("ann"), again.record.time_us) == (again.offset, NOW_US + 61)


def test_a_tombstone_is_left_by_forgetting_alone(kept: Store) -> None:
    state = kept.open()
    with pytest.raises(ValueError, match="forget"):
        state.append([record("e1"), Record("tombstone", "t", "ann", 1, 1, {})])
    assert state.head() == 0


def test_a_batch_with_one_that_cannot_be_kept_is_not_taken(kept: Store) -> None:
    state = kept.open()
    with pytest.raises(TypeError):
        state.append([record("e1"), record("e2", value=object())])
    assert state.head() == 0
    assert not state.append([record("e1")])[0].duplicate


def test_expired_records_and_their_ids_are_gone(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "CHUNK", 7)
    monkeypatch.setattr("components.serving.state.redis._CHUNK", 7)
    state, other = kept.open(), kept.open()
    for user in ("ann", "bob", "cid"):
        state.append([record(f"{user}{i}", user=user, time_us=i) for i in range(20)])
        state.append([record(f"{user}{i}", user=user, time_us=i, kind="position") for i in range(5)])
    state.append([record("late", user="bob", time_us=30)])
    tombstone = state.forget("cid")
    assert len(other.last("ann", 99)) == 20
    assert len(other.last("bob", 99)) == 21
    assert state.expire(20) == 50
    for one in (state, other):
        assert (ids(one.last("ann", 9)), ids(one.last("bob", 9))) == ([], ["late"])
        assert ids(one.after(0, 99)) == ["late", tombstone.record.id]
        assert (one.sizes().users, one.sizes().records) == (1, 2)
    assert state.head() == tombstone.offset
    assert [one.duplicate for one in state.append([record("ann3", time_us=3), record("late", user="bob")])] == [
        False,
        True,
    ]


def test_what_came_after_an_offset_does_not_expire(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "CHUNK", 3)
    monkeypatch.setattr("components.serving.state.redis._CHUNK", 3)
    state = kept.open()
    state.append([record(f"old{i}", time_us=50 + i) for i in range(5)])
    until = state.head()
    state.append([record(f"late{i}", time_us=i) for i in range(5)])  # before them in time, after them in the log
    assert state.expire(90, until) == 5
    assert ids(state.last("ann", 99)) == ids(state.after(0, 99)) == [f"late{i}" for i in range(5)]
    assert state.sizes().users == 1
    assert state.expire(90) == 5


def test_offsets_are_never_given_twice(kept: Store) -> None:
    state = kept.open()
    state.append([record("e1", time_us=1), record("e2", time_us=2)])
    state.expire(10)
    assert state.after(0, 9) == []
    assert (state.head(), state.append([record("e3")])[0].offset) == (2, 3)


def test_threads_of_one_handle_lose_nothing(kept: Store) -> None:
    state = kept.open()
    wrong: list[str] = []

    def write(mine: int) -> None:
        for i in range(150):
            user = f"u{i % 3}"
            state.append([record(f"{mine}-{i}", user=user, time_us=i)])
            if f"{mine}-{i}" not in ids(state.last(user, 400)):
                wrong.append(f"{mine}-{i}")

    threads = [threading.Thread(target=write, args=(one,)) for one in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert [one.offset for one in state.after(0, 9_999)] == list(range(1, 601))
    for user in ("u0", "u1", "u2"):
        times = [one.record.time_us for one in state.last(user, 400)]
        assert len(times) == 200
        assert times == sorted(times)


def test_closing_twice_is_closing_once(kept: Store) -> None:
    one, other = kept.open(), kept.open()
    one.append([record("e1")])
    one.close()
    one.close()
    assert ids(other.last("ann", 1)) == ["e1"]
    other.close()
    assert ids(kept.open().last("ann", 1)) == ["e1"]

"""The live state against a plain list: any order of records, duplicates, forgetting and ageing: the same answers."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from components.serving.state import folder, index
from components.serving.state.protocol import Receipt, Stored
from components.serving.state.record import Record
from tests.livestate import record, server, store

USERS = ("ann", "bob", "ö" * 200)
users = st.sampled_from(USERS)
times = st.integers(-3, 12)
records = st.builds(
    record,
    st.sampled_from([f"r{i}" for i in range(12)]),
    user=users,
    time_us=times,
    kind=st.sampled_from(["event", "event", "event", "impression", "feedback", "position"]),
)


class Model:
    """What a state should say, by the most obvious means."""

    def __init__(self) -> None:
        self.log: list[Stored] = []
        self.graves: dict[str, Stored] = {}
        self.head = 0

    def append(self, one: Record) -> Receipt:
        for there in self.log:
            known = there.record
            if (known.user_id, known.kind, known.id) == (one.user_id, one.kind, one.id):
                return Receipt(there.offset, duplicate=True)
        grave = self.graves.get(one.user_id)
        if grave is not None and one.time_us <= grave.record.time_us:
            return Receipt(grave.offset, duplicate=True)
        self.head += 1
        self.log.append(Stored(self.head, one))
        return Receipt(self.head, duplicate=False)

    def last(self, user: str, n: int) -> list[Stored]:
        mine = [one for one in self.log if one.record.user_id == user and one.record.kind == "event"]
        return sorted(mine, key=lambda one: (one.record.time_us, one.offset))[-n:]

    def forget(self, user: str, now: int) -> None:
        past = [one.record.time_us for one in self.log if one.record.user_id == user]  # an older tombstone, too
        self.log = [one for one in self.log if one.record.user_id != user or one.record.kind == "tombstone"]
        self.head += 1
        name = f"tombstone-{self.head}"
        self.graves[user] = Stored(self.head, Record("tombstone", name, user, max([now, *past]), now, {}))
        self.log.append(self.graves[user])

    def expire(self, before: int) -> int:
        kept = [one for one in self.log if one.record.kind == "tombstone" or one.record.time_us >= before]
        gone, self.log = len(self.log) - len(kept), kept
        return gone


class Machine(RuleBasedStateMachine):
    """Two handles of one store beside the model."""

    kind: str
    url: str | None

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.now = 0
        self.model = Model()
        where = Path(tempfile.mkdtemp(prefix="live-"))
        self.stack.callback(shutil.rmtree, where)
        self.store = self.stack.enter_context(store(self.kind, where, self.url, lambda: self.now))
        self.handles = [self.store.open(), self.store.open()]

    @rule(batch=st.lists(records, max_size=8), by=st.integers(0, 1))
    def append(self, batch: list[Record], by: int) -> None:
        assert self.handles[by].append(batch) == [self.model.append(one) for one in batch]

    @rule(user=users, n=st.integers(0, 9), by=st.integers(0, 1))
    def last(self, user: str, n: int, by: int) -> None:
        assert self.handles[by].last(user, n) == (self.model.last(user, n) if n else [])

    @rule(user=users, now=times, by=st.integers(0, 1))
    def forget(self, user: str, now: int, by: int) -> None:
        self.now = now
        self.model.forget(user, now)
        assert self.handles[by].forget(user) == self.model.graves[user]

    @rule(before=times, by=st.integers(0, 1))
    def expire(self, before: int, by: int) -> None:
        assert self.handles[by].expire(before) == self.model.expire(before)

    @rule(by=st.integers(0, 1))
    def open_again(self, by: int) -> None:
        self.handles[by].close()
        self.handles[by] = self.store.open()

    @rule(offset=st.integers(0, 40), limit=st.integers(0, 9), by=st.integers(0, 1))
    def after(self, offset: int, limit: int, by: int) -> None:
        assert self.handles[by].after(offset, limit) == [o for o in self.model.log if o.offset > offset][:limit]

    @invariant()
    def agrees(self) -> None:
        for one in self.handles if hasattr(self, "handles") else ():
            sizes = one.sizes()
            having = {o.record.user_id for o in self.model.log if o.record.kind == "event"}
            assert (one.head(), sizes.users, sizes.records) == (self.model.head, len(having), len(self.model.log))
            graves = self.model.graves
            assert [one.forgotten(user) for user in USERS] == [graves[u].offset if u in graves else 0 for u in USERS]

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()


@pytest.mark.parametrize("kind", ["folder", pytest.param("redis", marks=pytest.mark.redis)])
def test_a_state_says_what_a_list_would(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_FOLD", 5)
    monkeypatch.setattr(folder, "_BEHIND", 12)
    monkeypatch.setattr(index, "CHUNK", 3)
    monkeypatch.setattr("components.serving.state.redis._CHUNK", 3)
    monkeypatch.setattr("components.serving.state.recent.MOST_OF_A_USER", 6)
    with ExitStack() as stack:
        own = type("Own", (Machine,), {"kind": kind, "url": server(stack, kind)})
        off = [HealthCheck.too_slow]
        own.TestCase.settings = settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=off
        )
        own.TestCase("runTest").runTest()

"""What a worker keeps of an experiment between two looks: what may still change, and one line for each settled user.

    impression → its user is followed from now on; what they did before it came in is read from their history
    event      → kept where its user was shown something and it may count
    settle     → whoever is ripe becomes a line of `outcomes`; their impressions and events leave

The lines are those that all impressions and events would give (`experiments.outcomes` of an `Evidence`), in whatever
order they came in: where something comes that changes a settled user, all of theirs is read again from the log. Looks
go on in time: what was settled at one is not asked as of before it. Never here: what the lines are worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

import polars as pl

from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence
from components.experiments.outcomes import outcomes
from components.experiments.plan import Plan
from components.serving.state.protocol import State, Stored
from components.serving.state.record import Record

_BATCH = 10_000  # records of the log at once
_FEW = 64  # newest events of a user who is shown something for the first time: more where these do not reach back


class Tally:
    """An experiment as a worker follows it.

    Attributes
    ----------
    plan : the experiment
    offset : of the last record that was read
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.offset = plan, plan.offset
        self._open = Evidence(plan)  # of users who are not settled
        self._first: dict[str, int] = {}  # user → time of the first list, of all who were shown one
        self._settled: set[str] = set()
        self._lines: pl.DataFrame | None = None
        self._strange: dict[str, int] = {}  # user → time of the first list of an arm that is not theirs
        self._again: set[str] = set()  # settled users of whom something came that counts

    def __len__(self) -> int:
        """Impressions and events that are kept."""
        return self._open.shown.height + self._open.happened.height

    def follow(self, state: State) -> int:
        """Read what the log has gained; how many records. Where the log fails, the next call goes on where it did."""
        read = 0
        while batch := state.after(self.offset, _BATCH):
            with self._all_or_nothing():
                kept: list[Stored] = []
                for stored in batch:
                    self._take(stored, state, kept)
                self._open.take(kept)
                self.offset = batch[-1].offset
            read += len(batch)
        if self._again:
            with self._all_or_nothing():
                self._reopen(state)
        return read

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Be as before where what is done inside fails: half a batch would never be read again."""
        before = {name: copy(value) for name, value in vars(self).items()}  # frames are replaced, never changed
        try:
            yield
        except BaseException:
            vars(self).update(before)
            raise

    def _take(self, stored: Stored, state: State, kept: list[Stored]) -> None:
        record = stored.record
        user = record.user_id
        if record.kind == "tombstone":
            self._forget(user)
            kept.append(stored)
        elif record.kind == "impression" and (arm := self._open.arm(record)) is not None:
            if arm != arm_of(self.plan, user):
                self._strange[user] = min(record.time_us, self._strange.get(user, record.time_us))
            first = self._first.get(user)
            if user in self._settled:
                if first is not None and record.time_us <= first + self.plan.window_us:
                    self._again.add(user)
                return
            if first is None or record.time_us < first:
                self._first[user] = record.time_us
                kept += self._before(state, stored, first)
            kept.append(stored)
        elif record.kind == "event" and self._counts(record):
            if user in self._settled:
                self._again.add(user)
            else:
                kept.append(stored)

    def _counts(self, record: Record) -> bool:
        """Whether an event may count for a list that its user was shown."""
        first = self._first.get(record.user_id)
        return first is not None and 0 < record.time_us - first <= self.plan.ripe_us and self._open.worth(record) > 0

    def _before(self, state: State, shown: Stored, first: int | None) -> list[Stored]:
        """Events that came in before a list that they may count for: after it, and not among those that are kept."""
        since, until = shown.record.time_us, shown.record.time_us + self.plan.ripe_us
        most = _FEW
        while True:
            found = state.last(shown.record.user_id, most)
            if len(found) < most or found.times[0] <= since:
                break
            most *= 8
        known = None if first is None else (first, first + self.plan.ripe_us)
        missing = found.where(
            lambda offset, time_us: (
                self.plan.offset < offset < shown.offset
                and since < time_us <= until
                and not (known and known[0] < time_us <= known[1])
            )
        )
        return sorted(missing, key=lambda one: one.offset)

    def _forget(self, user: str) -> None:
        for kept in (self._first, self._strange):
            kept.pop(user, None)
        for users in (self._settled, self._again):
            users.discard(user)
        if self._lines is not None:
            self._lines = self._lines.filter(pl.col("user_id") != user)

    def _reopen(self, state: State) -> None:
        """Read all of some settled users again."""
        again, self._again = self._again, set()
        for user in again:
            self._forget(user)
        end, self.offset = self.offset, self.plan.offset
        while self.offset < end and (batch := state.after(self.offset, _BATCH)):
            kept: list[Stored] = []
            for stored in batch:
                if stored.offset <= end and stored.record.user_id in again:
                    self._take(stored, state, kept)
            self._open.take(kept)
            self.offset = batch[-1].offset
        self.offset = end

    def outcomes(self, now_us: int) -> tuple[pl.DataFrame, int]:
        """What came of each user's lists until now; see `experiments.outcomes`. Whoever is ripe is settled."""
        strange = [user for user, since_us in self._strange.items() if since_us <= now_us]
        self._open.leave(strange)
        table, _ = outcomes(self._open, now_us)
        if self._lines is not None:
            table = pl.concat([self._lines.filter(~pl.col("user_id").is_in(strange)), table])
        self._lines = table.filter("ripe")
        ripe = set(self._lines["user_id"].to_list()) - self._settled
        self._open.leave(ripe)
        self._settled |= ripe
        return table.sort("first_us", "user_id"), len(strange)

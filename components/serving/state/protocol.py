"""The one protocol of user state: a log of everything that came in, and the newest events of each user.

    append → the log (offset by offset) and, for events, the user's history in the order of time
    last   → a user's newest events
    after  → the log from an offset on: what a follower, a swap or the next retraining reads

What `append` has returned is never lost to a kill -9, and with `durability: fsync` not to a power cut either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from components.serving.state.record import Record

if TYPE_CHECKING:
    from components.serving.state.newest import Newest

EVERYTHING = 1 << 53  # an offset beyond all: a double holds it, as Redis does


@dataclass(frozen=True)
class Receipt:
    """What became of one record of an `append`.

    Attributes
    ----------
    offset : its place in the log, from 1; of a duplicate: that of the record that came first
    duplicate : whether the log had a record of this user, kind and id already
    """

    offset: int
    duplicate: bool


@dataclass(frozen=True)
class Stored:
    """A record and its place in the log."""

    offset: int
    record: Record


@dataclass(frozen=True)
class Sizes:
    """What the state holds: users with events, records of the log, bytes on disk or in memory."""

    users: int
    records: int
    bytes: int


class State(Protocol):
    """Where live records are kept; safe for several threads, and for several processes at once."""

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        """Take records, all or none; one receipt each, in their order."""
        ...

    def last(self, user_id: str, n: int) -> Newest:
        """A user's newest `n` events, oldest first: by time, then by offset; each decoded when it is looked at."""
        ...

    def after(self, offset: int, limit: int) -> list[Stored]:
        """At most `limit` records of the log with a greater offset, in order; forgotten ones are left out."""
        ...

    def head(self) -> int:
        """The greatest offset that was given; 0 = nothing came in yet."""
        ...

    def forget(self, user_id: str) -> Stored:
        """Erase everything of a user, payloads in the log too, and leave a tombstone in the log: returned."""
        ...

    def forgotten(self, user_id: str) -> int:
        """Offset of the user's newest tombstone; 0 = none."""
        ...

    def expire(self, before_us: int, until_offset: int = EVERYTHING) -> int:
        """Drop records (and their ids) of before a time and up to an offset from histories and log; how many."""
        ...

    def sizes(self) -> Sizes:
        """How much there is."""
        ...

    def close(self) -> None:
        """Release what is held; twice is once."""
        ...

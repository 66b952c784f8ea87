"""A Redis stream into the live state: a consumer group, whose members share the entries and outlive each other.

Entries are handed out at least once and taken once: a record is appended to the state before its entry is
acknowledged, and a record that comes again is a duplicate there. What a dead member had not acknowledged is claimed by
a living one. What cannot be taken (it breaks a rule of `components.serving.intake`, or keeps killing whoever reads it)
goes to the stream `<name>:dead` with the rule. A member reads no further before its batch is in the state: where that
is full or away, it waits, and the stream holds what comes. Never here: what is sound, or where it is kept.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson
import redis

from components.errors import ServiceError, StorageError
from components.files import fault
from components.params import EventParams
from components.serving.intake import Refusal, check
from components.serving.state.protocol import State
from components.serving.state.record import KINDS, Kind, Record

logger = logging.getLogger(__name__)

T = TypeVar("T")
#: Id and fields of an entry; the fields are gone where the stream was trimmed too far.
Entry = tuple[bytes, Mapping[bytes, bytes] | None]
#: What passes when a server comes back, or room is made.
_PASSING = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    ServiceError,
    StorageError,
)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


@dataclass(frozen=True)
class Membership:
    """Who reads what.

    Attributes
    ----------
    stream, group, consumer : names at the Redis server
    batch : entries that are read at once
    block_ms : how long one look waits for entries
    claim_ms : entries that another member has not acknowledged for so long are taken over
    most_deliveries : an entry that was handed out more often goes to the dead letters
    """

    stream: str
    group: str
    consumer: str
    batch: int
    block_ms: int = 1000
    claim_ms: int = 60_000
    most_deliveries: int = 10

    @property
    def dead(self) -> str:
        """Stream of what could not be taken."""
        return f"{self.stream}:dead"


@dataclass(frozen=True)
class Tally:
    """What became of entries: records that were taken, that were there already, and dead letters."""

    taken: int = 0
    duplicates: int = 0
    dead: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.taken + other.taken, self.duplicates + other.duplicates, self.dead + other.dead)


class Consumer:
    """One member of a consumer group.

    Parameters
    ----------
    server : without decoding of responses, RESP2
    member : who reads what
    state : where records go
    params : `events` of the params, the rules of an event
    stopped : whether it was told to end; the batch at hand is finished
    clock : aware time
    """

    def __init__(
        self,
        server: redis.Redis,
        member: Membership,
        state: State,
        params: EventParams,
        stopped: Callable[[], bool],
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._server, self._member, self._state, self._params = server, member, state, params
        self._stopped, self._clock = stopped, clock
        self._mine: bytes | None = b"0"  # what this name had not acknowledged when it last ended comes first
        self._claim_from: bytes = b"0-0"
        self._claim_at = 0.0

    def run(self, drain: bool = False) -> Tally:
        """Take entries until told to stop, or with `drain` until there are none.

        Raises
        ------
        ServiceError
            The server does not answer at the start (later it is waited for), or the stream is none.
        """
        try:
            self._join()
        except redis.RedisError as error:
            raise ServiceError(
                "the Redis server of the stream", found=str(error), do="Start it, or mend CHRONOTOPE_STREAM."
            ) from error
        tally = Tally()
        while not self._stopped():
            entries = self._patiently(self._next)
            if entries:
                tally += self._take(*entries) or Tally()
            elif drain:
                break
        self._leave()
        return tally

    def _patiently(self, step: Callable[[], T]) -> T | None:
        """Do a step, again until the servers and the disk that it needs are there; None when told to stop meanwhile."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return step()
            except _PASSING as error:
                logger.warning("waiting, since there was a %s: %s", type(error).__name__, error)
            except redis.ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise ServiceError("the stream", found=str(error), do="Mend it at the Redis server.") from error
                self._patiently(self._join)  # somebody removed the stream
            if self._stopped():
                return None
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _next(self) -> tuple[list[Entry], set[bytes]] | None:
        """The next batch: what is pending here, else what a dead member left, else what is new; and its suspects."""
        self._state.head()  # a state that is away must not count as a delivery
        old = self._pending() or self._abandoned()
        entries = old or self._read(b">", self._member.block_ms)
        return (entries, self._delivered_too_often(old)) if entries else None

    def _take(self, entries: Sequence[Entry], suspects: Collection[bytes]) -> Tally | None:
        """Bring one batch into the state, then acknowledge it."""
        fault("after-read")
        records: list[Record] = []
        dead: list[tuple[Entry, Refusal]] = []
        now = self._clock()
        for entry in entries:
            found = _OFTEN if entry[0] in suspects else self._record(entry, now)
            if isinstance(found, Refusal):
                dead.append((entry, found))
            elif found is not None:
                records.append(found)
        receipts = self._patiently(lambda: self._state.append(records)) if records else []
        if receipts is None:
            return None  # the entries stay pending
        fault("after-append")
        self._patiently(lambda: self._acknowledge(entries, dead))
        again = sum(one.duplicate for one in receipts)
        return Tally(len(receipts) - again, again, len(dead))

    def _join(self) -> None:
        try:
            self._server.xgroup_create(self._member.stream, self._member.group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _pending(self) -> list[Entry]:
        """What this name was given and has not acknowledged, from where it last looked."""
        if self._mine is None:
            return []
        found = self._read(self._mine, None)
        self._mine = found[-1][0] if found else None
        return found

    def _read(self, start: bytes, block_ms: int | None) -> list[Entry]:
        one = self._member
        answer = self._server.xreadgroup(one.group, one.consumer, {one.stream: start}, count=one.batch, block=block_ms)
        return cast("list[Entry]", answer[0][1]) if answer else []

    def _abandoned(self) -> list[Entry]:
        """Entries of members that have been silent for too long; the list of pending ones is walked now and then."""
        one = self._member
        if time.monotonic() < self._claim_at:
            return []
        answer = cast(
            "Sequence[Any]",
            self._server.xautoclaim(
                one.stream, one.group, one.consumer, one.claim_ms, start_id=self._claim_from, count=one.batch
            ),
        )
        self._claim_from = answer[0]
        if self._claim_from == b"0-0":
            self._claim_at = time.monotonic() + one.claim_ms / 2000
        return cast("list[Entry]", answer[1])

    def _delivered_too_often(self, entries: Sequence[Entry]) -> set[bytes]:
        if not entries:
            return set()
        one = self._member
        rows = self._server.xpending_range(
            one.stream, one.group, entries[0][0], entries[-1][0], 2 * len(entries), consumername=one.consumer
        )
        often = [row for row in cast("list[dict[str, Any]]", rows) if row["times_delivered"] > one.most_deliveries]
        return {row["message_id"] for row in often}

    def _record(self, entry: Entry, now: dt.datetime) -> Record | Refusal | None:
        """The record of an entry; None of one that was trimmed away."""
        fields = entry[1]
        if not fields:
            logger.warning("the entry %s was trimmed from the stream before it was taken", entry[0].decode())
            return None
        kinds = [name.decode("utf-8", "replace") for name in fields]
        if len(kinds) != 1 or kinds[0] not in KINDS:
            return Refusal("kind_unknown", "needed one field named event, impression, feedback or position")
        try:
            raw = orjson.loads(next(iter(fields.values())))
        except orjson.JSONDecodeError:
            return Refusal("json_malformed", "needed JSON")
        if not isinstance(raw, dict):
            return Refusal("json_no_object", "needed a JSON object")
        return check(cast("Kind", kinds[0]), raw, self._params, now)

    def _acknowledge(self, entries: Sequence[Entry], dead: Sequence[tuple[Entry, Refusal]]) -> None:
        """Acknowledge a batch and keep its dead letters, in one step of the server."""
        with self._server.pipeline(transaction=True) as pipe:
            for (name, fields), refusal in dead:
                told = {b"entry": name, b"rule": refusal.rule, b"message": refusal.message}
                pipe.xadd(self._member.dead, {**(fields or {}), **told})
            pipe.xack(self._member.stream, self._member.group, *(name for name, _ in entries))
            pipe.execute()

    def _leave(self) -> None:
        """Take this member from the group, if nothing is left to it."""
        one = self._member
        try:
            summary = self._server.xpending_range(one.stream, one.group, "-", "+", 1, consumername=one.consumer)
            if not summary:
                self._server.xgroup_delconsumer(one.stream, one.group, one.consumer)
        except redis.RedisError as error:
            logger.warning("the group keeps the name %s: %s", one.consumer, type(error).__name__)


_OFTEN = Refusal("delivered_too_often", "every member that read it ended before it was acknowledged")

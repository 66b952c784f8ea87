"""The live state on a Redis server: several workers, on several machines, share it. Every change is one Lua script,
so one round trip, and whole or not at all.

    head, records, version    offset given last; records in the log; number of changes of histories
    log:B                     hash of offset → user, for a thousand offsets; blocks: which of them there are
    user:USER                 hash of offset → record, kind:id → offset, and the version of the user's events
    events:USER, others:USER  sorted sets of offsets by time; users, others: who has such
    graves, tombstones        hashes of user → time and offset of the newest tombstone; of offset → record of each

The log is hashes rather than a stream of Redis: a deleted entry of a stream keeps its bytes until its whole node is
gone, a deleted field does not; the records of a user are in one hash, so that 200 of them are one command of a script
and forgetting is one deletion. What a tombstone bars is said in `folder.py`; it is the same here.

A worker keeps the histories in use; the server is asked whether they are still what it has, and sends no more
than what is new. Redis runs a script alone, so nothing is read half-written.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from components.errors import ConfigError, IntegrityError, ServiceError, StorageError
from components.serving.state.folder import now_us
from components.serving.state.newest import Newest, nothing
from components.serving.state.protocol import EVERYTHING, Receipt, Sizes, Stored
from components.serving.state.recent import MOST_BYTES, History, Recent
from components.serving.state.record import Record, record_of

_LOG = logging.getLogger(__name__)
_CONNECT_S, _ANSWER_S = 2.0, 30.0
_SOON_S = 2.0  # for what somebody's answer waits for: a user's newest events and how far the log has come
_CHUNK = 1_000  # records of one script of `expire`
_USERS = 200  # users of one
_SCRIPTS = Path(__file__).with_name("lua")


class RedisState:
    """`State` on a Redis server.

    Parameters
    ----------
    url : `redis://`, `rediss://` (TLS) or `unix://`; may hold a password, which is never shown
    durability : what an acknowledged record survives: `process`, kill -9; `fsync`, a power cut of the server too
    name : of the workspace; workspaces of different names share a server without knowing each other
    clock : UTC microseconds, for tombstones
    begin : offset beyond which an empty state goes on
    most_bytes : of the histories that this worker holds
    """

    def __init__(
        self,
        url: str,
        durability: str,
        name: str,
        clock: Callable[[], int] = now_us,
        begin: int = 0,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._shown = re.sub(r"//[^/@]*@", "//", url)
        self._prefix = f"chronotope:{name}:"
        self._clock = clock
        self._lock = Lock()
        self._recent = Recent(most_bytes)
        try:
            self._redis, self._soon = (
                redis.Redis.from_url(
                    url, socket_connect_timeout=_CONNECT_S, socket_timeout=longest_s, retry=Retry(NoBackoff(), 1)
                )
                for longest_s in (_ANSWER_S, _SOON_S)
            )
        except ValueError as error:
            raise ConfigError("the address of a Redis server", found=self._shown, do="See docs/live.md.") from error
        self._scripts = {
            path.stem: self._redis.register_script(path.read_text("utf-8")) for path in sorted(_SCRIPTS.glob("*.lua"))
        }
        self._check(durability)
        if begin:
            self._ask("SET", self._prefix + "head", begin, "NX")

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        """Take records, all or none; one receipt each. What a tombstone bars is a duplicate at the tombstone's offset.

        A record whose acknowledgement was lost with a connection is sent again, and may then come back as a duplicate.

        Raises
        ------
        ValueError
            One is a tombstone: `forget` alone leaves those.
        StorageError
            The server has no room; nothing was taken.
        ServiceError
            The server does not answer: what was sent may have been taken. Send it again: it is taken once.
        """
        words: list[str | bytes | int] = []
        for record in records:
            if record.kind == "tombstone":
                raise ValueError("a tombstone is left by forget() alone")
            words += [record.user_id, record.kind, record.id, record.time_us, record.encode()]
        if not words:
            return []
        receipts: list[Receipt] = []
        taken = self._run("append", *words).decode().split(";")
        with self._lock:
            for record, answer in zip(records, taken, strict=True):
                offset, duplicate, before, after = answer.split(",")
                receipts.append(Receipt(int(offset), duplicate == "1"))
                if after:
                    self._note(Stored(int(offset), record), before, after)
        return receipts

    def _note(self, stored: Stored, before: str, after: str) -> None:
        """Add an event that this worker sent to what it knows of the user, if it knew all until then."""
        known = self._recent.get(stored.record.user_id)
        if known is not None and known.version == before:
            self._recent.add(stored)
            known.version = after

    def last(self, user_id: str, n: int) -> Newest:
        """A user's newest `n` events, oldest first: by time, then by offset."""
        if n <= 0:
            return nothing()
        with self._lock:
            known = self._recent.get(user_id) or _NOTHING
            version = known.version if known.whole or len(known.events) >= n else "none"
            top, held = known.top, known.events
        answer = self._run("last", user_id, n, version, f"{top:016}", soon=True)
        with self._lock:
            if len(answer) == 1 and known.version == version:
                return known.events[-n:]
            events = self._joined(answer, top, held) if len(answer) > 1 else None
        if events is None:  # what is new here is old there, or another thread changed what was known: read all of it
            answer = self._run("last", user_id, n, "none", "", soon=True)
            events = self._joined(answer, 0, nothing()) or nothing()
        with self._lock:
            self._recent.put(user_id, History(events, len(events) < n, answer[0].decode()))
            return events[:]

    def _joined(self, answer: list[bytes], top: int, held: Newest) -> Newest | None:
        """Events of an answer, those that were known and those that were sent; None where one is neither."""
        known = dict(zip(held.offsets, zip(held.times, held.data, strict=False), strict=False))
        sent = (record_of(row) for row in self._rows(answer[2]))
        times, offsets, data = array("q"), array("q"), list[bytes]()
        for offset in map(int, answer[1].split(b",") if answer[1] else ()):
            if offset > top:
                record = next(sent)
                one = record.time_us, record.encode()
            elif offset in known:
                one = known[offset]
            else:
                return None
            offsets.append(offset)
            times.append(one[0])
            data.append(one[1])
        return Newest(offsets, times, data)

    def after(self, offset: int, limit: int) -> list[Stored]:
        """At most `limit` records of the log with a greater offset, in order; forgotten ones are left out."""
        if limit <= 0:
            return []
        offsets, rows = self._run("after", offset, limit)
        places = map(int, offsets.split(b",") if offsets else ())
        return [Stored(place, record_of(row)) for place, row in zip(places, self._rows(rows), strict=True)]

    def head(self) -> int:
        """The greatest offset that was given; 0 = nothing came in yet."""
        return int(self._ask("GET", self._prefix + "head", soon=True) or 0)

    def forget(self, user_id: str) -> Stored:
        """Erase everything of a user, payloads in the log too, and leave a tombstone in the log: returned."""
        now = self._clock()
        offset, time_us = map(int, self._run("forget", user_id, orjson.dumps(user_id), now))
        with self._lock:
            self._recent.drop(user_id)
        return Stored(offset, Record("tombstone", f"tombstone-{offset}", user_id, time_us, now, {}))

    def forgotten(self, user_id: str) -> int:
        """Offset of the user's newest tombstone; 0 = none."""
        found = self._ask("HGET", self._prefix + "graves", user_id, soon=True)
        return int(found.split(b" ")[1]) if found else 0

    def expire(self, before_us: int, until_offset: int = EVERYTHING) -> int:
        """Drop records (and their ids) of before a time, up to an offset, tombstones aside; how many.

        Takes a script for some hundred users at a time, so that other workers are served between.
        """
        dropped = 0
        for key in ("users", "others"):
            cursor = -1
            while cursor:
                cursor, users = self._ask("SSCAN", self._prefix + key, max(cursor, 0), "COUNT", _USERS)
                cursor = int(cursor)
                while users:
                    count = int(self._run("expire", before_us, until_offset, _CHUNK, *users))
                    dropped += count
                    if count < _CHUNK:
                        break
        return dropped

    def sizes(self) -> Sizes:
        """Users with events, records of the log (tombstones too), bytes of the whole server."""
        users = self._ask("SCARD", self._prefix + "users")
        records = self._ask("GET", self._prefix + "records")
        return Sizes(int(users), int(records or 0), int(self._ask("INFO", "memory")["used_memory"]))

    def close(self) -> None:
        """Release what is held; twice is once."""
        self._redis.close()
        self._soon.close()

    def _check(self, durability: str) -> None:
        """See that the server keeps what it takes as long as it should."""
        self._ask("PING")
        try:
            said = self._redis.config_get(*_ASKED)
        except redis.ResponseError:
            _LOG.warning("The server %s does not tell its settings: what it survives is unknown.", self._shown)
            return
        if int(said["maxmemory"]) and said["maxmemory-policy"].startswith("allkeys"):
            found = f"maxmemory-policy {said['maxmemory-policy']}"
            self._refuse("a Redis server that drops nothing", found, "noeviction")
        kept = f"appendonly {said['appendonly']}, appendfsync {said['appendfsync']}"
        if durability == "fsync" and (said["appendonly"], said["appendfsync"]) != ("yes", "always"):
            self._refuse("appendonly yes and appendfsync always for live.durability: fsync", kept, "both")
        if said["appendonly"] != "yes":
            _LOG.warning("The server %s has %s: a kill of it loses what came since its last dump.", self._shown, kept)

    def _refuse(self, needed: str, found: str, what: str) -> NoReturn:
        raise ConfigError(needed, found=f"{found} at {self._shown}", do=f"Set {what} in redis.conf, or by CONFIG SET.")

    def _run(self, script: str, *words: str | bytes | int, soon: bool = False) -> Any:
        try:
            return self._scripts[script](keys=[self._prefix], args=words, client=self._soon if soon else self._redis)
        except redis.RedisError as error:
            self._tell(error)

    def _ask(self, *words: str | int, soon: bool = False) -> Any:
        try:
            return (self._soon if soon else self._redis).execute_command(*words)
        except redis.RedisError as error:
            self._tell(error)

    def _rows(self, data: bytes) -> list[Any]:
        try:
            return list(orjson.loads(data))
        except ValueError as error:
            raise IntegrityError(f"records of the live log at {self._shown}", found=str(error), do=_RESTORE) from error

    def _tell(self, error: redis.RedisError) -> NoReturn:
        """Say what a server's refusal means."""
        text = str(error)
        if isinstance(error, _NOT_LET_IN):
            raise ConfigError(
                f"to be let in at {self._shown}", found=text, do="Give user and password in CHRONOTOPE_STATE."
            ) from error
        if isinstance(error, redis.exceptions.OutOfMemoryError) or re.search(r"\b(OOM|MISCONF)\b", text):
            raise StorageError(
                f"room at the Redis server {self._shown}",
                found=text,
                do="Free memory or disk there, and send the same again: nothing of it was taken.",
            ) from error
        if "WRONGTYPE" in text or isinstance(error, redis.DataError):
            raise IntegrityError(
                f"the live state under {self._prefix} at {self._shown}", found=text, do=_RESTORE
            ) from error
        raise ServiceError(
            f"an answer of the Redis server {self._shown}",
            found=text or type(error).__name__,
            do="Start it, or correct CHRONOTOPE_STATE; what was sent may be sent again.",
        ) from error


_NOTHING = History(nothing(), whole=False, version="none")
_ASKED = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
_NOT_LET_IN = (
    redis.exceptions.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.NoPermissionError,
)
_RESTORE = "Bring back a copy of the server's data, or choose another name."

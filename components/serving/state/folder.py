"""The live state in a folder, by LMDB: the default, without a server; several threads and processes may share it.

    log    offset → record                    written by every append, at its end: a page or two
    index  user → ids, order in time, grave   written for `_FOLD` records together, by the append that finds so many

An append is one transaction, whatever it holds. What the index does not hold yet is in `Tail`, which every process
keeps up to the log's head. Times are never compared with a clock, but for a tombstone: it bars what happened up to the
moment it is set (or the newest time that was erased, if that is later), so what was sent before and comes again stays
away. Erased bytes may remain in unused pages of the file until they are written over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from components.serving.state import index, keys, shelf
from components.serving.state.newest import Newest, nothing
from components.serving.state.protocol import EVERYTHING, Receipt, Sizes, Stored
from components.serving.state.recent import MOST_BYTES, History
from components.serving.state.record import Record
from components.serving.state.shelf import Heads, Transaction

_FOLD = 256  # records that the index takes together
_BEHIND = 8_192  # records of others beyond which a process starts its memory anew


def now_us() -> int:
    """UTC microseconds since 1970."""
    return time.time_ns() // 1_000


class FolderState:
    """`State` in a folder.

    Parameters
    ----------
    folder : made if it is not there
    durability : what an acknowledged record survives: `process`, kill -9; `fsync`, a power cut too
    clock : UTC microseconds, for tombstones
    begin : offset beyond which an empty folder goes on
    most_bytes : of the histories that the process holds
    """

    def __init__(
        self,
        folder: Path,
        durability: str,
        clock: Callable[[], int] = now_us,
        begin: int = 0,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._shelf = shelf.take(folder, durability, begin, most_bytes)
        self._clock = clock
        self._closed = False

    def append(self, records: Sequence[Record]) -> list[Receipt]:
        """Take records, all or none; one receipt each. What a tombstone bars is a duplicate at the tombstone's offset.

        Raises
        ------
        ValueError
            One is a tombstone: `forget` alone leaves those.
        StorageError
            The disk is full; nothing was taken.
        """
        encoded = [_encoded(record) for record in records]
        if not encoded:
            return []
        own = self._shelf
        with own.told, own.writing:
            with own.env.begin(write=True) as txn:
                heads = self._followed(txn)
                if heads.head - heads.folded >= _FOLD:
                    heads = index.fold(own, txn, heads)
                receipts, taken = self._put(txn, heads, records, encoded)
                own.write(txn, heads._replace(head=heads.head + len(taken)))
            with own.view:
                for stored, data in taken:
                    own.tail.take(stored, data)
                own.tail.trim(heads.folded)
        return receipts

    def _put(
        self, txn: Transaction, heads: Heads, records: Sequence[Record], encoded: list[bytes]
    ) -> tuple[list[Receipt], list[tuple[Stored, bytes]]]:
        """Write to the log what it does not hold: that, with its bytes."""
        own = self._shelf
        receipts: list[Receipt] = []
        taken: list[tuple[Stored, bytes]] = []
        fresh: dict[tuple[str, str, str], int] = {}
        offset = heads.head
        for record, data in zip(records, encoded, strict=True):
            name = record.user_id, record.kind, record.id
            there = fresh.get(name) or self._there(txn, record)
            if there:
                receipts.append(Receipt(there, duplicate=True))
                continue
            offset += 1
            fresh[name] = offset
            txn.put(keys.pack_offset(offset), keys.seal(offset, data), db=own.log, append=True)
            receipts.append(Receipt(offset, duplicate=False))
            taken.append((Stored(offset, record), data))
        return receipts, taken

    def _there(self, txn: Transaction, record: Record) -> int:
        """Offset of the record that has this id, or of the tombstone that bars it; 0 = neither."""
        own = self._shelf
        if there := own.tail.offset_of(record.user_id, record.kind, record.id):
            return there
        user = keys.user_key(record.user_id)
        if found := txn.get(keys.id_key(user, record.kind, record.id), db=own.index):
            return keys.unpack_offset(found)
        barred, offset = index.grave(own, txn, user)
        return offset if offset and record.time_us <= barred else 0

    def last(self, user_id: str, n: int) -> Newest:
        """A user's newest `n` events, oldest first: by time, then by offset."""
        if n <= 0:
            return nothing()
        own = self._shelf
        with own.told, own.view, own.env.begin() as txn:
            self._follow(txn)
            known = own.tail.recent.newest(user_id, n)
            if known is not None:
                return known
            indexed = index.newest(own, txn, keys.user_key(user_id), n)
            history = History(indexed, whole=len(indexed) < n)
            for stored in own.tail.events(user_id):
                history.put(stored)
            history.cut(n)
            found = history.events[:]
            own.tail.recent.put(user_id, history)
            return found

    def after(self, offset: int, limit: int) -> list[Stored]:
        """At most `limit` records of the log with a greater offset, in order; forgotten ones are left out."""
        own = self._shelf
        with own.told, own.env.begin() as txn:
            return self._log(txn, offset, limit)

    def _log(self, txn: Transaction, offset: int, limit: int) -> list[Stored]:
        cursor = txn.cursor(self._shelf.log)
        found: list[Stored] = []
        if limit > 0 and cursor.set_range(keys.pack_offset(offset + 1)):
            for key, value in cursor:
                found.append(keys.unseal(keys.unpack_offset(key), value))
                if len(found) == limit:
                    break
        return found

    def head(self) -> int:
        """The greatest offset that was given; 0 = nothing came in yet."""
        own = self._shelf
        with own.told, own.env.begin() as txn:
            return own.read(txn).head

    def forget(self, user_id: str) -> Stored:
        """Erase everything of a user, payloads in the log too, and leave a tombstone in the log: returned."""
        own = self._shelf
        user = keys.user_key(user_id)
        with own.told, own.writing:
            with own.env.begin(write=True) as txn:
                heads = index.fold(own, txn, self._followed(txn))
                newest, had_events = index.erase(own, txn, user)
                now, offset = self._clock(), heads.head + 1
                newest = max(newest, now, index.grave(own, txn, user)[0])
                tombstone = Stored(offset, Record("tombstone", f"tombstone-{offset}", user_id, newest, now, {}))
                sealed = keys.seal(offset, tombstone.record.encode())
                txn.put(keys.pack_offset(offset), sealed, db=own.log, append=True)
                txn.put(user + keys.GRAVE, keys.grave(newest, offset), db=own.index)
                own.write(txn, Heads(offset, offset, heads.epoch, heads.users - had_events))
            with own.view:
                own.tail.take(tombstone)
                own.tail.trim(offset)
        return tombstone

    def forgotten(self, user_id: str) -> int:
        """Offset of the user's newest tombstone; 0 = none."""
        own = self._shelf
        with own.told, own.env.begin() as txn:
            return index.grave(own, txn, keys.user_key(user_id))[1]

    def expire(self, before_us: int, until_offset: int = EVERYTHING) -> int:
        """Drop records (and their ids) of before a time, up to an offset, tombstones aside; how many.

        Takes a transaction for some thousand at a time, so that appends go on between.
        """
        own = self._shelf
        dropped, place = 0, b""
        while True:
            with own.told, own.writing:
                with own.env.begin(write=True) as txn:
                    heads = index.fold(own, txn, self._followed(txn))
                    count, users, then = index.expire_some(own, txn, place, before_us, until_offset)
                    own.write(txn, heads._replace(epoch=heads.epoch + (count > 0), users=heads.users - users))
                with own.view:
                    own.tail.trim(heads.folded)
            dropped += count
            if then is None:
                return dropped
            place = then

    def sizes(self) -> Sizes:
        """Users with events, records of the log (tombstones too), bytes of the file."""
        own = self._shelf
        with own.told, own.view, own.env.begin() as txn:
            heads = self._follow(txn)
            new = sum(not index.has(own, txn, keys.moments(keys.user_key(one), "event")) for one in own.tail.users())
            size = (own.folder / "data.mdb").stat().st_size
            return Sizes(heads.users + new, txn.stat(own.log)["entries"], size)

    def close(self) -> None:
        """Release what is held; twice is once."""
        if not self._closed:
            self._closed = True
            shelf.let_go(self._shelf)

    def _followed(self, txn: Transaction) -> Heads:
        with self._shelf.view:
            return self._follow(txn)

    def _follow(self, txn: Transaction) -> Heads:
        """Bring this process's memory up to what a transaction sees; `view` is held."""
        own = self._shelf
        heads, tail = own.read(txn), own.tail
        if heads.epoch != tail.epoch or heads.head - tail.seen > _BEHIND:
            tail.restart(heads.folded, heads.epoch)
        if heads.head > tail.seen:
            for stored in self._log(txn, tail.seen, heads.head - tail.seen):
                tail.take(stored)
            tail.seen = heads.head
        tail.trim(heads.folded)
        return heads


def _encoded(record: Record) -> bytes:
    if record.kind == "tombstone":
        raise ValueError("a tombstone is left by forget() alone")
    return record.encode()

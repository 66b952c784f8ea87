"""The index of a live log in a folder: written for many records at once, and what is asked of it.

Every function works inside a transaction that its caller has begun, and commits nothing. What is not indexed yet is not
its concern (`tail.py`).
"""

from __future__ import annotations

from array import array

from components.serving.state import keys
from components.serving.state.newest import Newest
from components.serving.state.record import KINDS
from components.serving.state.shelf import Heads, Shelf, Transaction

CHUNK = 1_000  # records dropped, or users looked at, in one transaction of `expire`


def fold(own: Shelf, txn: Transaction, heads: Heads) -> Heads:
    """Write what waits into the index."""
    rows: list[tuple[bytes, bytes]] = []
    new: set[str] = set()
    for offset, record in ((one.offset, one.record) for one in own.tail.waiting()):
        user = keys.user_key(record.user_id)
        rows.append((keys.moment_key(user, record.kind, record.time_us, offset), b""))
        rows.append((keys.id_key(user, record.kind, record.id), keys.pack_offset(offset)))
        if record.kind == "event" and record.user_id not in new and not has(own, txn, keys.moments(user, "event")):
            new.add(record.user_id)
    rows.sort()
    txn.cursor(own.index).putmulti(rows)
    return heads._replace(folded=heads.head, users=heads.users + len(new))


def newest(own: Shelf, txn: Transaction, user: bytes, n: int) -> Newest:
    """The newest `n` events of a user that the index holds, oldest first."""
    start = keys.moments(user, "event")
    cursor = txn.cursor(own.index)
    found = cursor.prev() if cursor.set_range(start + b"\xff" * 17) else cursor.last()
    moments: list[bytes] = []
    if found:
        for key in cursor.iterprev(keys=True, values=False):
            if len(moments) == n or not key.startswith(start):
                break
            moments.append(key)
    moments.reverse()
    values = dict(txn.cursor(own.log).getmulti([key[-8:] for key in moments]))
    times, offsets = array("q"), array("q")
    for key in moments:
        time_us, offset = keys.moment_of(key)
        times.append(time_us)
        offsets.append(offset)
    data = [keys.verify(at, values.get(key[-8:], b"")) for at, key in zip(offsets, moments, strict=True)]
    return Newest(offsets, times, data)


def grave(own: Shelf, txn: Transaction, user: bytes) -> tuple[int, int]:
    """Time and offset of a user's newest tombstone; offset 0 = none."""
    found = txn.get(user + keys.GRAVE, db=own.index)
    return (-(1 << 62), 0) if found is None else keys.moment_of(found)


def has(own: Shelf, txn: Transaction, start: bytes) -> bool:
    """Whether the index has a key that begins so."""
    cursor = txn.cursor(own.index)
    return bool(cursor.set_range(start)) and cursor.key().startswith(start)


def erase(own: Shelf, txn: Transaction, user: bytes) -> tuple[int, bool]:
    """Delete all of a user but the grave: the newest time of it, and whether there were events."""
    newest, had_events, gone = -(1 << 62), False, []
    cursor = txn.cursor(own.index)
    if cursor.set_range(user + keys.ID):
        for key in cursor.iternext(keys=True, values=False):
            if not key.startswith(user):
                break
            gone.append(key)
    for key in gone:
        if key[keys.USER : keys.USER + 1] == keys.TIME:
            newest = max(newest, keys.moment_of(key)[0])
            had_events |= key.startswith(keys.moments(user, "event"))
            txn.delete(key[-8:], db=own.log)
        txn.delete(key, db=own.index)
    return newest, had_events


def expire_some(
    own: Shelf, txn: Transaction, place: bytes, before_us: int, until_offset: int
) -> tuple[int, int, bytes | None]:
    """From a place of the index on: records dropped, users who lost their last event, where to go on."""
    cursor = txn.cursor(own.index)
    count = users = 0
    for _ in range(CHUNK):
        if not cursor.set_range(place):
            return count, users, None
        user = bytes(cursor.key()[: keys.USER])
        for kind in sorted(KINDS - {"tombstone"}):
            gone = _old(own, txn, user, kind, (before_us, until_offset), CHUNK - count)
            for key in gone:
                stored = keys.unseal(keys.unpack_offset(key[-8:]), txn.get(key[-8:], db=own.log) or b"")
                txn.delete(keys.id_key(user, kind, stored.record.id), db=own.index)
                txn.delete(key[-8:], db=own.log)
                txn.delete(key, db=own.index)
            count += len(gone)
            if kind == "event" and gone and not has(own, txn, keys.moments(user, kind)):
                users += 1
            if count >= CHUNK:
                return count, users, user
        place = user + b"\xff"
    return count, users, place


def _old(own: Shelf, txn: Transaction, user: bytes, kind: str, before: tuple[int, int], most: int) -> list[bytes]:
    """Keys of a user's records of a kind of before a time and up to an offset, the oldest first."""
    before_us, until_offset = before
    start = keys.moments(user, kind)
    cursor = txn.cursor(own.index)
    found: list[bytes] = []
    if cursor.set_range(start):
        for key in cursor.iternext(keys=True, values=False):
            if len(found) == most or not key.startswith(start):
                break
            time_us, offset = keys.moment_of(key)
            if time_us >= before_us:
                break
            if offset <= until_offset:
                found.append(key)
    return found

"""How the live log and its index are laid out as keys of an ordered store. Bytes only; nothing is read or written here.

    log     offset                               → checksum, record
    index   user g                               → time and offset of the newest tombstone
            user i kind digest-of-id             → offset
            user t kind time offset              → nothing: the order of a user's records in time

A user is 16 bytes of a digest of the id, so that keys are short whatever the id, and neighbours in the store are the
same user's. Numbers are big-endian, so that the order of bytes is that of numbers.
"""

from __future__ import annotations

import struct
import zlib
from hashlib import blake2b

from components.errors import IntegrityError
from components.serving.state.protocol import Stored
from components.serving.state.record import decode

USER = 16  # bytes
GRAVE, ID, TIME = b"g", b"i", b"t"
_BIAS = 1 << 63  # times before 1970 sort first
_PAIR = struct.Struct(">QQ")
_ONE = struct.Struct(">Q")
_SUM = struct.Struct(">I")
pack_offset = _ONE.pack


def unpack_offset(data: bytes) -> int:
    """Offset of a key or a value of 8 bytes."""
    return int(_ONE.unpack(data)[0])


def user_key(user_id: str) -> bytes:
    """(16,) bytes that stand for a user."""
    return blake2b(user_id.encode(), digest_size=USER).digest()


def tag(kind: str) -> bytes:
    """The byte of a kind: its first letter; no two kinds share one."""
    return kind[0].encode()


def id_key(user: bytes, kind: str, id_: str) -> bytes:
    """Where the offset of a record stands by its id."""
    return user + ID + tag(kind) + blake2b(id_.encode(), digest_size=16).digest()


def moments(user: bytes, kind: str) -> bytes:
    """What the keys of a user's records of one kind begin with."""
    return user + TIME + tag(kind)


def moment_key(user: bytes, kind: str, time_us: int, offset: int) -> bytes:
    """Where a record stands in the order of its user's time."""
    return user + TIME + tag(kind) + _PAIR.pack(time_us + _BIAS, offset)


def moment_of(key: bytes) -> tuple[int, int]:
    """Time in microseconds and offset of a `moment_key`."""
    time_us, offset = _PAIR.unpack(key[-16:])
    return time_us - _BIAS, offset


def grave(time_us: int, offset: int) -> bytes:
    """A tombstone's time and offset, as a value."""
    return _PAIR.pack(time_us + _BIAS, offset)


def seal(offset: int, data: bytes) -> bytes:
    """A record's bytes with their checksum, which knows its offset."""
    return _SUM.pack(zlib.crc32(data, offset & 0xFFFFFFFF)) + data


def verify(offset: int, value: bytes) -> bytes:
    """The bytes of a sealed value.

    Raises
    ------
    IntegrityError
        They are not those that were sealed at this offset.
    """
    data = value[4:]
    if len(value) < 4 or zlib.crc32(data, offset & 0xFFFFFFFF) != _SUM.unpack(value[:4])[0]:
        raise IntegrityError(
            f"the record at offset {offset} of the live log",
            found="bytes that differ from their checksum" if value else "nothing",
            do="Restore the live state.",
        )
    return data


def unseal(offset: int, value: bytes) -> Stored:
    """The record of a sealed value; raises as `verify` and `decode` do."""
    return Stored(offset, decode(verify(offset, value)))

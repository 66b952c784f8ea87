"""What the live log holds: one record for each thing that came in, as plain JSON that nothing executes.

A record knows its kind, whose it is and when it happened; the rest is its payload. Never here: whether a record is
allowed (`components.serving.intake`), or where it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from components.errors import IntegrityError

#: event: a behaviour; impression: what was shown; feedback: what a user said; position: a point of a raw trace;
#: tombstone: everything of the user before it is gone.
Kind = Literal["event", "impression", "feedback", "position", "tombstone"]
KINDS: frozenset[str] = frozenset({"event", "impression", "feedback", "position", "tombstone"})


@dataclass(frozen=True)
class Record:
    """One thing that came in.

    Attributes
    ----------
    kind : what it is
    id : unique among the records of its user and kind; a record that comes again is a duplicate
    user_id : whose
    time_us : when it happened, UTC microseconds since 1970
    received_us : when the service took it, the same unit; never used to order a history
    payload : the other fields, JSON values (of an event: the other columns of the contract)
    """

    kind: Kind
    id: str
    user_id: str
    time_us: int
    received_us: int
    payload: Mapping[str, Any]

    def encode(self) -> bytes:
        """As JSON."""
        return dumped([self.kind, self.id, self.user_id, self.time_us, self.received_us, self.payload])


def dumped(value: Any) -> bytes:
    """A value as JSON, in no more room than it takes: what orjson gives keeps the four kilobytes it was written in."""
    return bytes(memoryview(orjson.dumps(value)))


def decode(data: bytes) -> Record:
    """What `Record.encode` gave.

    Raises
    ------
    IntegrityError
        The bytes are no record.
    """
    try:
        row = orjson.loads(data)
    except ValueError as error:
        raise IntegrityError("a record of the live log", found=str(error), do="Restore the live state.") from error
    return record_of(row)


def _shape(row: Any) -> str:
    """What something is, without what it says: that may be who a user is."""
    return f"a {type(row).__name__}" + (f" of {len(row)}" if isinstance(row, list | dict | str) else "")


def record_of(row: Any) -> Record:
    """The record of a row of JSON: kind, id, user, time, time of receipt, payload.

    Raises
    ------
    IntegrityError
        The row is no record.
    """
    try:
        kind, id_, user_id, time_us, received_us, payload = row
        fits = kind in KINDS and type(payload) is dict and type(time_us) is int
    except (ValueError, TypeError):
        fits = False
    if not fits:
        raise IntegrityError("a record of the live log", found=_shape(row), do="Restore the live state.")
    record = object.__new__(Record)  # a frozen class's own __init__ takes four times as long; histories are hundreds
    fields = record.__dict__
    fields["kind"] = kind
    fields["id"] = id_
    fields["user_id"] = user_id
    fields["time_us"] = time_us
    fields["received_us"] = received_us
    fields["payload"] = payload
    return record

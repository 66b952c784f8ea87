"""Small live logs for tests of what becomes of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.serving.state.memory import MemoryState
from components.serving.state.protocol import Stored
from components.serving.state.record import Kind, Record


def us(moment: dt.datetime) -> int:
    """Microseconds since 1970."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def record(kind: Kind, id_: str, user_id: str, time_us: int, **payload: Any) -> Record:
    return Record(kind, id_, user_id, time_us, time_us, payload)


def events_as_records(log: pl.DataFrame) -> list[Record]:
    """A log's events as they would have come in one by one."""
    found = []
    plain = log.with_columns(pl.col(pl.Float64).fill_nan(None))
    for place, row in enumerate(plain.iter_rows(named=True)):
        payload = {
            name: value for name, value in row.items() if name not in {"user_id", "timestamp"} and value is not None
        }
        found.append(record("event", f"#{place}", row["user_id"], us(row["timestamp"]), **payload))
    return found


@dataclass
class ClockedState(MemoryState):
    """A state in memory whose tombstones have the time of `now_us`."""

    now_us: int = 0
    moments: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def forget(self, user_id: str) -> Stored:
        stored = super().forget(user_id)
        self.moments[stored.offset] = self.now_us
        return self._timed(stored)

    def after(self, offset: int, limit: int) -> list[Stored]:
        return [self._timed(one) for one in super().after(offset, limit)]

    def _timed(self, one: Stored) -> Stored:
        when = self.moments.get(one.offset)
        if when is None:
            return one
        return Stored(one.offset, Record("tombstone", one.record.id, one.record.user_id, when, when, {}))


def filled(records: Sequence[Record]) -> ClockedState:
    """A state that took these one by one."""
    state = ClockedState()
    for one in records:
        state.append([one])
    return state

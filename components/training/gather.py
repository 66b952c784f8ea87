"""From the packed store to what a sequence model is fed: tokens and requests, by slices of flat arrays.

The one place where columns of a store become tensors: training, judging and live answers all come through here, so
what a model sees offline and online is the same by construction. Never looks at an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.features.hexagon import unit_vectors
from components.features.store import Store
from components.models.config import SequenceConfig
from components.models.tokens import Request, Tokens
from components.predictor import Queries

_COLUMN_OF = {"hour": "local_hour", "weekday": "local_weekday"}
_DAY_MIN = 1440
Record = TypeVar("Record")


@dataclass(frozen=True)
class Slices:
    """B stretches of token sequences. Token 0 of a history is its start, token i its i-th event.

    Attributes
    ----------
    begin : (B,) int64 row of the history's first event
    first : (B,) int64 first token
    length : (B,) int64 tokens, ≥ 1
    answers : (B,) int64 of them that answer (the last one may only know that nothing has come since)
    """

    begin: NDArray[np.int64]
    first: NDArray[np.int64]
    length: NDArray[np.int64]
    answers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.begin)

    def __getitem__(self, part: slice | NDArray) -> Slices:
        return Slices(self.begin[part], self.first[part], self.length[part], self.answers[part])


def input_columns(config: SequenceConfig) -> tuple[str, ...]:
    """Codes that the model reads."""
    names: list[str] = ["item"] if "item" in config.inputs else []
    names += [name for name in ("action", "device") if name in config.inputs]
    names += ["hour", "weekday", "holiday"] if "clock" in config.inputs else []
    names += [f"cell_{resolution}" for resolution, _ in config.cells] if "cells" in config.inputs else []
    return tuple(dict.fromkeys([*names, *config.told_columns]))


def column_of(name: str) -> str:
    """The store's column that codes of a name are read from."""
    return _COLUMN_OF.get(name, name)


def read_columns(config: SequenceConfig) -> tuple[str, ...]:
    """Columns of a store that tokens are made of, besides its numbers."""
    places = ("latitude", "longitude") if config.reads_points else ()
    return ("time_s", *places, *(column_of(name) for name in input_columns(config)))


def event_rows(slices: Slices) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(B, L) row of each token's event, 0 where there is none, and whether there is one (no start, no padding)."""
    j = np.arange(int(slices.length.max()))
    token = slices.first[:, None] + j
    event = (j < slices.length[:, None]) & (token > 0)
    return np.where(event, slices.begin[:, None] + token - 1, 0), event


def tokens_of(store: Store, slices: Slices, config: SequenceConfig) -> Tokens:
    """Tokens of the slices, right-padded to the longest: (B, L)."""
    row, event = event_rows(slices)
    j = np.arange(row.shape[1])
    token = slices.first[:, None] + j  # (B, L) index in the history
    mask = j < slices.length[:, None]
    codes = {
        name: _tensor(np.where(event, np.asarray(store[column_of(name)])[row], 0).astype(np.int64))
        if store.n_events
        else torch.zeros(row.shape, dtype=torch.int64)
        for name in input_columns(config)
    }
    timed = np.where(mask, slices.begin[:, None] + np.maximum(token - 1, 0), 0)
    time_s = np.where(mask, _take(store["time_s"], timed), 0)
    position = np.maximum(slices.answers[:, None] - 1 - j, 0)
    return Tokens(
        codes=codes,
        numbers=_tensor(_numbers(store, row, event)) if "numbers" in config.inputs else None,
        time_s=_tensor(time_s.astype(np.int64)),
        point=_tensor(_points(store, row, event)) if config.reads_points else None,
        position=_tensor(position),
        mask=_tensor(mask),
        begins=_tensor(slices.first == 0),
        hidden=None,
    )


def _points(store: Store, row: NDArray[np.int64], event: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(B, L, 3) places on the unit sphere, 0 where there is none."""
    if not store.n_events:
        return np.zeros((*row.shape, 3), np.float32)
    lat, lon = (np.radians(np.asarray(store[name])[row].astype(np.float64)) for name in ("latitude", "longitude"))
    known = event & np.isfinite(lat) & np.isfinite(lon)
    points = np.moveaxis(unit_vectors(lat, lon), 0, -1)
    return np.where(known[..., None], points, 0.0).astype(np.float32)


def _take(column: NDArray, row: NDArray[np.int64]) -> NDArray:
    """Values at `row`, 0 where a row lies behind the last event (an empty history)."""
    if not len(column):
        return np.zeros(row.shape, column.dtype)
    return np.where(row < len(column), np.asarray(column)[np.minimum(row, len(column) - 1)], 0)


def _numbers(store: Store, row: NDArray[np.int64], event: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(B, L, 2F) scaled numbers, clipped to ±10 deviations, and bits that say which were filled."""
    F = store.numbers.shape[1]
    out = np.zeros((*row.shape, 2 * F), np.float32)
    if store.n_events:
        out[..., :F] = np.clip(store.numbers[row], -10.0, 10.0)
        out[..., F:] = (np.asarray(store.missing)[row][..., None] >> np.arange(F)) & 1
    return out * event[..., None]


def request_of(
    time_s: NDArray[np.int64],
    utc_offset_min: NDArray[np.int16],
    last_s: NDArray[np.int64],
    known: NDArray[np.bool_],
) -> Request:
    """Clock and gap of n requests.

    Parameters
    ----------
    time_s : (n,) UTC seconds of the request
    utc_offset_min : (n,) of its local clock
    last_s : (n,) time of the last visible event; that of the request where nothing is visible
    known : (n,) whether the clock may be used
    """
    local = np.asarray(time_s, np.int64) // 60 + np.asarray(utc_offset_min, np.int64)  # minutes since 1970, local
    minute = local % _DAY_MIN
    return Request(
        hour=_tensor(minute // 60),
        weekday=_tensor((local // _DAY_MIN + 3) % 7),  # 1970-01-01 was a Thursday
        minute_of_day=_tensor(minute.astype(np.float32)),
        log_gap=_tensor(np.log1p(np.maximum(time_s - last_s, 0)).astype(np.float32)),
        known=_tensor(np.asarray(known, bool)),
    )


def query_slices(queries: Queries, max_history: int) -> Slices:
    """The last `max_history` tokens of each visible history."""
    tokens = queries.stop - queries.start + 1
    first = np.maximum(tokens - max_history, 0)
    return Slices(np.asarray(queries.start, np.int64), first, tokens - first, tokens - first)


def query_request(queries: Queries, config: SequenceConfig) -> Request | None:
    """What the queries tell of the moment of the answer; None when the model does not ask."""
    if not config.request_clock:
        return None
    seen = queries.stop > queries.start
    last = _take(queries.store["time_s"], np.maximum(queries.stop - 1, 0))
    return request_of(
        queries.time_s,
        queries.utc_offset_min,
        np.where(seen, last, queries.time_s),
        np.full(len(queries), queries.time_given),
    )


def on_device(record: Record, device: torch.device) -> Record:
    """The same record of tensors (nested records and mappings too) on a device."""
    if device.type == "cpu":
        return record
    moved: Any = _moved(record, device)
    return moved


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: _moved(one, device) for name, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _moved(getattr(value, field.name), device) for field in fields(value)})
    return value


def _tensor(array: NDArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))

"""A query as a row of numbers: what a table learner sees of a history.

Counts and last steps of actions, pauses, the clock, lengths. Never here: items by name, or the answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.features.store import Store
from components.memory.ask import DAY_S, Ask, Floats, Ints
from components.predictor import Queries

#: Last actions and pauses that are seen one by one.
LAST = 3


def width_of(n_actions: int) -> int:
    """F, the columns of `table_of`."""
    return (LAST + 2) * n_actions + 2 * LAST + 17


def queries_at(store: Store, row: Ints, time_given: bool) -> Queries:
    """The questions that events (n,) of a store answer, each asked of everything that precedes it."""
    user = store.user[row]
    start = np.asarray(store.offsets)[user]
    own, last = np.asarray(store["time_s"]), np.maximum(row - 1, 0)
    asked = row if time_given else np.where(row > start, last, row)
    nowhere = np.full(len(row), np.nan, np.float32)
    offset = np.asarray(store["utc_offset_min"], np.int16)[asked]
    return Queries(store, user, start, row, own[asked].astype(np.int64), offset, nowhere, nowhere.copy(), time_given)


def table_of(ask: Ask, n_actions: int, given: bool) -> NDArray[np.float32]:
    """(B, F) features.

    Parameters
    ----------
    ask : queries and their histories
    n_actions : A, padding and unknown included
    given : whether the time of the request may be seen; else the clock is that of the last visible event
    """
    session = ask.column("session")
    current = np.full(ask.size, -1, session.dtype)
    current[ask.query] = session  # of equal indices the last is kept: the newest
    inside = session == current[ask.query]
    log_gap, paused = _pauses(ask)
    last_s = np.array(ask.queries.time_s, np.int64)
    last_s[ask.query] = ask.time_s
    begin_s = np.array(last_s)
    np.minimum.at(begin_s, ask.query[inside], ask.time_s[inside])
    n = np.maximum(_count(ask, paused), 1.0)
    mean = _count(ask, log_gap) / n
    spread = np.sqrt(np.maximum(_count(ask, log_gap**2) / n - mean**2, 0.0))
    pair = np.unique(ask.item_query * np.int64(1 << 32) + ask.item_code)
    kinds = np.bincount(pair >> 32, minlength=ask.size)
    columns = [
        *_last_actions(ask, n_actions),
        np.log1p(_actions(ask, np.ones(len(inside)), n_actions)),
        np.log1p(_actions(ask, inside.astype(np.float64), n_actions)),
        *_last_pauses(ask, log_gap, paused),
        mean,
        spread,
        np.log1p(ask.length),
        np.log1p(_count(ask, inside.astype(np.float64))),
        np.log1p(last_s - begin_s),
        kinds / np.maximum(ask.length, 1),
        *_clock(ask.queries.time_s if given else last_s, ask.queries.utc_offset_min),
        np.log1p(np.maximum(ask.queries.time_s - last_s, 0)) if given else np.zeros(ask.size),
    ]
    return np.column_stack([np.asarray(one, np.float32) for one in columns])


def _count(ask: Ask, value: Floats) -> Floats:
    """(B,) sums of values (n,) over each query's events."""
    return np.bincount(ask.query, value, ask.size).astype(np.float64)


def _pauses(ask: Ask) -> tuple[Floats, Floats]:
    """(n,) log(gap_s + 1), 0 where there was no earlier event; (n,) 1 where there was."""
    gap_s = ask.column("gap_s").astype(np.float64)
    return np.log1p(np.maximum(gap_s, 0.0)), (gap_s >= 0).astype(np.float64)


def _back(ask: Ask, step: int) -> tuple[Ints, NDArray[np.bool_]]:
    """(B,) place of the event `step` before the newest among the n events, and whether there is one."""
    there = ask.length > step
    return np.where(there, ask.edges[1:] - 1 - step, 0), there


def _last_actions(ask: Ask, n_actions: int) -> list[Floats]:
    """LAST arrays (B, A): 1 at the action; all 0 where there is no event."""
    action = ask.column("action").astype(np.int64)
    found = []
    for step in range(LAST):
        place, there = _back(ask, step)
        hot = np.zeros((ask.size, n_actions))
        hot[np.flatnonzero(there), action[place[there]]] = 1.0
        found.append(hot)
    return found


def _last_pauses(ask: Ask, log_gap: Floats, paused: Floats) -> list[Floats]:
    """LAST arrays (B, 2): the log-pause before each of the last events, and whether there was one."""
    found = []
    for step in range(LAST):
        place, there = _back(ask, step)
        pair = np.zeros((ask.size, 2))
        pair[there] = np.stack([log_gap[place[there]], paused[place[there]]], axis=1)
        found.append(pair)
    return found


def _actions(ask: Ask, weight: Floats, n_actions: int) -> Floats:
    """(B, A) sums of weights (n,) by action."""
    key = ask.query * n_actions + ask.column("action").astype(np.int64)
    total = np.bincount(key, weight, ask.size * n_actions).astype(np.float64)
    return total.reshape(ask.size, n_actions)


def _clock(time_s: Ints, utc_offset_min: NDArray[np.int16]) -> list[Floats]:
    """Hour of the local day as itself and on a circle, and the weekday (B, 7), Monday first."""
    local_s = time_s + 60 * utc_offset_min.astype(np.int64)
    hour = (local_s % DAY_S) / 3600.0
    angle = hour * (np.pi / 12)
    return [hour, np.sin(angle), np.cos(angle), np.eye(7)[(local_s // DAY_S + 3) % 7]]

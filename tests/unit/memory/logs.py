"""Logs of a few events, written out, and the questions that are asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from components.features.encoding import Encoding
from components.features.store import Store
from components.memory.ask import Ask
from components.memory.counter import Counter, Popularity, World
from components.memory.kinds import make_counter
from components.params import ComponentParams, MemoryParams
from components.predictor import Queries
from tests.toy import MONDAY_S, toy_encoding, toy_store

HOUR_S, DAY_S = 3600, 86_400
#: (user, item code, hours after Monday midnight)
Event = tuple[int, int, float]


def encoding(n_items: int = 4) -> Encoding:
    """Items 2 … on a line of latitude 0, one degree of longitude (111.19 km) apart."""
    one = toy_encoding(n_items)
    nan = [np.nan, np.nan]
    places = replace(
        one.catalogue,
        latitude=np.array(nan + [0.0] * n_items, np.float32),
        longitude=np.array(nan + list(range(n_items)), np.float32),
    )
    return replace(one, catalogue=places)


def store_of(events: Sequence[Event], n_items: int = 4, n_users: int = 2) -> Store:
    """A store of the events, all in the training window; sessions end after half an hour."""
    pattern = toy_store(n_users=1, n_items=n_items, events_per_user=1)
    ordered = sorted(events, key=lambda one: (one[0], one[2]))
    user = np.array([one[0] for one in ordered], np.int64)
    item = np.array([one[1] for one in ordered], np.int32)
    time_s = np.array([MONDAY_S + one[2] * HOUR_S for one in ordered], np.int64)
    n = len(ordered)
    first = np.diff(user, prepend=-1) != 0
    gap_s = np.where(first, -1, np.diff(time_s, prepend=0))
    made = encoding(n_items)
    columns = {name: np.zeros(n, column.dtype) for name, column in pattern.columns.items()}
    columns |= {
        "item": item,
        "action": np.full(n, 2, np.int8),
        "time_s": time_s,
        "local_hour": (time_s // HOUR_S % 24).astype(np.int8),
        "gap_s": gap_s.astype(np.int64),
        "session": np.cumsum((gap_s > 1800) | first).astype(np.int32),
        "latitude": made.catalogue.latitude[item],
        "longitude": made.catalogue.longitude[item],
        "target": np.ones(n, bool),
        "cell_6": np.where(item > 1, 2, 0).astype(np.int32),
        "cell_8": np.where(item > 1, item % 8 + 2, 0).astype(np.int32),
    }
    offsets = np.searchsorted(user, np.arange(n_users + 1)).astype(np.int64)
    users = np.array([f"u{u}" for u in range(n_users)], object)
    return Store(
        users,
        offsets,
        columns,
        np.zeros((n, pattern.numbers.shape[1]), np.float32),
        np.zeros(n, np.uint16),
        made,
    )


def asking(
    store: Store, user: int = 0, hour: float = 100.0, place: tuple[float, float] | None = None, given: bool = True
) -> Queries:
    """One query of a user after all of the user's events."""
    latitude, longitude = place if place is not None else (np.nan, np.nan)
    return Queries(
        store,
        np.array([user], np.int32),
        store.offsets[[user]],
        store.offsets[[user + 1]],
        np.array([MONDAY_S + hour * HOUR_S], np.int64),
        np.zeros(1, np.int16),
        np.array([latitude], np.float32),
        np.array([longitude], np.float32),
        given,
    )


def memory_params(**components: ComponentParams) -> MemoryParams:
    """Params with the given counters and a smoothing of one event."""
    return MemoryParams(
        components=components, history_buckets=[], em_steps=30, max_history=500, max_pairs=500, prior=1.0
    )


def counter(kind: str, store: Store, **options: float) -> Counter:
    """A counter that has counted the whole store."""
    from components.memory.ask import Events

    one = ComponentParams(kind=kind, options=options)
    made = make_counter("one", one, World.of(store.encoding, memory_params(one=one)))
    made.update(Events(store, np.arange(store.n_events)), 1.0)
    return made


def distribution(made: Counter, queries: Queries, popular: Sequence[float]) -> np.ndarray:
    """(V,) what a counter answers to one query, where popularity is `popular` (V,) events."""
    count = np.array(popular, float)
    share = count + 1
    share[:2] = 0
    popularity = Popularity(count, share / share.sum())
    ask = Ask(queries, 500)
    shared = made.share(ask, popularity)
    return shared.at(ask, np.zeros(len(count), np.int64), np.arange(len(count)), popularity.share)

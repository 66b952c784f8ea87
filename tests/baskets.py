"""Toy logs whose events come as baskets, and the rule that judges them so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from components.features.store import Store
from tests.networks import HIDDEN
from tests.toy import toy_store

RULE = replace(HIDDEN, ties="basket")


def with_columns(store: Store, **columns: NDArray) -> Store:
    """The same log with other columns."""
    return replace(store, columns={**store.columns, **columns})


def basket_store(size: int = 3, seed: int = 0, pattern: str = "habit") -> Store:
    """Every `size` events of a user share the time, the window and the session of the first of them."""
    store = toy_store(n_users=12, n_items=15, events_per_user=36, pattern=pattern, seed=seed)
    first = np.arange(store.n_events) // size * size
    shared = {name: np.asarray(store[name])[first] for name in ("time_s", "window", "session", "local_hour")}
    time_s = shared["time_s"].astype(np.int64)
    gap_s = np.diff(time_s, prepend=0)
    gap_s[store.offsets[:-1]] = -1
    return with_columns(store, **shared, gap_s=gap_s)


def turned(store: Store, size: int = 3, seed: int = 5) -> Store:
    """The same baskets, the items and actions of each in another order."""
    rng = np.random.default_rng(seed)
    order = np.argsort(np.arange(store.n_events) // size + rng.random(store.n_events) * 0.9, kind="stable")
    moved = ("item", "action", "device", "latitude", "longitude", "cell_6", "cell_8")
    return with_columns(store, **{name: np.asarray(store[name])[order] for name in moved})

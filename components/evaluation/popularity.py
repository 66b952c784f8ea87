"""How often each item was met in training, and the tiers that follow from it. Later windows are never counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.features.store import WINDOWS, Store


def tiers(store: Store) -> NDArray[np.int8]:
    """(V,) 0 for the most popular items that carry a third of the training events, then 1, then 2; -1 unknown."""
    count = training_counts(store).astype(np.float64)
    order = np.argsort(-count[2:], kind="stable") + 2
    share = (np.cumsum(count[order]) - count[order]) / max(count[2:].sum(), 1.0)
    tier = np.full(len(count), -1, np.int8)
    tier[order] = np.minimum((share * 3).astype(np.int8), 2)
    return tier


def training_counts(store: Store) -> NDArray[np.int64]:
    """(V,) events of each item code in the training window."""
    training = np.asarray(store["window"]) == WINDOWS["train"]
    return np.bincount(np.asarray(store["item"])[training], minlength=store.encoding.n_items).astype(np.int64)

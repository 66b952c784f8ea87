"""Probabilities of several predictors as one: the arithmetic of the blend.

Nothing here knows where weights come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.predictor import Capability, Queries, Scores, TimeDistribution

Floats = NDArray[np.float64]


def mixed(parts: Sequence[NDArray[np.float32]], weights: Floats) -> NDArray[np.float32]:
    """(B, n) mixture of distributions (B, n) with weights (B, P)."""
    weight = weights.T.astype(np.float32)
    out = parts[0] * weight[0, :, None]
    for part, one in zip(parts[1:], weight[1:], strict=True):
        out += part * one[:, None]
    return out


def mixed_time(parts: Sequence[TimeDistribution], weights: Floats) -> TimeDistribution:
    """The components of all parts side by side, each part's weights scaled by its own (B, P)."""
    share = [part.weight * weight[:, None].astype(np.float32) for part, weight in zip(parts, weights.T, strict=True)]
    return TimeDistribution(
        np.concatenate(share, axis=1),
        np.concatenate([part.mean for part in parts], axis=1),
        np.concatenate([part.sigma for part in parts], axis=1),
    )


def history_length(queries: Queries) -> NDArray[np.int64]:
    """(B,) events visible to each query."""
    return np.asarray(queries.stop - queries.start, np.int64)


def last_gap_s(queries: Queries, time_s: NDArray[np.integer]) -> NDArray[np.int64]:
    """(B,) seconds from the last visible event to `time_s` (B,); -1 where nothing is visible."""
    last = np.asarray(queries.store["time_s"][np.maximum(queries.stop - 1, 0)]).astype(np.int64)
    return np.where(queries.stop > queries.start, time_s - last, -1)


def probability_of(
    head: Capability, scores: Scores, store: Store, rows: NDArray[np.int64], gap_s: NDArray[np.int64]
) -> Floats:
    """(B,) probability (for time: density) that an answer gave to what happened; NaN where there is no such thing.

    Parameters
    ----------
    head : action, time or place
    scores : answers to B queries; they must have that head
    store, rows : where what happened is written
    gap_s : (B,) seconds since the last visible event, -1 without one
    """
    if head == "time":
        assert scores.time is not None
        density = np.exp(scores.time.log_density(np.maximum(gap_s, 0)))
        return np.where(gap_s >= 0, density, np.nan)
    table = scores.action if head == "action" else scores.place
    assert table is not None
    code = np.asarray(store[column_of(head, store)][rows]).astype(np.int64)
    return np.where(code > UNKNOWN, table[np.arange(len(rows)), code].astype(np.float64), np.nan)


def column_of(head: Capability, store: Store) -> str:
    """The store's column that holds what a head predicts."""
    if head == "place":
        return store.cells[-1]
    return {"item": "item", "action": "action", "time": "time_s"}[head]

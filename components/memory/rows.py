"""The loops over rows of the whole catalogue, compiled: one pass for each term of a mixture.

They start no threads. Never here: which terms there are (`memory.share`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled, quick
from components.memory.loops import Floats, Ints


@compiled
def outer(row: Floats, column: Floats) -> NDArray[np.float32]:
    """(B, V) row (B,) · column (V,), in single precision."""
    out = np.zeros((len(row), len(column)), np.float32)
    add_outer(out, row, column)
    return out


@compiled
def add_outer(out: NDArray[np.float32], row: Floats, column: Floats) -> None:
    """Add row (B,) · column (V,), in single precision, in place."""
    for b in range(len(out)):
        weight = np.float32(row[b])
        for v in range(out.shape[1]):
            out[b, v] += weight * np.float32(column[v])


@quick
def rows_shared(weight: NDArray[np.floating], prior: float) -> Floats:
    """(B,) what popularity gets of each query; the rows of weights (B, V) become shares, in place."""
    out = np.empty(len(weight))
    for b in range(len(weight)):
        total = 0.0
        for v in range(weight.shape[1]):
            total += weight[b, v]
        out[b] = prior / (total + prior)
        part = 1.0 / (total + prior)
        for v in range(weight.shape[1]):
            weight[b, v] *= weight.dtype.type(part)
    return out


@compiled
def add_dense(out: NDArray[np.float32], values: NDArray[np.floating], weight: NDArray[np.floating]) -> None:
    """Add values (B, V), times the weight (B,) of their query, in place."""
    for b in range(len(out)):
        for v in range(out.shape[1]):
            out[b, v] += values[b, v] * weight[b]


@compiled
def scatter(out: NDArray[np.float32], query: Ints, item: Ints, value: Floats, weight: Floats) -> None:
    """Add values (p,), times the weight (B,) of their query, at (query, item) of (B, V), in place."""
    for p in range(len(value)):
        out[query[p], item[p]] += np.float32(value[p] * weight[query[p]])


@compiled
def weighed(weights: Floats, parts: Floats) -> NDArray[np.float32]:
    """(B, n) mixtures of distributions (K, B, n) with weights (B, K)."""
    out = np.empty(parts[0].shape, np.float32)
    for b in range(len(out)):
        for c in range(out.shape[1]):
            total = 0.0
            for k in range(len(parts)):
                total += weights[b, k] * parts[k, b, c]
            out[b, c] = total
    return out

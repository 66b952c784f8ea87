"""Shuffles for compiled loops: of a stretch, and within groups; no lock is held while they run.

Never here: which things may change places under a null.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.compiled import released


@released
def shuffle(values: NDArray, low: int, high: int, rng: np.random.Generator) -> None:
    """Put `values[low:high]` into random order, in place (Fisher, Yates 1938; Durstenfeld 1964).

    Numba compiles its own `Generator.shuffle` for half a minute, this in seconds.
    """
    for place in range(high - 1, low, -1):
        other = low + int(rng.random() * (place - low + 1))
        values[place], values[other] = values[other], values[place]


@released
def shuffle_groups(values: NDArray, bounds: NDArray[np.integer], rng: np.random.Generator) -> None:
    """Shuffle within each group g of `values[bounds[g]:bounds[g + 1]]`, in place."""
    for group in range(len(bounds) - 1):
        shuffle(values, bounds[group], bounds[group + 1], rng)


def bounds_of(group: NDArray[np.integer]) -> NDArray[np.int64]:
    """(G+1,) where each group of equal neighbours in (N,) begins, and N."""
    first = np.flatnonzero(np.diff(group)) + 1
    return np.concatenate([np.zeros(min(len(group), 1), np.int64), first, [len(group)]])

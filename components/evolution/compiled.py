"""Loops that numba compiles, once for each machine, and how they shuffle.

Never here: which things may change places under a null.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable)


def compiled(function: F) -> F:
    """The same function, compiled at its first call and kept beside the module; it holds no lock while it runs."""
    return njit(cache=True, nogil=True)(function)


@compiled
def shuffle(values: NDArray, low: int, high: int, rng: np.random.Generator) -> None:
    """Put `values[low:high]` into random order, in place (Fisher, Yates 1938; Durstenfeld 1964).

    Numba compiles its own `Generator.shuffle` for half a minute, this in seconds.
    """
    for place in range(high - 1, low, -1):
        other = low + int(rng.random() * (place - low + 1))
        values[place], values[other] = values[other], values[place]


@compiled
def shuffle_groups(values: NDArray, bounds: NDArray[np.integer], rng: np.random.Generator) -> None:
    """Shuffle within each group g of `values[bounds[g]:bounds[g + 1]]`, in place."""
    for group in range(len(bounds) - 1):
        shuffle(values, bounds[group], bounds[group + 1], rng)


def bounds_of(group: NDArray[np.integer]) -> NDArray[np.int64]:
    """(G+1,) where each group of equal neighbours in (N,) begins, and N."""
    first = np.flatnonzero(np.diff(group)) + 1
    return np.concatenate([np.zeros(min(len(group), 1), np.int64), first, [len(group)]])

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

"""Loops that numba compiles, once for each machine: kept beside their modules like Python's own compiled files.

They start no threads. LightGBM, torch and scikit-learn each bring an OpenMP runtime; in one process, imported in any
order and used in turns with one or more threads, they were found to work and to give the same trees (LightGBM 4.7.0,
numba 0.68.1, torch 2.13.0). LightGBM needs the system's libgomp only where torch was not imported before it. Never
here: a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from numba import njit

F = TypeVar("F", bound=Callable)
#: As in numpy, a division by zero gives an infinity or NaN: to look for one at each step would forbid vectors.
_LIKE_NUMPY = "numpy"


def compiled(function: F) -> F:
    """The same function, compiled at its first call; too short to let another thread run meanwhile."""
    return njit(cache=True, error_model=_LIKE_NUMPY)(function)


def released(function: F) -> F:
    """The same function, compiled at its first call; others run meanwhile.

    For loops that take milliseconds over a block of queries, or longer: a thread that works out reasons must not hold
    up answers. To take the interpreter back costs up to a switch interval where another thread has it, so short loops
    keep it.
    """
    return njit(cache=True, error_model=_LIKE_NUMPY, nogil=True)(function)


def quick(function: F) -> F:
    """The same function, compiled at its first call; sums may be taken in any order, which makes them vectors."""
    return njit(cache=True, error_model=_LIKE_NUMPY, fastmath={"reassoc", "contract"})(function)

"""Loops that numba compiles, once for each machine: kept beside their modules like Python's own compiled files.

They start no threads. LightGBM, torch and scikit-learn each bring an OpenMP runtime; in one process, imported in any
order and used in turns with one or more threads, they were found to work and to give the same trees (LightGBM 4.7.0,
numba 0.68.1, torch 2.13.0). LightGBM needs the system's libgomp only where torch was not imported before it.

What is kept of a loop holds the loops that it calls. numba looks only whether the loop's own file has changed; here
those files count as well that its file imports loops from, so that nobody runs a loop of yesterday; constants from
files without loops do not count, nor what is loaded from a zip, nor anything that is imported after a variable NUMBA_…
was changed while the program ran. Never here: a loop.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit
from numba.core.caching import CacheImpl

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


_HERE = Path(__file__).resolve()
_ROOT = _HERE.parents[1]
_IMPORTS = re.compile(rb"^from (components[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)
_LOOPS = b"from components.compiled import"


class Located:
    """Where numba keeps a function: where it would by itself, under a stamp of all files that it may hold code of."""

    @classmethod
    def from_function(cls, function: Callable, file: str) -> Any:
        """A locator of numba's, or None."""
        places = (kind.from_function(function, file) for kind in CacheImpl._locator_classes)
        found = next((place for place in places if place is not None), None)
        path = Path(file).resolve()
        if found is not None and path.is_file() and path.is_relative_to(_HERE.parent):
            found.get_source_stamp = lambda: stamp(path)
        return found


@cache
def stamp(path: Path) -> str:
    """Digest of a file of loops, of this one, and of those that it imports loops from, and they."""
    found, new = {_HERE}, {path}
    while new:
        found |= new
        new = {other for one in new for other in _imported(one) if _LOOPS in _read(other)} - found
    return hashlib.sha256(b"\0".join(_read(one) for one in sorted(found))).hexdigest()


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _imported(path: Path) -> Iterator[Path]:
    """Files of this package that a file imports."""
    for module, names in _IMPORTS.findall(_read(path)):
        below = _ROOT.joinpath(*module.decode().split("."))
        yield below.with_suffix(".py")
        yield from (below / f"{name}.py" for name in re.findall(r"\w+", names.decode()))


if not config.CACHE_LOCATOR_CLASSES:  # else somebody has decided where to keep them
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{Located.__name__}"

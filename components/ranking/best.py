"""The largest values of a row, compiled: what numpy sorts whole, or parts into an order of the machine's own.

Among equal values the lowest place wins, on every machine. Never here: what the values are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.memory.ask import Ints

_STRETCH = 64  # values that are passed over together where none of them is large enough
_MANY = 64  # values wanted, from which on a guess at the least of them saves work


@compiled
def best(values: NDArray[np.floating], allowed: NDArray[np.bool_], count: int) -> Ints:
    """(≤ count,) places of the largest finite values (V,) that are allowed, best first; equal ones by place.

    Parameters
    ----------
    values : (V,)
    allowed : (V,), or empty: all are
    count : at most so many
    """
    place = np.empty(max(count, 1), np.int64)  # a heap whose root is the worst that is kept
    size, least = 0, _below(values, allowed, count)
    for begin in range(0, len(values), _STRETCH):
        stop = min(begin + _STRETCH, len(values))
        least = values[place[0]] if 0 < size == count else least
        if count == 0 or not _any_above(values[begin:stop], least):
            continue
        size = _met(values, allowed, place, size, count, begin, stop, least)
    out = np.empty(size, np.int64)
    while size > 0:  # the worst comes out first
        out[size - 1] = place[0]
        size -= 1
        _sink(values, place, size, place[size])
    return out


@compiled
def _any_above(values: NDArray[np.floating], least: float) -> bool:
    """Whether one of a stretch is greater; without a way out in between, so that many are compared at once."""
    found = False
    for v in range(len(values)):
        found |= values[v] > least
    return found


@compiled
def _below(values: NDArray[np.floating], allowed: NDArray[np.bool_], count: int) -> float:
    """What `count` of the values that may be taken are greater than, where a guess at it saves work; else -inf.

    The guess is made from a sample, and holds if enough are counted above it.
    """
    if count < _MANY or len(values) < 16 * count:
        return -np.inf
    sample = values[::_STRETCH].copy()
    at = len(sample) - 1 - 2 * count // _STRETCH
    least = np.partition(sample, at)[at]
    above, barred = 0, 0
    for v in range(len(values)):
        above += (values[v] > least) & (values[v] < np.inf)
    for v in range(len(allowed)):
        barred += not allowed[v]
    return float(least) if above - barred >= count else -np.inf


@compiled
def _met(
    values: NDArray[np.floating], allowed: NDArray[np.bool_], place: Ints, size: int, count: int, begin: int, stop: int,
    least: float,
) -> int:  # fmt: skip
    """Let the values begin:stop that are above `least` into the heap `place` of `count`; how many it holds then.

    It holds `size` before.
    """
    all_allowed = len(allowed) == 0
    for v in range(begin, stop):
        value = values[v]
        if not value > least:
            continue
        if size == count and (count == 0 or not value > values[place[0]]):
            continue  # an equal one stands at a lower place already
        if not np.isfinite(value) or not (all_allowed or allowed[v]):
            continue
        if size < count:
            size += 1
            at = size - 1
            while at > 0:
                above = (at - 1) >> 1
                if _worse(values, v, place[above]):
                    place[at] = place[above]
                    at = above
                else:
                    break
            place[at] = v
        else:
            _sink(values, place, size, v)
    return size


@compiled
def _worse(values: NDArray[np.floating], a: int, b: int) -> bool:
    return bool(values[a] < values[b] or (values[a] == values[b] and a > b))


@compiled
def _sink(values: NDArray[np.floating], place: Ints, size: int, v: int) -> None:
    """Put v at the root of a heap of `size`, and let it down to where it belongs."""
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and _worse(values, place[below + 1], place[below]):
            below += 1
        if _worse(values, place[below], v):
            place[at] = place[below]
            at = below
        else:
            break
    place[at] = v

"""The largest values of a row, compiled: what numpy sorts whole, or parts into an order of the machine's own.

Among equal values the lowest place wins, on every machine. Never here: what the values are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.memory.ask import Ints


@compiled
def best(values: NDArray[np.floating], allowed: NDArray[np.bool_], count: int) -> Ints:
    """(≤ count,) places of the largest finite values (V,) that are allowed, best first; equal ones by place.

    Parameters
    ----------
    values : (V,)
    allowed : (V,), or empty: all are
    count : at most so many
    """
    all_allowed = len(allowed) == 0
    place = np.empty(max(count, 1), np.int64)  # a heap whose root is the worst that is kept
    size = 0
    for v in range(len(values)):
        value = values[v]
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
    out = np.empty(size, np.int64)
    while size > 0:  # the worst comes out first
        out[size - 1] = place[0]
        size -= 1
        _sink(values, place, size, place[size])
    return out


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

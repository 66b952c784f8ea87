"""Reproducible chance: hashes for what is fixed, generators for what happens on one day.

A property of a user, an item or an epoch is a hash of its keys, so it can be computed for any of them, in any
order and at any time, without drawing those before it. What happens on a day comes from one generator per day and
block of users. Never here: what the numbers are used for.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Largest value that a uniform draw may take: a row number plus it must stay below the next row in float64.
BELOW_ONE = 1.0 - 1e-11
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014), element by element."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def uniform(seed: int, stream: str, *keys: ArrayLike) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) that depend on nothing but the seed, the stream's name and the keys.

    Parameters
    ----------
    seed : int
    stream : str
        What is drawn; two streams are independent.
    keys : integer arrays, broadcast together
    """
    start = np.array([(seed * 0x9E3779B97F4A7C15 + zlib.crc32(stream.encode())) % 2**64], dtype=np.uint64)
    state = _mix(start)
    for key in keys:
        bits = np.atleast_1d(np.asarray(key)).astype(np.int64).view(np.uint64)
        state = _mix(state + (bits + np.uint64(1)) * _GOLDEN)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(seed: int, stream: str, *keys: int) -> np.random.Generator:
    """A generator for one day (and block), independent of all others."""
    entropy = [seed % 2**64, zlib.crc32(stream.encode()), *(key % 2**32 for key in keys)]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))


def pick(cumulative: NDArray[np.float64], row: NDArray[np.integer], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw a column of each given row of a table of cumulative probabilities.

    Parameters
    ----------
    cumulative : (R * W,) float64
        Row number plus the row's cumulative probabilities, flattened: `flatten_rows` makes it.
    row : (n,) the row to draw from
    u : (n,) uniform numbers

    Returns
    -------
    (n,) flat positions; the column is `position - row * W`.
    """
    return np.searchsorted(cumulative, row + np.minimum(u, BELOW_ONE), side="right")


def choose(weight: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """One of W ways for each of n choices.

    Parameters
    ----------
    weight : (W, n) ≥ 0, not all 0; ways first, because sums along the first axis are fast
    u : (n,) uniform numbers

    Returns
    -------
    (n,) the way; one of weight 0 is never chosen.
    """
    totals = [weight[0]]  # np.cumsum along the first axis is many times slower
    for row in weight[1:]:
        totals.append(totals[-1] + row)
    x = np.minimum(u, BELOW_ONE) * totals[-1]
    chosen = np.zeros(len(u), np.int64)
    for total in totals[:-1]:
        chosen += x >= total
    return chosen


def flatten_rows(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, W) weights ≥ 0 → (R * W,) table for `pick`; a row without any weight draws its first column."""
    total = np.cumsum(weight, axis=1)
    last = total[:, -1:]
    share = np.where(last > 0, total / np.where(last > 0, last, 1.0), 1.0)
    return np.asarray((np.arange(len(weight))[:, None] + share).ravel())

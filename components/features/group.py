"""Groups equal strings of a long column: by users, whose events must lie together, and by distinct ids.

Sorting 64-bit integers that hold a truncated hash above the row number brings equal strings together several
times faster than a table of millions of strings does. A second hash of 64 bits tells apart what the first took for
one, and then the slow way is taken (that both agree on two different strings among ten million has a probability
of 1e-18). Nothing here knows what the strings mean.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

_BLOCK = 1 << 20
#: A table of fewer distinct strings stays in the processor's cache and is the faster way.
_SMALL_TABLE = 40_000
_SAMPLE = 100_000


def group(series: pl.Series) -> tuple[NDArray[np.uint32], NDArray[np.int64], list[str]]:
    """Bring equal strings together.

    Parameters
    ----------
    series : pl.Series
        (N,) strings without null, N < 2**32.

    Returns
    -------
    row : (N,) uint32
        The rows by ascending string; rows of equal strings keep their order.
    offsets : (U+1,) int64
        Where each distinct string's rows begin in `row`.
    names : list of str
        (U,) the distinct strings, ascending.
    """
    row, starts = _by_hash(series)
    if not _whole(series, row, starts):
        codes, names = _table(series)
        key = (codes.astype(np.uint64) << np.uint64(32)) | np.arange(len(codes), dtype=np.uint64)
        key.sort()
        offsets = np.zeros(len(names) + 1, np.int64)
        np.cumsum(np.bincount(codes, minlength=len(names)), out=offsets[1:])
        return key.astype(np.uint32), offsets, names
    distinct = series.gather(row[starts[:-1]])
    order = distinct.arg_sort().to_numpy().astype(np.int64)
    counts = np.diff(starts)[order]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    shift = np.repeat((starts[:-1][order] - offsets[:-1]), counts)
    shift += np.arange(len(row))
    return row[shift], offsets, distinct.gather(order).to_list()


def dictionary(series: pl.Series) -> tuple[NDArray[np.int32], list[str]]:
    """Each row's index (N,) among the distinct strings, -1 = null; and those, ascending."""
    sample = series.head(_SAMPLE)
    if len(series) == len(sample) or sample.n_unique() < _SMALL_TABLE:
        return _table(series)
    known = series.is_not_null().to_numpy()
    row, offsets, names = group(series.drop_nulls())
    codes = np.empty(len(row), np.int32)
    codes[row] = np.repeat(np.arange(len(names), dtype=np.int32), np.diff(offsets))
    if len(row) == len(series):
        return codes, names
    every = np.full(len(series), -1, np.int32)
    every[known] = codes
    return every, names


def _table(series: pl.Series) -> tuple[NDArray[np.int32], list[str]]:
    names = series.drop_nulls().unique().sort()
    codes = series.cast(pl.Enum(names)).to_physical().cast(pl.Int32).fill_null(-1)
    return codes.to_numpy(), names.to_list()


def _by_hash(series: pl.Series) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Rows by (truncated hash, row), and where each hash begins."""
    n = len(series)
    low = np.uint64((1 << n.bit_length()) - 1)
    key = series.hash().to_numpy() & ~low
    key |= np.arange(n, dtype=np.uint64)
    key.sort()
    row = (key & low).astype(np.uint32)
    key &= ~low
    starts = np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1, [n]] if n else [[0]])
    return row, starts.astype(np.int64)


def _whole(series: pl.Series, row: NDArray[np.uint32], starts: NDArray[np.int64]) -> bool:
    """Whether a second, independent hash of 64 bits changes exactly where the first does."""
    second = series.hash(seed=1).to_numpy()
    change = np.zeros(len(row), bool)
    change[starts[:-1]] = True
    for low in range(0, len(row) - 1, _BLOCK):
        part = second[row[low : low + _BLOCK + 1]]
        if ((part[1:] != part[:-1]) != change[low + 1 : low + len(part)]).any():
            return False
    return True

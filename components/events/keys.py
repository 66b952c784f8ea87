"""The digest that makes two records one event: the same on every machine, in every process and chunking.

Text is read as little-endian 64-bit words of its UTF-8 bytes, numbers as their 64 bits, and each is chained through
the finaliser of SplitMix64 (Steele, Lea and Flood, «Fast splittable pseudorandom number generators», 2014). A missing
value adds nothing, so a column that a source never fills does not change its keys. Two different events share a key
with probability 2^-64; the digest is fast, not secret: it withstands accidents, not forgers.
Never here: which of two equal records stays (`days`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from components.errors import ConfigError

_MULTIPLIERS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
#: Rows that are digested at once, so that they stay in the processor's cache.
_BLOCK_ROWS = 65_536
#: Texts of at most so many bytes lie inside Arrow's 16-byte views, after four bytes of length, padded with zeros.
_INLINE = 12
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
#: (9,) mask that keeps the first 0..8 bytes of a little-endian word.
_KEEP = np.array([(1 << (8 * size)) - 1 for size in range(9)], dtype=np.uint64)


def event_keys(events: pl.DataFrame, identity: Sequence[str]) -> pl.Series:
    """Digest of each event.

    Parameters
    ----------
    events : pl.DataFrame
        (n, …) typed columns of the contract, NaN already null.
    identity : sequence of str
        Columns that tell two events apart where `event_id` is null; their order does not matter.

    Returns
    -------
    pl.Series
        (n,) UInt64.

    Raises
    ------
    ConfigError
        The identity names a column that no event has.
    """
    unknown = sorted(set(identity) - set(events.columns))
    if unknown or not identity:
        raise ConfigError(
            "columns of the event contract at `events.identity`",
            found=f"{unknown or 'none'} (there are {', '.join(events.columns)})",
            do="Mend params.yaml.",
        )
    columns = events.select(*dict.fromkeys([*identity, "event_id"]))
    blocks = [_block_keys(block, set(identity)) for block in columns.iter_slices(_BLOCK_ROWS)]
    key = np.concatenate(blocks) if blocks else np.zeros(0, np.uint64)
    return pl.Series("event_key", key, dtype=pl.UInt64)


def _block_keys(events: pl.DataFrame, identity: Collection[str]) -> NDArray[np.uint64]:
    total = np.zeros(events.height, np.uint64)
    for column in events:
        if column.name in identity:
            _add(total, column)
    key = mixed(total)
    named = events["event_id"]
    if named.null_count() == events.height:
        return key
    digest = np.zeros(events.height, np.uint64)
    _add(digest, named)
    return np.where(named.is_null().to_numpy(), key, mixed(digest))


def has_control_characters(column: pl.Series) -> bool:
    """Whether any text of a string column holds a character below 0x20 or 0x7f."""
    data, _ = _buffers(column)
    return len(data) > 0 and bool(data.min() < 0x20 or (data == 0x7F).any())


def _add(total: NDArray[np.uint64], column: pl.Series) -> None:
    """Add the mixed bits of a column to `total` (n,), in place; nulls add 0."""
    if column.null_count() == len(column):
        return
    bits = mixed(_bits(column) ^ _salt(column.name))
    if column.null_count():
        bits[column.is_null().to_numpy()] = 0
    total += bits


@cache
def _salt(name: str) -> np.uint64:
    return np.uint64(text_digests(pl.Series([f"column {name}"]))[0])


def _bits(column: pl.Series) -> NDArray[np.uint64]:
    """(n,) 64 bits that stand for each value; nulls are anything."""
    if column.dtype == pl.String:
        return text_digests(column)
    if column.dtype.is_float():
        number = column.to_numpy().astype(np.float64) + 0.0  # -0.0 becomes 0.0; a null is some NaN
        return number.view(np.uint64)
    return _filled(column.to_physical().cast(pl.Int64), 0).to_numpy().astype(np.int64).view(np.uint64)


def _filled(column: pl.Series, value: object) -> pl.Series:
    return column.fill_null(value) if column.null_count() else column


def text_digests(column: pl.Series) -> NDArray[np.uint64]:
    """(n,) uint64 digests of a string column, its length mixed in; a null reads as the empty text."""
    texts = _filled(column, "").rechunk()
    views = texts.to_arrow(compat_level=pl.CompatLevel.newest()).cast(pa.string_view())
    size = _part_of_views(views, "<u4", 0)
    digest = mixed(size.astype(np.uint64) * _GOLDEN)
    if len(size) and size.max() > _INLINE:
        return _add_words(digest, texts)
    digest = mixed((digest ^ _part_of_views(views, "<u8", 4)) + _GOLDEN)
    longer = np.flatnonzero(size > 8)
    if len(longer):
        digest[longer] = mixed((digest[longer] ^ _part_of_views(views, "<u4", 12)[longer]) + _GOLDEN)
    return digest


def _part_of_views(views: pa.Array, dtype: str, first_byte: int) -> NDArray:
    """(n,) numbers that begin at one byte of each view, where they lie."""
    if not len(views):
        return np.zeros(0, dtype)
    start = 16 * views.offset + first_byte
    return np.ndarray(len(views), dtype, buffer=views.buffers()[1], offset=start, strides=(16,))


def _add_words(digest: NDArray[np.uint64], texts: pl.Series) -> NDArray[np.uint64]:
    """Chain the words of texts of any length to their digests (n,), in place."""
    data, offsets = _buffers(texts)
    data = np.concatenate([data, np.zeros(8, np.uint8)])  # so that a word may be read at every byte
    words = np.ndarray(len(data) - 7, dtype="<u8", buffer=data, strides=(1,))
    start, size = offsets[:-1], np.diff(offsets)
    rows: NDArray[np.int64] | slice = slice(None)
    while len(start):
        part = words[start] & _KEEP[np.minimum(size, 8)]
        digest[rows] = mixed((digest[rows] ^ part) + _GOLDEN)
        longer = np.flatnonzero(size > 8)
        rows = longer if isinstance(rows, slice) else rows[longer]
        start, size = start[longer] + 8, size[longer] - 8
    return digest


def _buffers(column: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The UTF-8 bytes of all texts of a column, and the (n+1,) offsets of each; nulls are empty."""
    array = _filled(column, "").rechunk().to_arrow().cast(pa.large_string())
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, np.int64, len(array) + 1, array.offset * 8)
    if data is None:
        return np.zeros(0, np.uint8), offsets
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]], offsets - offsets[0]


def mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(n,) a bijection of 64 bits in which every input bit moves every output bit."""
    out = bits ^ (bits >> np.uint64(30))
    out *= _MULTIPLIERS[0]
    out ^= out >> np.uint64(27)
    out *= _MULTIPLIERS[1]
    out ^= out >> np.uint64(31)
    return out

"""The rank of the right answer among all items, by comparison: no sort, no sampling, nothing gained by ties.

rank = 1 + greater + ½·ties. A score that is not a number counts as greater than the target, and a target whose
score is not a number ranks behind everything, so neither NaN nor a constant can win. Ranks are 1 … items + ½.

Never here: which items are asked about, or what a rank is worth (`evaluation.metrics`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN

#: Rows × columns compared at once: what fits the second-level cache beside its scores.
_ROWS, _COLUMNS = 64, 2048
_WORTH_A_THREAD = 1 << 20  # scores
_FIRST = UNKNOWN + 1  # codes below are not items


def _count(block: NDArray[np.float32], target: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many of each row are at most, and below, the row's target.

    Tiles of the block are compared on as many threads as torch may use: comparing costs as much as multiplying.

    Parameters
    ----------
    block : (B, V) scores
    target : (B,) score of the answer

    Returns
    -------
    (B,) at most, (B,) below
    """
    starts = range(0, len(block), _ROWS)
    counts = np.zeros((2, len(block)), np.int64)

    def one(top: int) -> None:
        part = slice(top, top + _ROWS)
        _count_tile(block[part], target[part, None], counts[:, part])

    threads = min(torch.get_num_threads(), len(starts))
    if threads > 1 and block.size > _WORTH_A_THREAD:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, starts))
    else:
        for top in starts:
            one(top)
    return counts[0], counts[1]


def _count_tile(block: NDArray[np.float32], edge: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
    """Add to counts (2, B) how many of each row of the block (B, V) are at most, and below, the edge (B, 1)."""
    columns = block.shape[1]
    mark = np.zeros((len(block), -(-min(columns, _COLUMNS) // 8) * 8), np.bool_)  # whole words: added 8 at a time
    for left in range(0, columns, _COLUMNS):
        part = block[:, left : left + _COLUMNS]
        mark[:, part.shape[1] :] = False
        for kind, compare in enumerate((np.less_equal, np.less)):
            compare(part, edge, out=mark[:, : part.shape[1]])
            counts[kind] += _add_marks(mark)


def _add_marks(mark: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(B,) marks in each row of (B, 8·n ≤ 2,040 or 2,048); eight byte counters are added as one word."""
    words = mark.view(np.uint64)
    half = words.shape[1] // 2  # a byte counter holds 255: two halves of at most 128 never overflow
    total = np.add.reduce(words[:, :half], axis=1), np.add.reduce(words[:, half:], axis=1)
    return np.asarray(sum(part.view(np.uint8).reshape(len(mark), 8).sum(axis=1, dtype=np.int64) for part in total))


def rank_dense(
    scores: NDArray[np.float32],
    target: NDArray[np.integer],
    seen: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None,
    row: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Rank of each target in its row of scores.

    Parameters
    ----------
    scores : (B, V) one row per query over item codes; codes 0 and 1 are never ranked
    target : (T,) item code of each answer, each ≥ 2
    seen : (pairs,) query and (pairs,) item code, distinct pairs: items taken out of the ranking. A target among
        them cannot be hit: its rank is infinite.
    row : (T,) query of each answer; default: answer i belongs to query i

    Returns
    -------
    (T,) 1 … V - 2 + ½, or infinite

    Examples
    --------
    >>> scores = np.array([[0, 0, 3, 1, 2], [0, 0, 1, 1, 1]], np.float32)
    >>> rank_dense(scores, np.array([4, 4])).tolist()
    [2.0, 2.0]
    """
    block = np.asarray(scores)[:, _FIRST:]
    target = np.asarray(target, np.int64) - _FIRST
    query = np.arange(len(scores), dtype=np.int64) if row is None else row.astype(np.int64)
    own = block[query, target]
    one_each = np.array_equal(query, np.arange(len(block)))
    at_most, below = _count(block, own) if one_each else _count_rows(block, own, query)
    size = np.full(len(target), block.shape[1], np.int64)
    lost = np.zeros(len(target), bool)
    if seen is not None and len(seen[0]):
        _take_out(block, own, query, target, seen, (at_most, below, size, lost))
    rank = size + 0.5 * (1 - at_most - below)
    return np.where(lost, np.inf, rank)


def _count_rows(
    block: NDArray[np.float32], own: NDArray[np.float32], row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`_count` for several answers a query, without copying more than a tile of scores."""
    at_most, below = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    for start in range(0, len(row), _ROWS):
        part = slice(start, start + _ROWS)
        at_most[part], below[part] = _count(block[row[part]], own[part])
    return at_most, below


def _take_out(
    block: NDArray[np.float32],
    own: NDArray[np.float32],
    row: NDArray[np.int64],
    target: NDArray[np.int64],
    seen: tuple[NDArray[np.integer], NDArray[np.integer]],
    counts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
) -> None:
    """Correct the counts, in place, for the items that are not ranked; costs the seen pairs, not the catalogue."""
    at_most, below, size, lost = counts
    order = np.argsort(seen[0], kind="stable")
    query, item = np.asarray(seen[0])[order], np.asarray(seen[1], np.int64)[order] - _FIRST
    keep = item >= 0
    query, item = query[keep], item[keep]
    first, last = np.searchsorted(query, row), np.searchsorted(query, row, side="right")
    answer = np.repeat(np.arange(len(row)), last - first)  # each answer meets the seen items of its query
    offset = np.arange(len(answer)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    pair = first[answer] + offset
    score = block[row[answer], item[pair]]
    size -= np.bincount(answer, minlength=len(row))
    at_most -= np.bincount(answer, weights=score <= own[answer], minlength=len(row)).astype(np.int64)
    below -= np.bincount(answer, weights=score < own[answer], minlength=len(row)).astype(np.int64)
    lost[answer[item[pair] == target[answer]]] = True


def rank_by_dot(
    states: NDArray[np.float32], table: NDArray[np.float32], target: NDArray[np.integer], rows: int = 1024
) -> NDArray[np.float64]:
    """Rank of each target where score = state · item, without ever holding all scores.

    Parameters
    ----------
    states : (B, d)
    table : (V, d) by item code; rows 0 and 1 are never ranked
    target : (B,) item code of each answer, each ≥ 2
    rows : queries multiplied at once; their scores should fit the cache

    Returns
    -------
    (B,) ranks as `rank_dense` gives them

    Examples
    --------
    >>> table = np.array([[0.0], [0.0], [3.0], [1.0], [2.0]], np.float32)
    >>> rank_by_dot(np.ones((1, 1), np.float32), table, np.array([4])).tolist()
    [2.0]
    """
    items = torch.from_numpy(np.ascontiguousarray(table[_FIRST:])).T
    queries = torch.from_numpy(np.ascontiguousarray(states))
    index = np.asarray(target, np.int64) - _FIRST
    room = torch.empty((min(rows, max(len(states), 1)), items.shape[1]))
    ranks = np.empty(len(states))
    for start in range(0, len(states), rows):
        part = queries[start : start + rows]
        block = torch.mm(part, items, out=room[: len(part)]).numpy()
        wanted = index[start : start + rows]
        at_most, below = _count(block, block[np.arange(len(block)), wanted])
        ranks[start : start + rows] = items.shape[1] + 0.5 * (1 - at_most - below)
    return ranks


def top_items(
    scores: NDArray[np.float32],
    k: int,
    seen: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k best item codes of each row and their scores, best first; 0 where fewer can be ranked.

    Parameters
    ----------
    scores : (B, V) over item codes
    k : length of the list
    seen : pairs that are not ranked, as for `rank_dense`

    Returns
    -------
    (B, k) int32 codes, (B, k) scores (-inf where the code is 0)
    """
    block = np.asarray(scores)[:, _FIRST:]
    if seen is not None and len(seen[0]):
        block = block.copy()
        real = np.asarray(seen[1]) >= _FIRST
        block[np.asarray(seen[0])[real], np.asarray(seen[1])[real] - _FIRST] = -np.inf
    best = torch.topk(torch.from_numpy(np.ascontiguousarray(block)), min(k, block.shape[1]), dim=1)
    value, code = best.values.numpy(), best.indices.numpy().astype(np.int32) + _FIRST
    code[~np.isfinite(value)] = 0
    short = k - code.shape[1]
    if short > 0:
        code = np.pad(code, ((0, 0), (0, short)))
        value = np.pad(value, ((0, 0), (0, short)), constant_values=-np.inf)
    return code, value

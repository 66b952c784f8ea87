"""Trees of LightGBM, read from its text format and walked here: nothing of the library runs when a model is served.

The text is checked line by line before a tree is built from it, since what reads it in the library trusts it. Never
here: how trees are grown (`ranking.grow`).

Format: LightGBM, `src/io/gbdt_model_text.cpp` and `src/io/tree.cpp` (version v4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.errors import IntegrityError
from components.once import made_once

Table = NDArray[np.float32]
MAX_BYTES, MAX_TREES, MAX_LEAVES = 1 << 26, 1000, 1024
_LEAST = 1e-9  # a chance whose logarithm is finite
_BITS = 64  # leaves of a tree that one word can strike out
_BIAS, _FRACTION = 1023, 52  # of the exponent of a float64, and bits below it
_NUMERIC = {0, 2}  # decision types: a number, never missing, whatever the default side


def begun(own: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) scores that trees add to: the log of what the mixture gives each candidate; they learn what it lacks.

    Boosting from a model that is there, in place of a constant: Friedman, "Greedy function approximation" (2001).
    """
    return np.asarray(np.log(own + _LEAST))


@dataclass(frozen=True)
class Forest:
    """Trees of splits `x[feature] <= threshold` as flat arrays; a leaf leads to itself.

    Attributes
    ----------
    names : the columns that it reads, in order
    root, depth : (T,) first node of each tree, and its longest way to a leaf
    feature : (N,) int32 column of each node
    threshold : (N,) float64
    child : (N, 2) int32 next node: 0 where x is at most the threshold, 1 where it is greater
    value : (N,) float64 of the leaves
    """

    names: tuple[str, ...]
    root: NDArray[np.int32]
    depth: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    child: NDArray[np.int32]
    value: NDArray[np.float64]

    @made_once
    def falls(self) -> tuple[NDArray, ...] | None:
        """The splits as `_fall` takes them; None where a tree has more leaves than a word has bits."""
        ends = self.child[:, 0] == np.arange(len(self.value))
        leaves = np.add.reduceat(ends.astype(np.int64), self.root) if len(self.root) else np.zeros(0)
        if (leaves > _BITS).any():
            return None
        word = np.uint32 if (leaves <= 32).all() else np.uint64
        first, leaf = [0], []
        splits: list[tuple[int, int]] = []  # node, bits of the leaves that stay
        values: list[float] = []
        for root in self.root.tolist():
            leaf.append(len(values))
            _in_order(self, root, values, splits, len(values))
            first.append(len(splits))
        node = np.array([one for one, _ in splits], np.int64)
        most = self.threshold[node]
        low = most.astype(np.float32)
        low = np.where(low > most, np.nextafter(low, np.float32(-np.inf)), low)  # x > low as x > most, for any float32
        return (
            np.array(first, np.int32), self.feature[node], low.astype(np.float32),
            np.array([mask for _, mask in splits], np.uint64).astype(word), np.array(leaf, np.int32), np.array(values),
        )  # fmt: skip

    def predict(self, features: Table) -> NDArray[np.float64]:
        """(n,) sums of the leaves that rows (n, F) fall into."""
        columns = np.ascontiguousarray(features.T)
        if self.falls is not None:
            return _fall(columns, *self.falls)
        return _walk(columns, self.root, self.depth, self.feature, self.threshold, self.child, self.value)

    @classmethod
    def read(cls, text: str, where: str) -> Self:
        """The trees of a LightGBM model.

        Raises
        ------
        IntegrityError
            The text is not one, or holds what a ranker has no use for: categories, missing values, linear leaves,
            nodes that lead nowhere or back.
        """
        try:
            return cls._read(text, where)
        except (KeyError, ValueError, IndexError, OverflowError) as error:
            raise _broken(where, f"{type(error).__name__}: {error}") from error

    @classmethod
    def _read(cls, text: str, where: str) -> Self:
        if len(text) > MAX_BYTES:
            raise _broken(where, f"{len(text):,} bytes")
        body, end, _ = text.partition("\nend of trees\n")
        blocks = body.split("\nTree=")
        if not end or len(blocks) - 1 > MAX_TREES:
            raise _broken(where, f"{len(blocks) - 1} trees{'' if end else ' without an end'}")
        head = _fields(blocks[0])
        if (head["version"], head["num_class"], head["num_tree_per_iteration"]) != ("v4", "1", "1"):
            raise _broken(where, f"version {head['version']}, {head['num_class']} classes")
        names = tuple(head["feature_names"].split(" "))
        if len(names) != int(head["max_feature_idx"]) + 1 or len(set(names)) != len(names):
            raise _broken(where, f"{len(names)} names of columns")
        trees = [_tree(_fields(block), len(names), f"{where}, tree {place}") for place, block in enumerate(blocks[1:])]
        start = np.cumsum([0] + [len(tree.value) for tree in trees])
        return cls(
            names,
            start[:-1].astype(np.int32),
            np.array([tree.depth for tree in trees], np.int32),
            np.concatenate([np.zeros(0, np.int32), *(tree.feature for tree in trees)]),
            np.concatenate([np.zeros(0), *(tree.threshold for tree in trees)]),
            np.concatenate(
                [np.zeros((0, 2), np.int32), *(tree.child + at for tree, at in zip(trees, start, strict=False))]
            ),
            np.concatenate([np.zeros(0), *(tree.value for tree in trees)]),
        )


def _in_order(
    forest: Forest, node: int, values: list[float], splits: list[tuple[int, int]], begin: int
) -> tuple[int, int]:
    """Append leaves from left to right, and splits with the bits that stay when a row goes right; its places."""
    left, right = forest.child[node].tolist()
    if left == node:
        values.append(float(forest.value[node]))
        return len(values) - 1 - begin, len(values) - begin
    low, middle = _in_order(forest, left, values, splits, begin)
    _, high = _in_order(forest, right, values, splits, begin)
    gone = ((1 << middle) - 1) ^ ((1 << low) - 1)
    splits.append((node, ((1 << _BITS) - 1) ^ gone))
    return low, high


@dataclass(frozen=True)
class _Tree:
    depth: int
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    child: NDArray[np.int32]
    value: NDArray[np.float64]


def _fields(block: str) -> dict[str, str]:
    """Name → value of the lines `name=value`."""
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _tree(fields: Mapping[str, str], n_features: int, where: str) -> _Tree:
    """One tree, its inner nodes first and then its leaves."""
    leaves = int(fields["num_leaves"])
    if not 1 <= leaves <= MAX_LEAVES or fields["num_cat"] != "0" or fields["is_linear"] != "0":
        raise _broken(where, f"{leaves} leaves, {fields['num_cat']} categories, is_linear {fields['is_linear']}")
    inner = leaves - 1
    value = _numbers(fields["leaf_value"], leaves, where)
    feature, kind = np.zeros(inner, np.int64), np.zeros(inner, np.int64)
    left, right, threshold = feature.copy(), feature.copy(), np.zeros(inner)
    if inner:
        feature, kind = _integers(fields["split_feature"], inner), _integers(fields["decision_type"], inner)
        left, right = _integers(fields["left_child"], inner), _integers(fields["right_child"], inner)
        threshold = _numbers(fields["threshold"], inner, where)
    child = np.stack([left, right], axis=1)
    own = np.arange(inner)[:, None]
    if not set(kind.tolist()) <= _NUMERIC or (feature < 0).any() or (feature >= n_features).any():
        raise _broken(where, "a split on something that is no column of numbers")
    if not np.array_equal(
        np.sort(np.concatenate([child[child >= 0], inner + ~child[child < 0], [0]])), np.arange(inner + leaves)
    ):
        raise _broken(where, "a node that no split or more than one leads to")
    if ((child >= 0) & (child <= own)).any():
        raise _broken(where, "a split that leads back")
    child = np.where(child >= 0, child, inner + ~child)
    depth = np.zeros(inner + leaves, np.int64)
    for node in range(inner):  # a node comes before what it leads to
        depth[child[node]] = depth[node] + 1
    ends = np.arange(inner, inner + leaves)
    return _Tree(
        int(depth.max()),
        np.append(feature, np.zeros(leaves)).astype(np.int32),
        np.append(threshold, np.full(leaves, np.inf)),
        np.concatenate([child, np.stack([ends, ends], axis=1)]).astype(np.int32),
        np.append(np.zeros(inner), value),
    )


def _integers(text: str, size: int) -> NDArray[np.int64]:
    found = np.array([int(word) for word in text.split(" ")], np.int64)
    if len(found) != size:
        raise ValueError(f"{len(found)} integers for {size}")
    return found


def _numbers(text: str, size: int, where: str) -> NDArray[np.float64]:
    found = np.array([float(word) for word in text.split(" ")])
    if len(found) != size or not all(math.isfinite(one) for one in found):
        raise _broken(where, f"{len(found)} numbers for {size}, or one that is not finite")
    return found


def _broken(where: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"trees of LightGBM in {where}", found=found, do="Run the blend stage again, or bring the file back from DVC."
    )


@released
def _fall(
    columns: Table,
    first: NDArray[np.int32],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float32],
    mask: NDArray[np.unsignedinteger],
    leaf: NDArray[np.int32],
    value: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n,) sums of leaves for columns (F, n): each split that sends a row right strikes out the leaves on its left.

    What stands first among the leaves that are left is the row's. All rows meet one split together, so no step waits
    for another. Idea: Lucchese et al., "QuickScorer" (2015).
    """
    n, one, every = columns.shape[1], mask.dtype.type(1), ~mask.dtype.type(0)
    out, left, lowest = np.zeros(n), np.empty(n, mask.dtype), np.empty(n)
    place = lowest.view(np.int64)  # the bits of the lowest leaf as a number, of which the exponent is its place
    for tree in range(len(first) - 1):
        left[:] = every
        for split in range(first[tree], first[tree + 1]):
            column, most, kept = columns[feature[split]], threshold[split], mask[split]
            for row in range(n):
                left[row] &= kept if column[row] > most else every
        for row in range(n):
            lowest[row] = left[row] & (~left[row] + one)
        begin = leaf[tree] - _BIAS
        for row in range(n):
            out[row] += value[begin + (place[row] >> _FRACTION)]
    return out


@released
def _walk(
    columns: Table,
    root: NDArray[np.int32],
    depth: NDArray[np.int32],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float64],
    child: NDArray[np.int32],
    value: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n,) of columns (F, n): all rows take one step down the same tree together, so no step waits for another."""
    n = columns.shape[1]
    out, node = np.zeros(n), np.zeros(n, np.int32)
    for tree in range(len(root)):
        node[:] = root[tree]
        for _ in range(depth[tree]):
            for row in range(n):
                at = node[row]
                node[row] = child[at, np.int64(columns[feature[at], row] > threshold[at])]
        for row in range(n):
            out[row] += value[node[row]]
    return out

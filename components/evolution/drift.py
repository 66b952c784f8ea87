"""Whether the mix of labels differs between two halves of a log: Jensen–Shannon divergence against permutations.

Two small samples of one mix differ a lot by chance; what counts is the excess over what shuffled labels have. Used for
interests (categories) and for habits (hours). Never here: when a change happened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.evolution.sequences import Sequences
from components.evolution.shuffles import shuffle_groups
from components.evolution.significance import adjusted

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """Of U units; NaN where a part has no events.

    Attributes
    ----------
    before, after : (U,) events in each part
    divergence : (U,) Jensen–Shannon divergence of the two mixes, bits, 0..1
    expected : (U,) its mean under the null
    p, q : (U,) one-sided by permutation, and adjusted over the units, of which most may differ
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    divergence: Floats
    expected: Floats
    p: Floats
    q: Floats


def drift(found: Sequences, by_day: bool, permutations: int, seed: int) -> Drift:
    """Compare the two halves of every user, by units: before the day of the user's middle event, and from it on.

    Parameters
    ----------
    found : Sequences
    by_day : under the null the local days of a user come in another order, rather than events: what belongs together,
        as the purchases of one basket do, is one piece of evidence. Each order is cut anew at its middle event, so
        that a few large days do not make the halves of one order less even than those of another
    permutations, seed : of the null; orders that leave a half of a unit empty, as its own does not, do not count

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy.
    """
    rows = found.by_user
    starts, owners = found.blocks(by_day)
    number = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    pair, back = np.unique(found.unit * found.n_labels + found.label, return_inverse=True)
    counts, size = np.bincount(back, minlength=len(pair)), np.diff(found.offsets)
    after, observed, expected, above, valid = _null(
        np.diff(starts), owners, number, back[rows], pair // found.n_labels, counts, size, permutations,
        np.random.default_rng(seed),
    )  # fmt: skip
    p = np.where(np.isnan(observed), np.nan, (1 + above) / (valid + 1))
    return Drift(size - after, after, observed, expected, p, adjusted(p, many=True))


@released
def _null(
    length: NDArray[np.int64],
    owners: NDArray[np.int64],
    number: NDArray[np.int64],
    pair: NDArray[np.int64],
    unit: NDArray[np.int64],
    counts: NDArray[np.int64],
    size: NDArray[np.int64],
    permutations: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Events in the later part, divergence, its mean under the null, how often that reaches it and how often it exists.

    Blocks (B,) of `length` events change places within each user's `owners[u]:owners[u+1]`; event n is of block
    `number[n]` and of pair `pair[n]`; pair p is of unit `unit[p]` and has `counts[p]` events, units have `size`.
    """
    units = len(size)
    observed, total = np.full(units, np.nan), np.zeros(units)
    above, valid = np.zeros(units, np.int64), np.zeros(units, np.int64)
    after, first = np.zeros(units, np.int64), np.zeros(units, np.int64)
    order = np.arange(len(length))
    for permutation in range(permutations + 1):
        if permutation:
            shuffle_groups(order, owners, rng)
        late = _late(order, length, owners)
        second = np.zeros(len(counts), np.int64)
        for row in range(len(number)):
            if late[number[row]]:
                second[pair[row]] += 1
        after[:] = 0
        for one in range(len(counts)):
            after[unit[one]] += second[one]
        bits = np.zeros(units)
        for one in range(len(counts)):
            n = size[unit[one]]
            if 0 < after[unit[one]] < n:
                a = (counts[one] - second[one]) / (n - after[unit[one]])
                b = second[one] / after[unit[one]]
                bits[unit[one]] += (_x_log_x(a) + _x_log_x(b)) / 2 - _x_log_x((a + b) / 2)
        for one in range(units):
            if not 0 < after[one] < size[one]:
                continue
            if permutation == 0:
                observed[one] = bits[one]
            else:
                valid[one] += 1
                total[one] += bits[one]
                above[one] += bits[one] >= observed[one] - 1e-12
        if permutation == 0:
            first[:] = after
    expected = np.where(np.isnan(observed) | (valid == 0), np.nan, total / np.maximum(valid, 1))
    return first, observed, expected, above, valid


@released
def _late(order: NDArray[np.int64], length: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B,) whether a block is the one with its user's middle event, or comes after it, in this order of blocks."""
    late = np.zeros(len(order), np.bool_)
    for owner in range(len(owners) - 1):
        blocks = order[owners[owner] : owners[owner + 1]]
        middle, passed = length[blocks].sum() // 2, 0
        for block in blocks:
            passed += length[block]
            late[block] = passed > middle
    return late


@released
def _x_log_x(x: float) -> float:
    """x log₂ x, 0 at 0."""
    return x * np.log2(x) if x > 0 else 0.0

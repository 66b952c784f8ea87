"""Whether the mix of labels differs between two parts of a log: Jensen–Shannon divergence against a permutation null.

Two small samples of one mix differ a lot by chance; what counts is the excess over what shuffled labels have. Used for
interests (categories) and for habits (hours). Never here: when a change happened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.compiled import compiled, shuffle_groups
from components.evolution.sequences import Sequences
from components.evolution.significance import adjusted
from components.features.time import DAY_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """Of U units; NaN where a part has no events.

    Attributes
    ----------
    before, after : (U,) events in each part
    divergence : (U,) Jensen–Shannon divergence of the two mixes, bits, 0..1
    expected : (U,) its mean under the null
    p, q : (U,) one-sided by permutation, and adjusted over the units
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    divergence: Floats
    expected: Floats
    p: Floats
    q: Floats


def drift(found: Sequences, part: NDArray[np.integer], by_day: bool, permutations: int, seed: int) -> Drift:
    """Compare two parts of every unit.

    Parameters
    ----------
    found : Sequences
    part : (N,) 0 before, 1 after
    by_day : under the null whole local days of a user change parts, rather than events: what belongs together, as the
        purchases of one basket do, is one piece of evidence; no day may then lie in both parts
    permutations, seed : of the null

    Raises
    ------
    DataError
        A day of a user lies in both parts.

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy.
    """
    rows = found.by_user
    starts, owners = found.blocks(by_day)
    number, side = np.repeat(np.arange(len(starts) - 1), np.diff(starts)), part[rows][starts[:-1]]
    if (side[number] != part[rows]).any():
        raise DataError(
            "every local day of a user in one part",
            found="a day that is cut",
            do="Cut at midnight, or shuffle events instead of days.",
        )
    pair, back = np.unique(found.unit * found.n_labels + found.label, return_inverse=True)
    counts, size = np.bincount(back, minlength=len(pair)), np.diff(found.offsets)
    after, observed, expected, above = _null(
        side == 1, owners, number, back[rows], pair // found.n_labels, counts, size, permutations,
        np.random.default_rng(seed),
    )  # fmt: skip
    p = np.where(np.isnan(observed), np.nan, (1 + above) / (permutations + 1))
    return Drift(size - after, after, observed, expected, p, adjusted(p))


@compiled
def _null(
    late: NDArray[np.bool_],
    owners: NDArray[np.int64],
    number: NDArray[np.int64],
    pair: NDArray[np.int64],
    unit: NDArray[np.int64],
    counts: NDArray[np.int64],
    size: NDArray[np.int64],
    permutations: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.int64]]:
    """Events in the later part, divergence, its mean under the null and how often that reaches it, of each unit.

    Blocks (B,) are `late` or not and change places within each user's `owners[u]:owners[u+1]`; event n is of block
    `number[n]` and of pair `pair[n]`; pair p is of unit `unit[p]` and has `counts[p]` events, units have `size`.
    """
    units = len(size)
    observed, expected, above = np.full(units, np.nan), np.zeros(units), np.zeros(units, np.int64)
    after, first = np.zeros(units, np.int64), np.zeros(units, np.int64)
    late = late.copy()
    for permutation in range(permutations + 1):
        if permutation:
            shuffle_groups(late, owners, rng)
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
            if permutation == 0 and 0 < after[one] < size[one]:
                observed[one] = bits[one]
            elif permutation and bits[one] >= observed[one] - 1e-12:
                above[one] += 1
            if permutation:
                expected[one] += bits[one] / permutations
        if permutation == 0:
            first[:] = after
    return first, observed, np.where(np.isnan(observed), np.nan, expected), above


@compiled
def _x_log_x(x: float) -> float:
    """x log₂ x, 0 at 0."""
    return x * np.log2(x) if x > 0 else 0.0


def halves(found: Sequences) -> NDArray[np.int64]:
    """(N,) 0 before the day of each user's middle event, 1 from it on."""
    rows = found.by_user
    day, count = found.local_s[rows] // DAY_S, np.bincount(found.user)
    middle = (np.cumsum(count) - count + count // 2)[found.user[rows]]
    part = np.empty(len(rows), np.int64)
    part[rows] = day >= day[middle]
    return part

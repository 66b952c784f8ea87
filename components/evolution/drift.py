"""Whether the mix of labels differs between two parts of a log: Jensen–Shannon divergence against a permutation null.

Two small samples of one mix differ a lot by chance; what counts is the excess over what shuffled labels have. Used for
interests (categories) and for habits (hours). Never here: when a change happened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.sequences import Sequences
from components.evolution.significance import adjusted, p_value, shuffle_within
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
    user = found.user[rows]
    block = found.local_s[rows] // DAY_S if by_day else np.arange(len(rows))
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (user[1:] != user[:-1]) | (block[1:] != block[:-1])
    number, owner, side = np.cumsum(fresh) - 1, user[fresh], part[rows][fresh]
    if (side[number] != part[rows]).any():
        raise DataError(
            "every local day of a user in one part",
            found="a day that is cut",
            do="Cut at midnight, or shuffle events instead of days.",
        )
    pair, back = np.unique(found.unit * found.n_labels + found.label, return_inverse=True)
    unit = pair // found.n_labels
    total = np.bincount(back, minlength=len(pair))
    size = np.diff(found.offsets)

    def divergence(side: NDArray[np.integer]) -> tuple[Floats, NDArray[np.int64]]:
        late = np.empty(len(rows), bool)
        late[rows] = side[number] == 1
        second = np.bincount(back[late], minlength=len(pair))
        after = np.bincount(unit, weights=second, minlength=found.n_units)
        a, b = (total - second) / np.maximum(size - after, 1)[unit], second / np.maximum(after, 1)[unit]
        terms = (_x_log_x(a) + _x_log_x(b)) / 2 - _x_log_x((a + b) / 2)
        bits = np.bincount(unit, weights=terms, minlength=found.n_units)
        return np.where((after > 0) & (after < size), bits, np.nan), after.astype(np.int64)

    rng = np.random.default_rng(seed)
    observed, after = divergence(side)
    null = np.stack([divergence(side[shuffle_within(owner, rng)])[0] for _ in range(permutations)])
    p = p_value(observed, null, "greater")
    return Drift(size - after, after, observed, null.mean(axis=0), p, adjusted(p))


def halves(found: Sequences) -> NDArray[np.int64]:
    """(N,) 0 before the day of each user's middle event, 1 from it on."""
    rows = found.by_user
    day, count = found.local_s[rows] // DAY_S, np.bincount(found.user)
    middle = (np.cumsum(count) - count + count // 2)[found.user[rows]]
    part = np.empty(len(rows), np.int64)
    part[rows] = day >= day[middle]
    return part


def _x_log_x(x: Floats) -> Floats:
    """x log₂ x, 0 at 0."""
    return x * np.log2(x, out=np.zeros_like(x), where=x > 0)

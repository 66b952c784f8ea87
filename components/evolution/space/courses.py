"""Whether people take the same courses: how alike each trajectory is to its likest of another user, and by chance.

The null deals the cells anew: each trajectory keeps how many distinct cells it has, and each cell how many trajectories
have it, so that busy cells stay busy. Visits are not what is dealt: people come back to their own few cells, and would
have more of them by chance than they ever have. Never here: who is like whom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.evolution.significance import p_value
from components.evolution.space.similarity import edit_distance, similar, warping_km

Floats = NDArray[np.float64]
#: Newest moves of a trajectory whose course is compared: of whoever is seen daily it is the whole log.
MOST_MOVES = 500
_TRADES = 5  # of each trajectory with another, before the next deal is looked at; twice as many take part


@dataclass(frozen=True)
class Courses:
    """Trajectories of two cells or more, and their likest of another user.

    Attributes
    ----------
    trajectories, compared, users : of two cells or more; how many were compared, and of how many users
    likeness, expected : mean Jaccard index of the cells with the likest; the same where cells are dealt anew
    p : one-sided
    apart_km, random_km : median distance of the likest pair along its best alignment (DTW), and of random pairs
    edits, random_edits : mean share of the steps by which the likest pair's order of cells differs, and random pairs';
        these four of the newest `MOST_MOVES` moves
    """

    trajectories: int
    compared: int
    users: int
    likeness: float
    expected: float
    p: float
    apart_km: float
    random_km: float
    edits: float
    random_edits: float


def courses(
    number: NDArray[np.integer],
    cell: NDArray[np.integer],
    user: NDArray[np.integer],
    latitude: Floats,
    longitude: Floats,
    most: int,
    shuffles: int,
    seed: int,
) -> Courses | None:
    """Compare trajectories; None where fewer than two users have one of two cells or more.

    Parameters
    ----------
    number : (N,) trajectory of each visit, ascending
    cell : (N,) code of its cell, at least 0
    user : (N,) codes
    latitude, longitude : (N,) degrees
    most : trajectories that are compared, at most; a seeded sample
    shuffles, seed : of the null
    """
    names, first, whole = np.unique(number, return_index=True, return_inverse=True)
    kinds = int(cell.max(initial=0)) + 1
    pairs = np.unique(whole.astype(np.int64) * kinds + cell)
    wide = np.flatnonzero(np.bincount(pairs // kinds, minlength=len(names)) >= 2)
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.choice(wide, min(most, len(wide)), replace=False))
    owner = user[first[kept]]
    if len(np.unique(owner)) < 2:
        return None
    place = np.full(len(names), -1, np.int64)
    place[kept] = np.arange(len(kept))
    rows = np.flatnonzero(place[whole] >= 0)
    mine, at = place[whole[rows]], np.asarray(cell[rows], np.int64)
    found = similar(mine, at, owner, 1)
    value = float(found.jaccard[:, 0].mean())
    null = _by_chance(mine, at, owner, shuffles, rng)
    moved = _moves(mine, at)
    rows, mine, at = rows[moved], mine[moved], at[moved]
    begin = np.searchsorted(mine, np.arange(len(kept) + 1))
    lat, lon = (np.ascontiguousarray(of[rows]) for of in (latitude, longitude))

    def apart(a: int, b: int) -> tuple[float, float]:
        """Distance along the best alignment, km, and share of edits, of two trajectories."""
        one, two = (slice(begin[which], begin[which + 1]) for which in (a, b))
        return float(warping_km(lat[one], lon[one], lat[two], lon[two])), float(edit_distance(at[one], at[two]))

    likest = [(one, int(other)) for one, other in enumerate(found.other[:, 0]) if other >= 0]
    random = [(a, b) for a, b in rng.integers(0, len(kept), (len(kept), 2)) if owner[a] != owner[b]]
    near, far = (np.array([apart(*pair) for pair in pairs] or [(np.nan, np.nan)]) for pairs in (likest, random))
    return Courses(
        trajectories=len(wide),
        compared=len(kept),
        users=len(np.unique(owner)),
        likeness=value,
        expected=float(null.mean()),
        p=float(p_value(value, null, "greater")),
        apart_km=float(np.median(near[:, 0])),
        random_km=float(np.median(far[:, 0])),
        edits=float(near[:, 1].mean()),
        random_edits=float(far[:, 1].mean()),
    )


def _moves(trajectory: NDArray[np.int64], cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the newest visits of each trajectory that were not in the cell of the one before."""
    new = np.r_[True, (np.diff(trajectory) != 0) | (np.diff(cell) != 0)]
    rows = np.flatnonzero(new)
    _, count = np.unique(trajectory[rows], return_counts=True)
    left = np.repeat(np.cumsum(count), count) - np.arange(len(rows))  # of its trajectory, itself among them
    return rows[left <= MOST_MOVES]


def _by_chance(
    trajectory: NDArray[np.int64],
    cell: NDArray[np.int64],
    owner: NDArray[np.integer],
    shuffles: int,
    rng: np.random.Generator,
) -> Floats:
    """(shuffles,) mean Jaccard index with the likest, where distinct cells are dealt anew."""
    kinds = int(cell.max()) + 1
    pairs = np.unique(trajectory * kinds + cell)
    holder, held = pairs // kinds, pairs % kinds
    begin = np.searchsorted(holder, np.arange(len(owner) + 1))
    null = np.empty(shuffles)
    for one in range(shuffles):
        trade(held, begin, _TRADES * len(owner), rng)
        null[one] = similar(holder, held, owner, 1).jaccard[:, 0].mean()
    return null


@released
def trade(held: NDArray[np.int64], begin: NDArray[np.int64], trades: int, rng: np.random.Generator) -> None:
    """Let two trajectories at a time mix the cells that one of them has alone; `held` is changed in place.

    Parameters
    ----------
    held : (P,) distinct cells of each trajectory, ascending within it
    begin : (M + 1,) where each begins
    trades : how often
    rng : of the draws

    References
    ----------
    Strona et al. (2014), A fast and unbiased procedure to randomize ecological binary matrices (the curveball).
    """
    for _ in range(trades):
        a, b = rng.integers(0, len(begin) - 1), rng.integers(0, len(begin) - 1)
        one, two = held[begin[a] : begin[a + 1]], held[begin[b] : begin[b + 1]]
        both, alone = np.empty(len(one), np.int64), np.empty(len(one) + len(two), np.int64)
        i = j = shared = single = 0
        while i < len(one) or j < len(two):
            if j == len(two) or (i < len(one) and one[i] < two[j]):
                alone[single] = one[i]
                single, i = single + 1, i + 1
            elif i == len(one) or two[j] < one[i]:
                alone[single] = two[j]
                single, j = single + 1, j + 1
            else:
                both[shared] = one[i]
                shared, i, j = shared + 1, i + 1, j + 1
        mixed = alone[:single]
        rng.shuffle(mixed)
        mine = len(one) - shared
        one[:] = np.sort(np.concatenate((both[:shared], mixed[:mine])))
        two[:] = np.sort(np.concatenate((both[:shared], mixed[mine:])))

"""Whether people take the same courses: how alike each trajectory is to its likest of another user, and by chance.

The null deals the visited cells anew to trajectories of the same lengths, so that busy cells stay busy. Never here: who
is like whom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.significance import p_value
from components.evolution.space.similarity import edit_distance, similar, warping_km

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Courses:
    """Trajectories of two cells or more, and their likest of another user.

    Attributes
    ----------
    trajectories, compared, users : of two cells or more; how many were compared, and of how many users
    likeness, expected : mean Jaccard index of the cells with the likest; the same where cells are dealt anew
    p : one-sided
    apart_km, random_km : median distance of the likest pair along its best alignment (DTW), and of random pairs
    edits, random_edits : mean share of the steps by which the likest pair's order of cells differs, and random pairs'
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
    null = np.array([similar(mine, rng.permutation(at), owner, 1).jaccard[:, 0].mean() for _ in range(shuffles)])
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

"""Similar trajectories: by the cells they share (Jaccard), and by their course (dynamic time warping, edit distance).

Jaccard finds the near ones among all; the others compare two courses and so order what was found. Never here: how
trajectories are cut (`stays.trajectories`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.compiled import released
from components.features.place import EARTH_KM

Floats = NDArray[np.float64]
_HELD = 8_000_000  # pairs of trajectories held at once


@dataclass(frozen=True)
class Similar:
    """The k most similar of each of M trajectories.

    Attributes
    ----------
    other : (M, k) numbers of trajectories, most similar first; -1 = none shares a cell
    jaccard : (M, k) cells in common / cells of either, 0..1
    """

    other: NDArray[np.int64]
    jaccard: Floats


def similar(trajectory: NDArray[np.integer], cell: NDArray[np.integer], owner: NDArray[np.integer], k: int) -> Similar:
    """Nearest trajectories of other users by the Jaccard index of their cells.

    Parameters
    ----------
    trajectory : (N,) number of each event's trajectory, 0..M-1
    cell : (N,) code of each event's cell, at least 0
    owner : (M,) user of each trajectory; trajectories of one owner are not compared
    k : how many

    References
    ----------
    Jaccard (1912), The distribution of the flora in the alpine zone.
    """
    n, kinds = len(owner), int(cell.max(initial=0)) + 1
    pair = np.unique(trajectory.astype(np.int64) * kinds + cell)
    visits = sparse.csr_array((np.ones(len(pair), np.float32), (pair // kinds, pair % kinds)), shape=(n, kinds))
    size = np.diff(visits.indptr)
    other, value = np.full((n, k), -1, np.int64), np.zeros((n, k))
    step = max(1, _HELD // max(n, 1))
    for low in range(0, n, step):
        rows = np.arange(low, min(low + step, n))
        common = (visits[rows] @ visits.T).toarray()  # (B, M)
        share = common / (size[rows][:, None] + size[None] - common)
        share[owner[rows][:, None] == owner[None]] = 0
        best = share.argmax(axis=1)[:, None] if k == 1 else np.argsort(-share, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(share, best, axis=1)
        other[rows, : best.shape[1]] = np.where(found > 0, best, -1)
        value[rows, : best.shape[1]] = found
    return Similar(other, value)


@released
def warping_km(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> float:
    """Dynamic time warping of two courses: mean great-circle distance, km, along the cheapest alignment.

    Parameters
    ----------
    lat_a, lon_a : (n,) degrees, n ≥ 1
    lat_b, lon_b : (m,) degrees, m ≥ 1

    Returns
    -------
    float
        Total distance of the cheapest alignment / (n + m), so that long courses are no farther apart.

    References
    ----------
    Sakoe, Chiba (1978), Dynamic programming algorithm optimization for spoken word recognition (weights 1, 2, 1, with
    which every alignment has the length n + m).
    """
    n, m = len(lat_a), len(lat_b)
    row = np.full(m + 1, np.inf)  # cheapest alignments of what came before i with each beginning of b
    row[0] = 0.0
    for i in range(n):
        before = row.copy()
        row[0] = np.inf
        for j in range(m):
            phi, psi = np.radians(lat_a[i]), np.radians(lat_b[j])
            chord = np.sin((psi - phi) / 2) ** 2
            chord += np.cos(phi) * np.cos(psi) * np.sin(np.radians(lon_b[j] - lon_a[i]) / 2) ** 2
            apart = 2 * EARTH_KM * np.arcsin(min(1.0, np.sqrt(chord)))
            row[j + 1] = min(before[j] + 2 * apart, before[j + 1] + apart, row[j] + apart)
    return row[m] / (n + m)


@released
def edit_distance(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Levenshtein distance of two sequences of cells / the longer length, 0..1; 0 for two empty ones.

    References
    ----------
    Levenshtein (1966), Binary codes capable of correcting deletions, insertions and reversals.
    """
    row = np.arange(len(b) + 1)
    for i in range(len(a)):
        before = row.copy()
        row[0] = i + 1
        for j in range(len(b)):
            row[j + 1] = min(before[j] + (a[i] != b[j]), before[j + 1] + 1, row[j] + 1)
    return row[len(b)] / max(len(a), len(b), 1)

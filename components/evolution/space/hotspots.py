"""Which cells stand out: Getis–Ord G*, local Moran, and hot spots that emerge, stay or fade over periods.

Inference is by permutation, two-sided, with false discoveries held over all cells and periods that are asked of.
Never here: counting (`surface`) or a map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.significance import adjusted, p_value
from components.evolution.space.autocorrelation import row_standardised
from components.evolution.space.surface import Matrix

Floats = NDArray[np.float64]
_HELD = 2_000_000  # random numbers held at once


@dataclass(frozen=True)
class HotSpots:
    """Getis–Ord G* of T periods and C cells.

    Attributes
    ----------
    z : (T, C) standardised sums over a cell and its neighbours; positive is hot
    p : (T, C) two-sided, by permutation
    q : (T, C) p adjusted over all of them (Benjamini–Hochberg)
    """

    z: Floats
    p: Floats
    q: Floats

    def state(self, level: float) -> NDArray[np.int8]:
        """(T, C) 1 hot, -1 cold, 0 neither, with the share of false ones held at `level`."""
        return np.where(self.q <= level, np.sign(self.z), 0).astype(np.int8)


def getis_ord(values: Floats, neighbours: Matrix, permutations: int, seed: int) -> HotSpots:
    """Getis–Ord G* with binary weights, each cell being its own neighbour.

    Parameters
    ----------
    values : (T, C) counts, or their log1p; mean and spread are those of all T × C
    neighbours : (C, C) of `Surface`, or of more rings
    permutations, seed : of the null

    Returns
    -------
    HotSpots
        NaN where the values do not vary.

    Notes
    -----
    The null puts any of the T × C values into a neighbourhood, as the moments of z do; so all neighbourhoods of one
    size share one null, and many draws are cheap: q can only fall below a level α where 1 / (permutations + 1) is
    some times smaller than α / (T × C).

    References
    ----------
    Ord, Getis (1995), Local spatial autocorrelation statistics; Getis, Ord (1992).
    """
    values = np.atleast_2d(np.asarray(values, np.float64))
    total, n = (neighbours @ values.T).T + values, values.size
    size = np.asarray(neighbours.sum(axis=1)).ravel().astype(np.int64) + 1  # (C,)
    mean, spread = values.mean(), values.std()
    if n < 2 or spread <= 1e-12 * (1 + abs(mean)):
        nothing = np.full(values.shape, np.nan)
        return HotSpots(nothing, nothing, nothing)
    deviation = spread * np.sqrt(size * np.maximum(n - size, 0) / (n - 1))
    z = np.divide(total - size * mean, deviation, out=np.zeros_like(total), where=deviation > 0)
    rng = np.random.default_rng(seed)
    p, flat = np.ones(values.shape), values.ravel()
    for one in np.unique(size):
        drawn = rng.integers(0, n, (permutations, one))
        for _ in range(64):  # draw again what came twice
            order = np.sort(drawn, axis=1)
            twice = np.flatnonzero((order[:, 1:] == order[:, :-1]).any(axis=1))
            if not len(twice) or one > n:
                break
            drawn[twice] = rng.integers(0, n, (len(twice), one))
        null = np.sort(flat[drawn].sum(axis=1))
        p[:, size == one] = _against_sorted(total[:, size == one], null)
    return HotSpots(z, p, adjusted(p))


def _against_sorted(observed: Floats, null: Floats) -> Floats:
    """Two-sided p-values of many observations against one sorted null (P,)."""
    slack = 1e-9 * (1 + np.abs(observed))
    above = 1 + len(null) - np.searchsorted(null, observed - slack, side="left")
    below = 1 + np.searchsorted(null, observed + slack, side="right")
    return np.minimum(1.0, 2 * np.minimum(above, below) / (len(null) + 1))


@dataclass(frozen=True)
class LocalMoran:
    """Local Moran's I of C cells.

    Attributes
    ----------
    value : (C,) Iᵢ
    quadrant : (C,) 1 high among high, 2 low among high, 3 low among low, 4 high among low; 0 without neighbours
    p, q : (C,) two-sided by conditional permutation, and adjusted (Benjamini–Hochberg); NaN without neighbours
    """

    value: Floats
    quadrant: NDArray[np.int8]
    p: Floats
    q: Floats


def local_moran(values: Floats, neighbours: Matrix, permutations: int, seed: int) -> LocalMoran:
    """Iᵢ = (n - 1) zᵢ Σⱼ wᵢⱼ zⱼ / Σ z², each cell against the others put around it at random.

    Parameters
    ----------
    values : (C,)
    neighbours : (C, C) of `Surface`
    permutations, seed : of the null; all cells share the draws

    References
    ----------
    Anselin (1995), Local indicators of spatial association — LISA.
    """
    z = np.asarray(values, np.float64) - np.mean(values)
    n, weights = len(z), row_standardised(neighbours)
    degree = np.diff(weights.indptr)
    power = np.sum(z**2)
    if n < 2 or power <= 1e-12 * (1 + np.abs(values).max()) ** 2:
        nothing = np.full(n, np.nan)
        return LocalMoran(nothing, np.zeros(n, np.int8), nothing, nothing)
    lag = weights @ z
    scale = (n - 1) / power
    rng = np.random.default_rng(seed)
    most = int(degree.max(initial=0))
    step = max(1, _HELD // n)
    parts = [  # copies: views would hold all n - 1
        np.argsort(rng.random((min(step, permutations - done), n - 1)), axis=1)[:, :most].copy()
        for done in range(0, permutations, step)
    ]
    others = np.concatenate(parts)  # (P, most) of n - 1, none twice
    p = np.full(n, np.nan)
    for cell in np.flatnonzero(degree):
        around = others[:, : degree[cell]]
        null = z[around + (around >= cell)].mean(axis=1)
        p[cell] = p_value(np.array(scale * z[cell] * lag[cell]), scale * z[cell] * null, "both")
    quadrant = np.select([(z > 0) & (lag > 0), (z <= 0) & (lag > 0), (z <= 0) & (lag <= 0)], [1, 2, 3], 4)
    quadrant[degree == 0] = 0
    return LocalMoran(scale * z * lag, quadrant.astype(np.int8), p, adjusted(p))

"""Whether one kind of behaviour happens beside another: bivariate Moran's I, against surfaces as smooth as the first.

Shuffled cells would call any two smooth surfaces related. The null here keeps the smoothness: it turns the signs of a
surface's coefficients on the maps of its neighbourhood (Moran's eigenvectors), which leaves its variance and its own
Moran's I as they are. Never here: lags in time (`followed`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.evolution.significance import p_value
from components.evolution.space.autocorrelation import Autocorrelation, row_standardised
from components.evolution.space.surface import Matrix

Floats = NDArray[np.float64]


def moran_maps(neighbours: Matrix) -> Floats:
    """(C, C) orthonormal eigenvectors, in columns, of the doubly centred neighbourhood.

    References
    ----------
    Griffith (1996), Spatial autocorrelation and eigenfunctions of the geographic weights matrix; Dray, Legendre,
    Peres-Neto (2006), Spatial modelling: a comprehensive framework for PCNM.
    """
    dense = neighbours.toarray().astype(np.float64)
    centred = dense - dense.mean(axis=0) - dense.mean(axis=1)[:, None] + dense.mean()
    return np.asarray(np.linalg.eigh(centred)[1])


def bivariate_moran(
    x: Floats, y: Floats, neighbours: Matrix, maps: Floats, permutations: int, seed: int
) -> Autocorrelation:
    """I = Σ wᵢⱼ zxᵢ zyⱼ / n with rows of w summing to one: x in a cell beside y in the cells around it.

    Parameters
    ----------
    x, y : (C,) surfaces
    neighbours : (C, C) of `Surface`
    maps : `moran_maps` of the same
    permutations, seed : of the null

    Returns
    -------
    Autocorrelation
        Two-sided; NaN where a surface does not vary or no cell has a neighbour.

    References
    ----------
    Wartenberg (1985), Multivariate spatial correlation; Lee (2001); the null: Wagner, Dray (2015), Generating spatially
    constrained null models for irregularly spaced data using Moran spectral randomization (singleton procedure).
    """
    weights = row_standardised(neighbours)
    spread = float(np.std(x)), float(np.std(y))
    if weights.nnz == 0 or min(spread) <= 1e-12:
        return Autocorrelation(np.nan, 0.0, np.nan, np.nan)
    zx, zy = (x - np.mean(x)) / spread[0], (y - np.mean(y)) / spread[1]
    beside = np.asarray(weights @ zy)
    value = float(zx @ beside / len(x))
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(permutations, maps.shape[1]))
    terms = (zx @ maps) * (beside @ maps)  # each map's part of the statistic; the null turns its sign
    null = signs @ terms / len(x)
    deviation = float(null.std(ddof=1))
    score = (value - null.mean()) / deviation if deviation > 0 else np.nan
    return Autocorrelation(value, 0.0, float(score), float(p_value(value, null, "both")))


def without(x: Floats, level: Floats) -> Floats:
    """(C,) what is left of a surface when a straight line on another is taken out."""
    centred = level - level.mean()
    power = float(centred @ centred)
    slope = float(centred @ (x - x.mean())) / power if power > 1e-12 else 0.0
    return x - x.mean() - slope * centred

"""Whether neighbouring cells are alike: Moran's I and Geary's C, of a whole surface, by permutation of its cells.

Weights are those of touching cells, each row scaled to sum to one. Statistics equal those of `esda` (tests hold
that); its p-values are one-sided towards what was found, hence half of what a two-sided question has, and its draws
come from numpy's global state. Never here: single cells (`hotspots`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.evolution.significance import p_value
from components.evolution.space.surface import Matrix

Floats = NDArray[np.float64]
_HELD = 2_000_000  # permuted values held at once


@dataclass(frozen=True)
class Autocorrelation:
    """One statistic of one surface.

    Attributes
    ----------
    value : the statistic; NaN where the values do not vary, or no cell has a neighbour
    expected : its mean without spatial order
    z : (value - mean of the null) / its standard deviation
    p : two-sided, by permutation
    """

    value: float
    expected: float
    z: float
    p: float


def row_standardised(neighbours: Matrix) -> Matrix:
    """Rows scaled to sum to one; a cell without neighbours keeps an empty row."""
    degree = np.asarray(neighbours.sum(axis=1)).ravel()
    scale = np.divide(1.0, degree, out=np.zeros(len(degree)), where=degree > 0)
    return sparse.csr_array(sparse.diags_array(scale) @ neighbours)


def morans_i(values: Floats, neighbours: Matrix, permutations: int, seed: int) -> Autocorrelation:
    """Moran's I = (n / S₀) Σ wᵢⱼ zᵢ zⱼ / Σ zᵢ²; above -1 / (n - 1): neighbours are alike.

    Parameters
    ----------
    values : (C,) one for each cell, e.g. log1p of counts
    neighbours : (C, C) of `Surface`
    permutations, seed : of the null

    References
    ----------
    Moran (1950), Notes on continuous stochastic phenomena; Cliff, Ord (1981), Spatial Processes, chapter 2.
    """
    n = len(values)
    weights = row_standardised(neighbours)
    total = weights.sum()

    def statistic(z: Floats) -> Floats:  # (P, C) → (P,)
        return n / total * np.sum(z * (weights @ z.T).T, axis=1) / np.sum(z**2, axis=1)

    return _tested(values, total, -1 / max(n - 1, 1), statistic, permutations, seed)


def gearys_c(values: Floats, neighbours: Matrix, permutations: int, seed: int) -> Autocorrelation:
    """Geary's C = (n - 1) Σ wᵢⱼ (xᵢ - xⱼ)² / (2 S₀ Σ zᵢ²); below 1: neighbours are alike.

    Parameters
    ----------
    As `morans_i`.

    References
    ----------
    Geary (1954), The contiguity ratio and statistical mapping.
    """
    n = len(values)
    weights = row_standardised(neighbours)
    total = weights.sum()
    sides = np.asarray(weights.sum(axis=1) + weights.sum(axis=0)).ravel()

    def statistic(z: Floats) -> Floats:
        apart = z**2 @ sides - 2 * np.sum(z * (weights @ z.T).T, axis=1)
        return (n - 1) * apart / (2 * total * np.sum(z**2, axis=1))

    return _tested(values, total, 1.0, statistic, permutations, seed)


def _tested(
    values: Floats,
    total: float,
    expected: float,
    statistic: Callable[[Floats], Floats],
    permutations: int,
    seed: int,
) -> Autocorrelation:
    z = np.asarray(values, np.float64) - np.mean(values)
    if total == 0 or not np.any(np.abs(z) > 1e-12 * (1 + np.abs(values).max())):
        return Autocorrelation(np.nan, expected, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    value = statistic(z[None])[0]
    step = max(1, _HELD // len(z))
    parts = [
        statistic(rng.permuted(np.tile(z, (min(step, permutations - done), 1)), axis=1))
        for done in range(0, permutations, step)
    ]
    null = np.concatenate(parts)
    spread = null.std(ddof=1)
    score = (value - null.mean()) / spread if spread > 0 else np.nan
    return Autocorrelation(float(value), expected, float(score), float(p_value(value, null, "both")))

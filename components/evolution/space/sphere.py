"""Points on the sphere: vectors, and the centres of groups of points; the antimeridian is no wall here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.features.hexagon import unit_vectors

Floats = NDArray[np.float64]


def vectors(latitude: Floats, longitude: Floats) -> Floats:
    """(N, 3) points on the unit sphere of (N,) degrees."""
    return unit_vectors(np.radians(latitude), np.radians(longitude)).T


def centres(
    latitude: Floats, longitude: Floats, weight: Floats, unit: NDArray[np.integer], n_units: int
) -> tuple[Floats, Floats]:
    """Degrees (n_units,) of the weighted centre of each unit's points (N,); 0, 0 where it has none."""
    x, y, z = (np.bincount(unit, weights=weight * axis, minlength=n_units) for axis in vectors(latitude, longitude).T)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))

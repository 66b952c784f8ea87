"""Where an item is, as a vector: waves of several lengths in three directions.

A sum of such waves tells any place from any other, near ones by the short waves, far ones by the long: grid cells.
Source: Mai et al., Space2Vec (ICLR 2020). Never looks at where users are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.knowledge.described import Described
from components.params import Section

Floats = NDArray[np.float32]
_KM_PER_DEGREE = 111.195
_ANGLES = np.arange(3) * (2 * np.pi / 3)


class PlaceOptions(Section):
    """Options of the kind."""

    wavelengths_km: list[float] = Field(min_length=1)


def place_vectors(items: Described, options: PlaceOptions) -> tuple[Floats, NDArray[np.bool_]]:
    """(V, 6 · wavelengths) waves, and (V,) which items have a place."""
    latitude, longitude = np.asarray(items.latitude, np.float64), np.asarray(items.longitude, np.float64)
    known = np.isfinite(latitude) & np.isfinite(longitude)
    if not known.any():
        return np.zeros((len(items), 6 * len(options.wavelengths_km)), np.float32), known
    middle = np.radians(latitude[known & items.trained].mean() if (known & items.trained).any() else 0.0)
    north = np.nan_to_num(latitude) * _KM_PER_DEGREE
    east = np.nan_to_num(longitude) * _KM_PER_DEGREE * np.cos(middle)
    along = north[:, None] * np.sin(_ANGLES) + east[:, None] * np.cos(_ANGLES)  # (V, 3) km
    turns = 2 * np.pi * along[:, :, None] / np.array(options.wavelengths_km)  # (V, 3, waves)
    waves = np.concatenate([np.sin(turns), np.cos(turns)], axis=2).reshape(len(items), -1)
    return (waves * known[:, None]).astype(np.float32), known

"""Places as tensors: points on the unit sphere, (0, 0, 0) where there is none, and how far they lie apart.

Distances come from differences: the dot product of unit vectors in float32 knows nothing below two kilometres.
Never reads degrees: `training.gather` makes the points.
"""

from __future__ import annotations

import torch
from torch import Tensor

EARTH_KM = 6371.0


def chords(one: Tensor, other: Tensor) -> Tensor:
    """(…, T, 3), (…, L, 3) → (…, T, L) straight distances on the unit sphere."""
    if torch.compiler.is_exporting():  # other runtimes have no cdist
        return (one.unsqueeze(-2) - other.unsqueeze(-3)).square().sum(-1).sqrt()
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def located(point: Tensor) -> Tensor:
    """(…, 3) → (…) whether there is a place."""
    return point.square().sum(-1) > 0.5


def great_circle_km(chord: Tensor) -> Tensor:
    """(…) straight distances on the unit sphere → (…) km along the ground."""
    return 2 * EARTH_KM * torch.asin((chord / 2).clamp_max(1.0))

"""How far each item is, as a term of the item logits: people go to what is near, some of them less than others.

    bias(v) = -softplus(a(state)) · log(1 + d(here, v) / 0.3 km)

Source: gravity models; the distance decay of research on next places. `here` is the place of the last visible
event. Nothing is added where either place is unknown. Never looks at where the answer is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.sphere import EARTH_KM, chords, located

SCALE_KM = 0.3
_START = -2.0  # softplus(-2) = 0.13: at first a weak pull


class DistanceBias(nn.Module):
    """(n, d) states and where they are → (n, V - 2) term of the logits."""

    points: Tensor

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.register_buffer("points", torch.zeros(config.items, 3))  # on the unit sphere, 0 = no place
        self.strength = nn.Linear(config.width, 1)
        nn.init.zeros_(self.strength.weight)
        nn.init.constant_(self.strength.bias, _START)

    def forward(self, states: Tensor, here: Tensor, columns: int | None = None) -> Tensor:
        """(n, d), (n, 3) → (n, columns): the first items of the catalogue, or all."""
        items = self.points[2:] if columns is None else self.points[2 : columns + 2]
        return -F.softplus(self.strength(states).float()) * log_distances(items, here)


def log_distances(items: Tensor, here: Tensor) -> Tensor:
    """(m, 3) places of items, (n, 3) → (n, m) log(1 + distance / 0.3 km); 0 where either place is unknown."""
    km = EARTH_KM * chords(here, items) * (located(here)[:, None] & located(items))
    return torch.log1p(km / SCALE_KM)

"""Conditioning by rotation: the time of the request turns the state, as it turns the meaning of a habit.

The state's halves are the real and imaginary parts of d/2 numbers; each is turned by a phase that the slot of the day
and the day of the week give. Source: Feng et al., ROTAN (KDD 2024), its output rotation. Never sees the answer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from components.errors import ConfigError
from components.models.config import SequenceConfig
from components.models.tokens import Request

_SLOT_MIN, _SLOTS, _DAYS = 15, 96, 7
_BY_SLOT = 0.7  # share of the rotation by the slot of the day; the rest is by the day of the week


class Phases(nn.Module):
    """Time2Vec of one clock as phases: one linear, the others waves (Kazemi et al. 2019); (n,) → (n, d/2) radians."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.randn(width // 2))
        self.shift = nn.Parameter(torch.randn(width // 2))
        self.scale = math.pi * width / 26  # RotatE's range of embeddings, (24 + 2) / d, spans half a turn

    def forward(self, moment: Tensor) -> Tensor:
        """Phases of moments (n,) in 0..1."""
        angle = moment[:, None] * self.rate + self.shift  # (n, d/2)
        return self.scale * torch.cat([angle[:, :1], angle[:, 1:].sin()], dim=1)


class RotationConditioning(nn.Module):
    """(n, d) states and a Request → (n, d) states, turned by the clock.

    An unknown clock turns nothing.
    """

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        if config.width % 2:
            raise ConfigError(
                "an even width for `conditioning: rotation`",
                found=f"{config.width}",
                do="Mend `width` in params.yaml.",
            )
        self.slot, self.day = Phases(config.width), Phases(config.width)

    def forward(self, states: Tensor, request: Request) -> Tensor:
        """(n, d) → (n, d)."""
        slot = (request.minute_of_day // _SLOT_MIN) / _SLOTS  # (n,)
        by_slot = rotated(states, self.slot(slot))
        by_day = rotated(states, self.day(request.weekday.float() / _DAYS))
        turned = _BY_SLOT * by_slot + (1 - _BY_SLOT) * by_day
        return torch.where(request.known[:, None], turned, states)


def rotated(states: Tensor, phase: Tensor) -> Tensor:
    """(n, d) states as d/2 complex numbers, each turned by its phase (n, d/2) in radians."""
    real, imaginary = states.chunk(2, dim=1)
    sine, cosine = phase.sin(), phase.cos()
    return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=1)

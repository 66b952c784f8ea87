"""Conditioning a state on the request: the same person wants something else at eight in the morning and at midnight.

The idea is ROTAN's (rotate the output by the target's time); here the request's clock and gap, embedded, scale
and shift the state and pass with it through a gated layer. A learned vector stands in where the clock is not known.
Never sees the answer: only when it is asked for. (Its place would be the answer's own wherever one is trained.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.tokens import Request

WAVES = 4  # Fourier features of the minute of day: periods of 24, 12, 8, 6 hours
GAP_KNOTS = 16  # soft bins of log(1 + gap_s), from a second to about three years
GAP_MAX = math.log(1e8)


class RequestConditioning(nn.Module):
    """(n, d) states and a Request → (n, d) states that know when the answer is wanted."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        d = config.width
        self.hour, self.weekday = nn.Embedding(24, d), nn.Embedding(7, d)
        self.smooth = nn.Linear(2 * WAVES + GAP_KNOTS, d)
        self.unknown = nn.Parameter(torch.zeros(d))
        self.norm = nn.LayerNorm(d)
        self.film = nn.Linear(d, 2 * d)
        self.up = nn.Linear(2 * d, 4 * d, bias=False)
        self.down = nn.Linear(2 * d, d, bias=False)
        self.dropout = Dropout(config.dropout)
        self.reset()

    def reset(self) -> None:
        """Draw fresh weights; at first the states pass almost unchanged."""
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.1)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.film.weight, std=0.02)
        nn.init.normal_(self.down.weight, std=0.02)

    def _clock(self, request: Request) -> Tensor:
        angle = request.minute_of_day * (2 * math.pi / 1440)  # (n,)
        turns = angle[:, None] * torch.arange(1, WAVES + 1, device=angle.device)  # (n, waves)
        width = GAP_MAX / (GAP_KNOTS - 1)
        knots = torch.arange(GAP_KNOTS, device=angle.device) * width
        gap = torch.exp(-0.5 * ((request.log_gap[:, None] - knots) / width) ** 2)  # (n, knots)
        smooth = self.smooth(torch.cat([turns.sin(), turns.cos(), gap], dim=1))
        q = self.hour(request.hour) + self.weekday(request.weekday) + smooth  # (n, d)
        return torch.where(request.known[:, None], q, self.unknown.to(q.dtype))

    def forward(self, states: Tensor, request: Request) -> Tensor:
        """(n, d) → (n, d)."""
        q = self._clock(request)  # (n, d)
        scale, shift = self.film(self.dropout(q)).chunk(2, dim=1)  # (n, d) each
        active, linear = self.up(torch.cat([self.norm(states), q], dim=1)).chunk(2, dim=1)  # (n, 2d) each
        grown = self.down(self.dropout(F.silu(active) * linear))
        result: Tensor = states * (1 + scale) + shift + self.dropout(grown)
        return result

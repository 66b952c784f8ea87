"""Heads: states → what, which kind, when, where. Each reads one state and knows nothing of the others.

The item head has no weights of its own: it multiplies by the item table of the embedding (tied weights). The time
head is a log-normal mixture with closed-form density, survival and quantiles. Never computes a loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig

RESERVED = 2  # codes 0 and 1 (padding, unknown) are never answers


def item_operands(states: Tensor, table: Tensor, temperature: float | None) -> tuple[Tensor, Tensor]:
    """Factors whose product are the item logits.

    Parameters
    ----------
    states : (n, d)
    table : (V, d) item vectors, reserved codes first
    temperature : None for the dot product, else the cosine is divided by it

    Returns
    -------
    (n, d) and (V - 2, d): item code i is column i - 2 of the product.
    """
    items = table[RESERVED:]
    if temperature is None:
        return states, items
    return F.normalize(states.float(), dim=1) / temperature, F.normalize(items.float(), dim=1)


class ClassHead(nn.Module):
    """(n, d) → (n, K - 2) logits of the real codes of one vocabulary."""

    def __init__(self, config: SequenceConfig, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(config.width, max(size - RESERVED, 1))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Tensor) -> Tensor:
        """Logits; column k is the code k + 2."""
        logits: Tensor = self.linear(states)
        return logits


class TimeHead(nn.Module):
    """(n, d) → log-normal mixture of the time to the next event: log-weights, means, deviations of log(1 + gap_s)."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.components = config.time_components
        self.linear = nn.Linear(config.width, 3 * config.time_components)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def start_at(self, means: Tensor, sigma: float) -> None:
        """Start the components at (C,) `means` with one deviation: e.g. quantiles of the training gaps."""
        with torch.no_grad():
            bias = self.linear.bias.view(3, self.components)
            bias[1] = means
            bias[2] = torch.log(torch.tensor(max(sigma, 1e-3)))

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, C) log-weights, means and deviations, in float32; log-deviations are held in [-5, 3]."""
        raw = self.linear(states).float().view(-1, 3, self.components)  # (n, 3, C)
        return F.log_softmax(raw[:, 0], dim=1), raw[:, 1], raw[:, 2].clamp(-5.0, 3.0).exp()

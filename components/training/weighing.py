"""One number from the losses of all heads: by fixed weights, or by weights that are learned with the model.

Learned weights let no head that is hard by nature outshout the others. Never sees a state or a target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

_FARTHEST = 5.0  # of s: weights stay in 0.003 … 74, also where a density makes a loss negative


class LossWeights(nn.Module):
    """Weights of the heads.

    Parameters
    ----------
    heads : head → its fixed weight, where learned weights start
    kind : `fixed` is Σ w L; `learned` is Σ ½ e⁻ˢ L + ½ s n with one s per head, whose best value is the logarithm of
        the head's mean loss. Source: Kendall, Gal, Cipolla, Multi-task learning using uncertainty (CVPR 2018).
    """

    def __init__(self, heads: Mapping[str, float], kind: Literal["fixed", "learned"]) -> None:
        super().__init__()
        start = torch.tensor(list(heads.values()), dtype=torch.float32)
        self.s = nn.Parameter(-(2 * start.clamp_min(1e-3)).log()) if kind == "learned" else None
        self.register_buffer("fixed", start, persistent=False)
        self.fixed: Tensor

    def forward(self, losses: Tensor, count: Tensor) -> Tensor:
        """(heads,) sums of losses over (heads,) numbers of targets → scalar; every target weighs alike."""
        if self.s is None:
            return (losses * self.fixed).sum()
        s = self.s.clamp(-_FARTHEST, _FARTHEST)
        return (0.5 * torch.exp(-s) * losses + 0.5 * s * count).sum()

    def weights(self) -> Tensor:
        """(heads,) present weight of each loss."""
        return self.fixed if self.s is None else 0.5 * torch.exp(-self.s.detach().clamp(-_FARTHEST, _FARTHEST))

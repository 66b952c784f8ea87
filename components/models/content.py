"""What is known of items besides events, in the network's own space: a learned projection of their vectors.

    E(item) = id(item) + P(vectors(item))          an item without an id of its own: P(vectors(item))

In training a share of the items, drawn anew for each step, is shown without its id, wherever it stands: the projection
learns to answer alone, and an item that nobody has touched is ranked by what it is. Source: DropoutNet (Volkovs et al.,
NeurIPS 2017). Never makes a vector: `components.knowledge` does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.errors import IntegrityError
from components.models.config import SequenceConfig

_LONGEST = 1.01  # of a vector: 1, and rounding


class Content(nn.Module):
    """Item codes → (…, d) of their vectors, and the logit that these give an item whoever asks."""

    vectors: Tensor

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.trained, self.drop = config.trained, config.vector_drop
        self.widths = [width for _, width in config.vectors]
        self.register_buffer("vectors", torch.zeros(config.items, sum(self.widths)))
        self.project = nn.Linear(sum(self.widths), config.width, bias=False)
        self.absent = nn.Parameter(torch.zeros(len(self.widths), config.width))  # stands in for what is not known
        self.logit = nn.Linear(sum(self.widths), 1) if config.item_bias else None
        nn.init.normal_(self.project.weight, std=0.02)
        if self.logit is not None:
            nn.init.zeros_(self.logit.weight)
            nn.init.zeros_(self.logit.bias)

    def check(self) -> None:
        """Refuse vectors that cannot have been made here.

        Raises
        ------
        IntegrityError
            One is longer than 1, or not finite.
        """
        for part in torch.split(self.vectors, self.widths, dim=1):
            length = torch.linalg.vector_norm(part, dim=1)
            if not bool((length <= _LONGEST).all()):  # NaN is not
                raise IntegrityError(
                    "vectors of items of length 1 or 0", found="others in the weights", do="Train the model again."
                )

    def draw(self) -> Tensor:
        """(trained, 1) 1 where an item is shown with its id, 0 where not; for one step of training."""
        kept = torch.rand(self.trained, 1, device=self.vectors.device) >= self.drop
        return kept.to(self.project.weight.dtype)

    def forward(self, vectors: Tensor) -> Tensor:
        """(…, m) vectors of all sources side by side → (…, d)."""
        parts = torch.split(vectors, self.widths, dim=-1)
        unknown = torch.stack([(part == 0).all(-1) for part in parts], dim=-1)  # (…, sources)
        projected: Tensor = self.project(vectors) + unknown.to(self.absent.dtype) @ self.absent
        return projected

"""GRU encoder: a recurrent state that a live event moves in one step.

Source: Hidasi et al., GRU4Rec (2016); here trained on every position. Never looks at the time itself: what an
event knows of it is in its embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import positive_integers


class GRUEncoder(nn.Module):
    """Stacked GRU with a residual connection and a final norm. Options: `layers`."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        (layers,) = positive_integers(config, "layers")
        d = config.width
        self.gru = nn.GRU(d, d, layers, batch_first=True, dropout=config.dropout if layers > 1 else 0.0)
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(d)
        for name, weight in self.gru.named_parameters():
            if name.startswith("weight"):
                for gate in weight.chunk(3):  # reset, update, new: (d, d) each
                    nn.init.orthogonal_(gate) if "hh" in name else nn.init.xavier_uniform_(gate)

    def forward(self, events: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        """(B, L, d), (B, L), (B, L) → (B, L, d). Padding is on the right, so it cannot reach a real state."""
        hidden, _ = self.gru(events)  # (B, L, d)
        states: Tensor = self.norm(events + self.dropout(hidden))
        return states

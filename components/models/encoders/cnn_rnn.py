"""Convolutions for local patterns, then a recurrence over them: what was done in a row, then what all of it became.

    x ← x + Drop(A * sigmoid(B)),  A, B = causal convolutions of LN(x)

Sources: the gated causal convolutions of Dauphin et al. (2017) and NextItNet (Yuan et al., 2019); the recurrence of
`recurrent.py` carries what lies further back than the kernels reach. A kernel looks at its own event and those before
it: the sequence is padded on the left alone. Never reads times or places.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import choice, positive_integers
from components.models.encoders.recurrent import CELLS, Recurrence
from components.models.tokens import Tokens


class CausalConvolution(nn.Module):
    """A gated convolution over the event and the `kernel` - 1 before it, on the residual branch."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.reach = kernel - 1
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, 2 * width, kernel)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        before = F.pad(self.norm(x).transpose(1, 2), (self.reach, 0))  # (B, d, kernel - 1 + L)
        local = F.glu(self.convolution(before), dim=1).transpose(1, 2)  # (B, L, d)
        result: Tensor = x + self.dropout(local)
        return result


class CNNRNNEncoder(nn.Module):
    """Options: `kernel` (events under one kernel), `convolutions`, `cell` (rnn, lstm, gru) and its `layers`."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        kernel, convolutions, layers = positive_integers(config, "kernel", "convolutions", "layers", others=("cell",))
        cell = choice(config, "cell", tuple(CELLS))
        d = config.width
        self.local = nn.Sequential(*(CausalConvolution(d, kernel, config.dropout) for _ in range(convolutions)))
        self.recurrence = Recurrence(cell, d, layers, config.dropout)

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        states: Tensor = self.recurrence(self.local(events))
        return states

"""Convolutions for local patterns, then a recurrence over them: what was done in a row, then what all of it became.

    x ← x + Drop(A * sigmoid(B)),  A, B = causal convolutions of LN(x)

Sources: the gated causal convolutions of Dauphin et al. (2017) and NextItNet (Yuan et al., 2019); the recurrence of
`recurrent.py` carries what lies further back than the kernels reach. A kernel looks at its own event and those before
it: the sequence is padded on the left alone. Never reads times or places.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import choice, positive_integers
from components.models.encoders.recurrent import CELLS, Recurrence
from components.models.tokens import Carried, Tokens


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
        return self.carry(x, x.new_zeros(len(x), self.reach, x.shape[2]))[0]

    def carry(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, d) after the normed (B, kernel - 1, d) before it → (B, L, d), and what the next event sees of it."""
        seen = torch.cat([before, self.norm(x)], dim=1)  # (B, kernel - 1 + L, d)
        local = F.glu(self.convolution(seen.transpose(1, 2)), dim=1).transpose(1, 2)  # (B, L, d)
        result: Tensor = x + self.dropout(local)
        return result, seen[:, seen.shape[1] - self.reach :]


class CNNRNNEncoder(nn.Module):
    """Options: `kernel` (events under one kernel), `convolutions`, `cell` (rnn, lstm, gru) and its `layers`."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        kernel, convolutions, layers = positive_integers(config, "kernel", "convolutions", "layers", others=("cell",))
        cell = choice(config, "cell", tuple(CELLS))
        d, self.reach = config.width, kernel - 1
        self.local = nn.Sequential(*(CausalConvolution(d, kernel, config.dropout) for _ in range(convolutions)))
        self.recurrence = Recurrence(cell, d, layers, config.dropout)

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        states: Tensor = self.recurrence(self.local(events))
        return states

    def carry(self, events: Tensor, tokens: Tokens) -> tuple[Tensor, Carried]:
        """States of a history, and what the next event needs of it."""
        empty = events.new_zeros(len(events), self.reach, events.shape[2])
        nothing = {f"seen_{i}": empty for i in range(len(self.local))}
        return self._carry(events, nothing, None)

    def step(self, carried: Carried, event: Tensor, token: Tokens) -> tuple[Tensor, Carried]:
        """(B, 1, d) the state after one more event."""
        return self._carry(event, carried, {name: one for name, one in carried.items() if not name.startswith("seen")})

    def _carry(self, x: Tensor, seen: Carried, before: Carried | None) -> tuple[Tensor, Carried]:
        on: Carried = {}
        for i, one in enumerate(self.local):
            x, on[f"seen_{i}"] = one.carry(x, seen[f"seen_{i}"])  # type: ignore[operator]
        states, rest = self.recurrence.carry(x, before)
        return states, on | rest

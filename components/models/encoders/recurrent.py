"""Recurrent encoders: a state that a live event moves in one step; Elman's network, the LSTM and the GRU.

Sources: Elman (1990); Hochreiter & Schmidhuber, LSTM (1997); Hidasi et al., GRU4Rec (2016), here trained on every
position. Never look at the time itself: what an event knows of it is in its embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import positive_integers
from components.models.tokens import Carried, Tokens

#: Name → module and number of gates (rows of its matrices, in blocks of d).
CELLS: Mapping[str, tuple[Callable[..., nn.RNNBase], int]] = {
    "rnn": (nn.RNN, 1),
    "lstm": (nn.LSTM, 4),
    "gru": (nn.GRU, 3),
}


class Recurrence(nn.Module):
    """Stacked cells over (B, L, d), a residual connection and a norm."""

    def __init__(self, cell: str, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        kind, gates = CELLS[cell]
        self.cells = kind(width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(width)
        for name, weight in self.cells.named_parameters():
            if name.startswith("weight"):
                for gate in weight.chunk(gates):  # (d, d) each
                    nn.init.orthogonal_(gate) if "hh" in name else nn.init.xavier_uniform_(gate)
            elif cell == "lstm" and "ih" in name:
                nn.init.ones_(weight[width : 2 * width])  # the forget gate starts open (Jozefowicz et al., 2015)

    def forward(self, events: Tensor) -> Tensor:
        """(B, L, d) → (B, L, d). Padding is on the right, so it cannot reach a real state."""
        return self.carry(events, None)[0]

    def carry(self, events: Tensor, carried: Carried | None) -> tuple[Tensor, Carried]:
        """(B, L, d) events after what was carried so far → states, and what is carried on, (layers, B, d) each."""
        before = None
        if carried is not None:
            before = (carried["hidden"], carried["cell"]) if "cell" in carried else carried["hidden"]
        hidden, last = self.cells(events, before)  # (B, L, d)
        states: Tensor = self.norm(events + self.dropout(hidden))
        on = {"hidden": last[0], "cell": last[1]} if isinstance(last, tuple) else {"hidden": last}
        return states, on


class _RecurrentEncoder(nn.Module):
    """What the three families share; `cell` is a name of CELLS. Options: `layers`."""

    cell: str

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        (layers,) = positive_integers(config, "layers")
        self.recurrence = Recurrence(self.cell, config.width, layers, config.dropout)

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        states: Tensor = self.recurrence(events)
        return states

    def carry(self, events: Tensor, tokens: Tokens) -> tuple[Tensor, Carried]:
        """States of a history, and what the next event needs of it."""
        return self.recurrence.carry(events, None)

    def step(self, carried: Carried, event: Tensor, token: Tokens) -> tuple[Tensor, Carried]:
        """(B, 1, d) the state after one more event."""
        return self.recurrence.carry(event, carried)


class RNNEncoder(_RecurrentEncoder):
    """Elman's tanh network."""

    cell = "rnn"


class LSTMEncoder(_RecurrentEncoder):
    """Long short-term memory."""

    cell = "lstm"


class GRUEncoder(_RecurrentEncoder):
    """Gated recurrent units."""

    cell = "gru"

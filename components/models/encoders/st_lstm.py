"""An LSTM whose gates see how long, and how far, it is from the event before.

    i, f, g, o = W x_t + U h_(t-1);   T = sigmoid(W_T x_t + sigmoid(V_T Δt)),   D = sigmoid(W_D x_t + sigmoid(V_D Δd))
    c_t = f * c_(t-1) + i * T * D * tanh(g);   h_t = sigmoid(o + V_o [Δt, Δd]) * tanh(c_t)

Sources: Time-LSTM (Zhu et al., 2017), STGN (Zhao et al., 2019); Δt and Δd are logarithms with a bit for "unknown",
and one gate of each stands where those have two. Everything that does not wait for the state before is one product
over all steps. Δ at event t are to event t - 1: never to the answer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import choice, positive_integers
from components.models.sphere import great_circle_km, located
from components.models.tokens import Tokens

GATES = ("time", "space", "both")
_LOG_GAP = 10.0  # log(1 + seconds) is divided by this: six hours become 1
_LOG_KM = 3.0  # log(1 + km): twenty km become 1


class SpatioTemporalCells(nn.Module):
    """One layer: (L, B, d) inputs and (L, B, 2G) gaps → (L, B, d) states."""

    def __init__(self, width: int, gates: int) -> None:
        super().__init__()
        self.width, self.gates = width, gates
        self.inputs = nn.Linear(width, (4 + gates) * width)  # i, f, o, g, then T and D
        self.state = nn.Linear(width, 4 * width, bias=False)
        self.gaps = nn.ModuleList(nn.Linear(2, width) for _ in range(gates))
        self.output = nn.Linear(2 * gates, width, bias=False)
        for block in self.inputs.weight.chunk(4 + gates):
            nn.init.xavier_uniform_(block)
        for block in self.state.weight.chunk(4):
            nn.init.orthogonal_(block)
        nn.init.zeros_(self.inputs.bias)
        nn.init.ones_(self.inputs.bias[width : 2 * width])  # the forget gate starts open
        nn.init.ones_(self.inputs.bias[4 * width :])  # and so do those of time and space

    def forward(self, x: Tensor, gaps: Tensor) -> Tensor:
        """(L, B, d), (L, B, 2G) → (L, B, d)."""
        d = self.width
        ready = self.inputs(x)  # (L, B, (4 + G) d)
        sigmoids, candidate = ready[..., : 3 * d], ready[..., 3 * d : 4 * d]
        output = self.output(gaps)  # (L, B, d)
        fixed = torch.cat([sigmoids[..., : 2 * d], sigmoids[..., 2 * d :] + output, candidate], dim=-1)  # (L, B, 4d)
        passing = torch.ones_like(output)
        for k, gap in enumerate(self.gaps):
            seen = ready[..., (4 + k) * d : (5 + k) * d] + gap(gaps[..., 2 * k : 2 * k + 2]).sigmoid()
            passing = passing * seen.sigmoid()  # (L, B, d)
        weight = self.state.weight.T  # (d, 4d)
        h = c = x.new_zeros(x.shape[1], d)
        states = []
        for now, open_ in zip(fixed.unbind(0), passing.unbind(0), strict=True):
            z = now + h @ weight  # (B, 4d)
            i, f, o = z[:, : 3 * d].sigmoid().chunk(3, dim=1)
            c = torch.addcmul(f * c, i * open_, z[:, 3 * d :].tanh())
            h = o * c.tanh()
            states.append(h)
        return torch.stack(states)


class STLSTMEncoder(nn.Module):
    """Stacked layers, a residual connection and a final norm. Options: `layers`, `gates` (time, space, both)."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        (layers,) = positive_integers(config, "layers", others=("gates",))
        self.gates = choice(config, "gates", GATES)
        count = 2 if self.gates == "both" else 1
        self.layers = nn.ModuleList(SpatioTemporalCells(config.width, count) for _ in range(layers))
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        gaps = gaps_of(tokens, self.gates).to(events.dtype).transpose(0, 1)  # (L, B, 2G)
        x = events.transpose(0, 1)
        for layer in self.layers:
            x = self.dropout(layer(x, gaps))
        states: Tensor = self.norm(events + x.transpose(0, 1))
        return states


def gaps_of(tokens: Tokens, gates: str) -> Tensor:
    """(B, L, 2G) of each token and the one before: scaled log of the gap, and 1 where it is known; time, then space."""
    parts = []
    if gates in ("time", "both"):
        gap_s = tokens.time_s.diff(dim=1, prepend=tokens.time_s[:, :1]).clamp_min(0)  # (B, L)
        at = torch.arange(gap_s.shape[1], device=gap_s.device)
        known = at > tokens.begins[:, None].long()  # what came before a cut is not in sight
        parts += [torch.where(known, gap_s.float().log1p() / _LOG_GAP, 0.0), known.float()]
    if gates in ("space", "both") and tokens.point is not None:
        before = torch.cat([torch.zeros_like(tokens.point[:, :1]), tokens.point[:, :-1]], dim=1)
        known = located(tokens.point) & located(before)  # (B, L)
        km = great_circle_km((tokens.point - before).norm(dim=-1))
        parts += [torch.where(known, km.log1p() / _LOG_KM, 0.0), known.float()]
    return torch.stack(parts, dim=-1)

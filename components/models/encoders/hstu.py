"""HSTU: attention without softmax, by how alike, how far back, how long ago and how far away.

    U, V, Q, K = split(SiLU(LN(x) W))
    A = SiLU(Q Kᵀ + b_position + b_time + b_space) / n
    x ← x + W_o Drop(U * LN(A V)) + b

Source: Zhai et al., Actions speak louder than words (2024). Differences: n is the number of tokens that row i sees,
not the padded length, so that padding changes nothing; a bias of place stands beside that of time; and the time of
row i is always that of event i. (The published code takes the time of event i + 1, which for the last row is that of
the answer: an honest model with `target_time: hidden` must not.) Times and places come from `relative.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import choice, head_width, positive_integers
from components.models.encoders.relative import BIASES, Pairs, RelativeBias, far_first, offsets, pairs_of
from components.models.tokens import Tokens


class HSTUBlock(nn.Module):
    """One block; the biases of position, time and place are its own and shared by its heads."""

    def __init__(self, width: int, heads: int, largest: int, dropout: float, bias: str) -> None:
        super().__init__()
        self.heads = heads
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width, eps=1e-6)
        self.uvqk = nn.Linear(width, 4 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.position = nn.Embedding(largest, 1)  # by i - j
        self.bias = RelativeBias(1, bias)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.uvqk.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, pairs: Pairs, back: Tensor, weight: Tensor) -> Tensor:
        """(B, L, d) → (B, L, d).

        `back` (L, L) is i - j, 0 at least; `weight` (L, L) is 1/n of what row i sees, 0 for what it must not.
        """
        B, L, d = x.shape
        u, v, q, k = F.silu(self.uvqk(self.norm_in(x))).chunk(4, dim=-1)  # (B, L, d) each
        v, q, k = (part.view(B, L, self.heads, -1).transpose(1, 2) for part in (v, q, k))  # (B, heads, L, d/heads)
        logits = q @ k.transpose(-1, -2) + self.position(back)[..., 0]  # (B, heads, L, L)
        bias = self.bias(pairs)
        if bias is not None:
            logits = logits + bias
        mixed = ((F.silu(logits) * weight).to(v.dtype) @ v).transpose(1, 2).reshape(B, L, d)
        result: Tensor = x + self.out(self.dropout(u * self.norm_out(mixed)))
        return result


class HSTUEncoder(nn.Module):
    """Blocks and a final norm. Options: `layers`, `heads`, `bias` (none, time, space, both; position always)."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        layers, heads = positive_integers(config, "layers", "heads", others=("bias",))
        self.bias = choice(config, "bias", BIASES)
        head_width(config, heads)
        self.largest = config.max_history
        self.blocks = nn.ModuleList(
            HSTUBlock(config.width, heads, self.largest, config.dropout, self.bias) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        x, pairs, L = events, pairs_of(tokens, self.bias), events.shape[1]
        back = offsets(L, self.largest - 1, x.device).clamp_min(0)
        seen = torch.arange(1, L + 1, device=x.device, dtype=torch.float32)[:, None]  # tokens that row i sees
        weight = (~far_first(L, x.device)).float() / seen  # (L, L)
        for block in self.blocks:
            x = block(x, pairs, back, weight)
        states: Tensor = self.norm(x)
        return states

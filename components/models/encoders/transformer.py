"""Causal Transformer: pre-norm blocks with LiGR gates and SwiGLU.

    x ← x + sigmoid(W1 x + b1) · Drop(MHA(LN(x)))
    x ← x + sigmoid(W2 x + b2) · Drop(SwiGLU(LN(x)))

Source: eSASRec (RecSys 2025) and LiGR; SASRec (2018). With a `bias`, each block adds a scalar for how long ago and how
far away (`relative.py`) to its logits; without, attention takes its fused kernel, which dropout of the attention
weights would keep it off: dropout is on the residual branches alone. Never reads the mask: padding is on the right,
where a causal state cannot see it.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import choice, head_width, positive_integers
from components.models.encoders.relative import BIASES, RelativeBias, far_first, pairs_of
from components.models.tokens import Tokens


class Block(nn.Module):
    """One block: gated attention, then a gated SwiGLU of `hidden` units."""

    def __init__(self, d: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_feedforward = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.up = nn.Linear(d, 2 * hidden, bias=False)  # SiLU half and linear half in one product
        self.down = nn.Linear(hidden, d, bias=False)
        self.gate_attention, self.gate_feedforward = nn.Linear(d, d), nn.Linear(d, d)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """(B, L, d) → (B, L, d).

        `added` (B, heads, L, L) is added to the logits, -inf where a row must not look; None is the causal mask alone,
        and the fused kernel.
        """
        B, L, d = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(B, L, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, L, d/heads) each
        mask = None if added is None else added.to(q.dtype)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        mixed = self.out(mixed.transpose(1, 2).reshape(B, L, d))
        x = x + self.gate_attention(x).sigmoid() * self.dropout(mixed)
        active, linear = self.up(self.norm_feedforward(x)).chunk(2, dim=-1)  # (B, L, hidden) each
        grown = self.down(self.dropout(F.silu(active) * linear))
        result: Tensor = x + self.gate_feedforward(x).sigmoid() * self.dropout(grown)
        return result


def start_linears(module: nn.Module) -> None:
    """Xavier-normal matrices and biases of zero, everywhere in a module."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class TransformerEncoder(nn.Module):
    """Blocks and a final norm. Options: `layers`, `heads`, `feedforward` (hidden units as a multiple of d), `bias`."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        layers, heads, multiple = positive_integers(config, "layers", "heads", "feedforward", others=("bias",))
        self.bias = choice(config, "bias", BIASES)
        head_width(config, heads)
        d = config.width
        self.blocks = nn.ModuleList(Block(d, heads, multiple * d, config.dropout) for _ in range(layers))
        self.biases = nn.ModuleList(RelativeBias(heads, self.bias) for _ in range(layers))
        self.norm = nn.LayerNorm(d)
        start_linears(self)

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        x, pairs = events, pairs_of(tokens, self.bias)
        later = far_first(x.shape[1], x.device)
        for block, relative in zip(self.blocks, self.biases, strict=True):
            bias = relative(pairs)
            x = block(x, None if bias is None else bias.masked_fill(later, -math.inf))
        states: Tensor = self.norm(x)
        return states

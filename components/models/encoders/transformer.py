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

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import choice, head_width, positive_integers
from components.models.encoders.relative import BIASES, RelativeBias, far_first, moments, pairs_between, pairs_of
from components.models.tokens import Carried, Tokens


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
        return self.attended(x, *self.parts(x), added)

    def attended(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None) -> Tensor:
        """The same, where the `parts` of x are at hand."""
        mask = None if added is None else added.to(q.dtype)
        return self._grown(x, F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L, d) → queries, keys and values (B, heads, L, d/heads)."""
        B, L, d = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(B, L, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def step(self, x: Tensor, keys: Tensor, values: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """One more place (B, 1, d) after t that are known by (B, heads, t, d/heads) → its result, keys and values.

        `added` (B, heads, 1, t + 1) is added to the logits.
        """
        q, k, v = self.parts(x)
        keys, values = torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2)
        return self._grown(x, F.scaled_dot_product_attention(q, keys, values, attn_mask=added)), keys, values

    def _grown(self, x: Tensor, mixed: Tensor) -> Tensor:
        """What the attention brought, then the feed-forward layer, each behind its gate."""
        mixed = self.out(mixed.transpose(1, 2).reshape(x.shape))
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

    def carry(self, events: Tensor, tokens: Tokens) -> tuple[Tensor, Carried]:
        """States of a history, and what the next event needs of it: keys and values of each block, times and places."""
        x, pairs, on = events, pairs_of(tokens, self.bias), moments(tokens)
        later = far_first(x.shape[1], x.device)
        for i, (block, relative) in enumerate(zip(self.blocks, self.biases, strict=True)):
            q, k, v = block.parts(x)  # type: ignore[operator]
            on[f"keys_{i}"], on[f"values_{i}"] = k, v
            x = block.attended(x, q, k, v, relative.causal(pairs, later))  # type: ignore[operator]
        return self.norm(x), on

    def step(self, carried: Carried, event: Tensor, token: Tokens) -> tuple[Tensor, Carried]:
        """(B, 1, d) the state after one more event."""
        on, x = moments(token, carried), event
        pairs = pairs_between(token.time_s, token.point, on["time_s"], on.get("point"), self.bias)
        for i, (block, relative) in enumerate(zip(self.blocks, self.biases, strict=True)):
            keys, values = carried[f"keys_{i}"], carried[f"values_{i}"]
            x, on[f"keys_{i}"], on[f"values_{i}"] = block.step(x, keys, values, relative(pairs))  # type: ignore[operator]
        return self.norm(x), on

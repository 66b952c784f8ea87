"""Encoder–decoder: a history is read once, and what comes next is written one item after another.

The encoder is the causal Transformer; the decoder attends to what it has written and to the encoder's states up to the
place where it began. Its first step reads nothing but the history, so the first state answers "what next?" as every
other encoder's does; the later ones are trained by `components.models.horizon` and asked by
`components.training.forecast`. Source: Vaswani et al. (2017). Never reads times or places.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.dropout import Dropout
from components.models.encoders.options import head_width, positive_integers
from components.models.encoders.relative import far_first
from components.models.encoders.transformer import Block, start_linears
from components.models.tokens import Tokens


class DecoderBlock(nn.Module):
    """Attention within each of W written lists, attention to the history, a SwiGLU of `hidden` units."""

    def __init__(self, d: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_list, self.norm_history, self.norm_feedforward = (nn.LayerNorm(d) for _ in range(3))
        self.qkv, self.out_list = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.query, self.keys_values, self.out_history = nn.Linear(d, d), nn.Linear(d, 2 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 2 * hidden, bias=False), nn.Linear(hidden, d, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, history: Tensor, seen: Tensor) -> Tensor:
        """(B, W, n, d) lists, (B, L, d) history, (B or 1, W, L) bool what each list may see → (B, W, n, d)."""
        B, W, n, d = x.shape
        L, width = history.shape[1], d // self.heads
        qkv = self.qkv(self.norm_list(x)).view(B * W, n, 3, self.heads, width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B·W, heads, n, d/heads) each
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.out_list(mixed.transpose(1, 2).reshape(B, W, n, d)))
        q = self.query(self.norm_history(x)).view(B, W * n, self.heads, width).transpose(1, 2)
        k, v = self.keys_values(history).view(B, L, 2, self.heads, width).permute(2, 0, 3, 1, 4).unbind(0)
        mask = seen.repeat_interleave(n, dim=1)[:, None]  # (B or 1, 1, W·n, L)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.dropout(self.out_history(mixed.transpose(1, 2).reshape(B, W, n, d)))
        active, linear = self.up(self.norm_feedforward(x)).chunk(2, dim=-1)
        result: Tensor = x + self.dropout(self.down(F.silu(active) * linear))
        return result


class Seq2SeqEncoder(nn.Module):
    """Options: `layers` (of the encoder), `decoder_layers`, `heads`, `feedforward`, `horizon` (items it writes)."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        names = ("layers", "decoder_layers", "heads", "feedforward", "horizon")
        layers, decoder_layers, heads, multiple, self.horizon = positive_integers(config, *names)
        head_width(config, heads)
        d, dropout = config.width, config.dropout
        self.blocks = nn.ModuleList(Block(d, heads, multiple * d, dropout) for _ in range(layers))
        self.norm_history, self.norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.decoder = nn.ModuleList(DecoderBlock(d, heads, multiple * d, dropout) for _ in range(decoder_layers))
        self.steps = nn.Embedding(self.horizon, d)
        start_linears(self)
        nn.init.normal_(self.steps.weight, std=1.0 / math.sqrt(d))

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d): the first step of a list begun at each token."""
        return self.first(self.history(events))

    def history(self, events: Tensor) -> Tensor:
        """(B, L, d) → (B, L, d) states of the encoder, causal."""
        x = events
        for block in self.blocks:
            x = block(x)
        states: Tensor = self.norm_history(x)
        return states

    def first(self, history: Tensor) -> Tensor:
        """(B, L, d) history → (B, L, d): the state before anything is written, begun at each token."""
        seen = ~far_first(history.shape[1], history.device)[None]  # (1, L, L)
        return self.decode(history[:, :, None], history, seen)[:, :, 0]

    def decode(self, x: Tensor, history: Tensor, seen: Tensor) -> Tensor:
        """States after each of n steps of W lists.

        Parameters
        ----------
        x : (B, W, n, d) the history's state where the list begins, then the items written so far, n ≤ horizon
        history : (B, L, d)
        seen : (B or 1, W, L) bool, the tokens that each list may see

        Returns
        -------
        (B, W, n, d); the state at step k tells the item of step k.
        """
        x = x + self.steps.weight[: x.shape[2]].to(x.dtype)
        for block in self.decoder:
            x = block(x, history, seen)
        states: Tensor = self.norm(x)
        return states

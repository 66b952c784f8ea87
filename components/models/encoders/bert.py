"""BERT: an event is told from both sides of it, and the next one from a mask behind the last.

Source: Sun et al., BERT4Rec (2019); blocks of `transformer.py`, positions as learned scalars by offset (T5, 2020).
Training hides a share of the events (`components.training.masking`) and asks for them; the place behind the last token
always asks. State t is the one at place t + 1 of the masked sequence, so that token t answers event t as it does for a
causal encoder; but it answers only where event t is hidden or not there yet: elsewhere the state has seen it.
What a hidden token embeds is thrown away here, whatever it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from components.models.config import SequenceConfig
from components.models.encoders.options import head_width, positive_integers, share
from components.models.encoders.relative import offsets
from components.models.encoders.transformer import Block, start_linears
from components.models.tokens import Tokens


class BERTEncoder(nn.Module):
    """Options: `layers`, `heads`, `feedforward` and `mask_share`, the share of the events that training hides."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        layers, heads, multiple = positive_integers(config, "layers", "heads", "feedforward", others=("mask_share",))
        share(config, "mask_share")
        head_width(config, heads)
        d, self.largest = config.width, config.max_history
        self.blocks = nn.ModuleList(Block(d, heads, multiple * d, config.dropout) for _ in range(layers))
        self.positions = nn.ModuleList(nn.Embedding(2 * self.largest + 1, heads) for _ in range(layers))  # by i - j
        self.asked = nn.Parameter(torch.empty(d))  # stands for what is to be told
        self.norm = nn.LayerNorm(d)
        start_linears(self)
        nn.init.normal_(self.asked, std=1.0 / math.sqrt(d))
        for table in self.positions:
            nn.init.normal_(table.weight, std=0.02)  # type: ignore[arg-type]

    def forward(self, events: Tensor, tokens: Tokens) -> Tensor:
        """(B, L, d) → (B, L, d)."""
        B, L, d = events.shape
        place = torch.arange(L + 1, device=events.device)
        length = tokens.mask.sum(1)[:, None]  # (B, 1)
        asked = place == length  # (B, L + 1)
        if tokens.hidden is not None:
            asked = asked | torch.cat([tokens.hidden, tokens.hidden.new_zeros(B, 1)], dim=1)
        x = torch.cat([events, events.new_zeros(B, 1, d)], dim=1)
        x = torch.where(asked[..., None], self.asked.to(x.dtype), x)
        offset = offsets(L + 1, self.largest, x.device) + self.largest
        padding = (place > length)[:, None, None, :]  # (B, 1, 1, L + 1)
        for block, table in zip(self.blocks, self.positions, strict=True):
            x = block(x, table(offset).permute(2, 0, 1).expand(B, -1, -1, -1).masked_fill(padding, -math.inf))
        states: Tensor = self.norm(x[:, 1:])
        return states

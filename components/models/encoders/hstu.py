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
from components.models.encoders.relative import BIASES, Pairs, RelativeBias, moments, pairs_between, pairs_of
from components.models.tokens import Carried, Tokens


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
        u, v, q, k = self.parts(x)
        return self._mixed(x, u, v, q, k, pairs, back, weight)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, L, d) → u (B, L, d), and v, q, k (B, heads, L, d/heads)."""
        B, L, _ = x.shape
        u, v, q, k = F.silu(self.uvqk(self.norm_in(x))).chunk(4, dim=-1)  # (B, L, d) each
        v, q, k = (part.view(B, L, self.heads, -1).transpose(1, 2) for part in (v, q, k))
        return u, v, q, k

    def step(
        self, x: Tensor, keys: Tensor, values: Tensor, pairs: Pairs, back: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One more place (B, 1, d) after t that are known by (B, heads, t, d/heads); `back` and `weight` (1, t + 1)."""
        u, v, q, k = self.parts(x)
        keys, values = torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2)
        return self._mixed(x, u, values, q, keys, pairs, back, weight), keys, values

    def _mixed(
        self, x: Tensor, u: Tensor, v: Tensor, q: Tensor, k: Tensor, pairs: Pairs, back: Tensor, weight: Tensor
    ) -> Tensor:
        logits = q @ k.transpose(-1, -2) + self.position(back)[..., 0]  # (B, heads, L, L)
        bias = self.bias(pairs)
        if bias is not None:
            logits = logits + bias
        mixed = ((F.silu(logits) * weight).to(v.dtype) @ v).transpose(1, 2).reshape(x.shape)
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
        back, weight = self._rows(torch.arange(L, device=x.device), L)
        for block in self.blocks:
            x = block(x, pairs, back, weight)
        states: Tensor = self.norm(x)
        return states

    def carry(self, events: Tensor, tokens: Tokens) -> tuple[Tensor, Carried]:
        """States of a history, and what the next event needs of it: keys and values of each block, times and places."""
        x, pairs, on, L = events, pairs_of(tokens, self.bias), moments(tokens), events.shape[1]
        back, weight = self._rows(torch.arange(L, device=x.device), L)
        for i, block in enumerate(self.blocks):
            _, on[f"values_{i}"], _, on[f"keys_{i}"] = block.parts(x)  # type: ignore[operator]
            x = block(x, pairs, back, weight)
        return self.norm(x), on

    def step(self, carried: Carried, event: Tensor, token: Tokens) -> tuple[Tensor, Carried]:
        """(B, 1, d) the state after one more event."""
        on, x = moments(token, carried), event
        L = on["time_s"].shape[1]
        back, weight = self._rows(torch.tensor([L - 1], device=x.device), L)
        pairs = pairs_between(token.time_s, token.point, on["time_s"], on.get("point"), self.bias)
        for i, block in enumerate(self.blocks):
            keys, values = carried[f"keys_{i}"], carried[f"values_{i}"]
            x, on[f"keys_{i}"], on[f"values_{i}"] = block.step(x, keys, values, pairs, back, weight)  # type: ignore[operator]
        return self.norm(x), on

    def _rows(self, at: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Of the rows at places (m,) among `length` columns: (m, length) i - j, 0 at least, and the weight 1/n."""
        j = torch.arange(length, device=at.device)
        back = at[:, None] - j
        weight = (back >= 0).float() / (at[:, None] + 1).float()
        return back.clamp(0, self.largest - 1), weight

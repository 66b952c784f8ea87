"""The item head: a softmax over the catalogue, and with a copy head a mixture of it and of the user's own history.

    p(v) = g_0 · softmax(state · E^T + bias + distance)(v) + Σ_h g_h · copy_h(v),   g = softmax of the state and of what
                                                                             there is to copy

The softmax multiplies by the item table of the embedding (tied weights). The gate closes a copy head that has
nothing to copy. Ideas: mixture of softmaxes; CopyNet's gate. Never sees an answer while it answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.copy import Asked, CopyHead, matched
from components.models.distance import DistanceBias
from components.models.heads import RESERVED, item_operands
from components.models.losses import target_log_probability
from components.models.tokens import Tokens


@dataclass(frozen=True)
class Read:
    """B histories as the encoder left them: tokens, their vectors (B, L, d) and the states (B, L, d)."""

    tokens: Tokens
    events: Tensor
    states: Tensor


@dataclass(frozen=True)
class _Logits:
    """Logits of a softmax, made for the rows that are asked: called with a slice it gives (m, V - 2)."""

    states: Tensor
    left: Tensor
    right: Tensor
    bias: Tensor | None
    here: Tensor
    distance: DistanceBias | None

    def __call__(self, part: slice) -> Tensor:
        logits = self.left[part] @ self.right.T
        if self.bias is not None:
            logits = logits + self.bias
        return logits if self.distance is None else logits + self.distance(self.states[part], self.here[part])


class ItemHead(nn.Module):
    """Questions to histories → log-probabilities over the catalogue."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.temperature, self.columns = config.temperature, config.items - RESERVED
        self.bias = nn.Parameter(torch.zeros(self.columns)) if config.item_bias else None
        self.distance = DistanceBias(config) if config.distance else None
        self.copy = CopyHead(config) if config.copy_heads else None
        self.gate: nn.Module | None = None
        if self.copy is not None:
            d, heads = config.width, config.copy_heads
            self.gate = nn.Sequential(nn.Linear(d + heads + 1, d), nn.SiLU(), nn.Linear(d, 1 + heads))

    @property
    def plain(self) -> bool:
        """Whether it is the softmax of a product and nothing else: `linear_cross_entropy` is its loss."""
        return self.copy is None and self.distance is None and self.bias is None

    def loss(self, asked: Asked, read: Read, table: Tensor, target: Tensor) -> Tensor:
        """Sum of -log p of the targets (B, T), nats; codes 0 and 1 are skipped."""
        flat = target.flatten()
        keep = torch.nonzero(flat > 1)[:, 0]
        states = asked.states.flatten(0, 1)[keep]
        base = self._base(states, self._here(asked, read)[keep], table)
        own = target_log_probability(base, flat[keep] - RESERVED, self.columns, torch.is_grad_enabled())
        if self.copy is None:
            return -own.sum()
        share = self.copy(asked, read.states, read.events, read.tokens)  # (B, H, T, L)
        gate = self._gate(asked, share).flatten(0, 1)[keep]  # (n, 1 + H)
        copied = matched(share, read.tokens.codes["item"], target).permute(0, 2, 1).flatten(0, 1)[keep]  # (n, H)
        return -torch.logsumexp(gate + torch.cat([own[:, None], copied], dim=1), 1).sum()

    def softmax(self, states: Tensor, table: Tensor) -> Tensor:
        """(n, d) states without a history → (n, V - 2) log-probabilities of the softmax; nothing is copied or near."""
        nowhere = states.new_zeros(len(states), 3)
        return torch.log_softmax(self._base(states, nowhere, table)(slice(None)).float(), 1)

    def log_probabilities(self, asked: Asked, read: Read, table: Tensor) -> Tensor:
        """(B·T, V - 2) log-probabilities; code k + 2 is column k."""
        states = asked.states.flatten(0, 1)
        base = torch.log_softmax(self._base(states, self._here(asked, read), table)(slice(None)).float(), 1)
        if self.copy is None:
            return base
        share = self.copy(asked, read.states, read.events, read.tokens)
        gate = self._gate(asked, share)  # (B, T, 1 + H)
        mixed = torch.logsumexp(gate[:, :, 1:].transpose(1, 2)[..., None] + share, 1).exp()  # (B, T, L)
        B, T, L = mixed.shape
        code = read.tokens.codes["item"][:, None].expand(B, T, L).reshape(B * T, L)
        copied = torch.zeros(B * T, self.columns + RESERVED, device=mixed.device)
        copied.scatter_add_(1, code, mixed.view(B * T, L))
        return torch.logaddexp(base + gate[:, :, 0].reshape(-1, 1), copied[:, RESERVED:].log())

    def _base(self, states: Tensor, here: Tensor, table: Tensor) -> _Logits:
        left, right = item_operands(states, table, self.temperature)
        return _Logits(states, left, right, self.bias, here, self.distance)

    def _here(self, asked: Asked, read: Read) -> Tensor:
        """(B·T, 3) place of the last visible event of each question; empty where nothing asks for it."""
        if self.distance is None or read.tokens.point is None:
            return asked.states.new_zeros(asked.at.numel(), 3)
        return read.tokens.point.gather(1, asked.at[:, :, None].expand(-1, -1, 3)).flatten(0, 1)

    def _gate(self, asked: Asked, share: Tensor) -> Tensor:
        """(B, T, 1 + H) log-weights of the softmax and of the copy heads."""
        assert self.gate is not None
        there = torch.isfinite(share).any(3).permute(0, 2, 1)  # (B, T, H)
        sure = share.detach().amax(3).permute(0, 2, 1).exp()  # (B, T, H) share of each head's first event
        count = torch.isfinite(share[:, :1]).sum(3).permute(0, 2, 1)  # (B, T, 1)
        hints = torch.cat([sure, torch.log1p(count.float())], dim=2).to(asked.states.dtype)
        logits = self.gate(torch.cat([asked.states, hints], dim=2)).float()
        open_ = F.pad(there, (1, 0), value=True)
        return torch.log_softmax(logits.masked_fill(~open_, -torch.inf), 2)

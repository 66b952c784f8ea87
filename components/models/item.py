"""The item head: a softmax over the catalogue, and with pointers a mixture of it and of them.

    p(v) = g_0 · softmax(state · E^T + bias + distance)(v) + Σ_h g_h · pointer_h(v),   g = softmax of the state and of
                                                                             what there is to point at

Pointers are copy heads (the user's own history) and transition heads (what followed the last items in all histories).
The softmax multiplies by the item table of the embedding (tied weights). The gate closes a pointer that has nothing
to point at. Ideas: mixture of softmaxes; CopyNet's gate. Never sees an answer while it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.models.config import SequenceConfig
from components.models.copy import CopyHead
from components.models.distance import DistanceBias
from components.models.embedding import ItemTable
from components.models.heads import RESERVED, item_operands
from components.models.losses import Mixed, linear_cross_entropy, target_log_probability
from components.models.pointers import Asked, Pointers
from components.models.sampled import ItemSampler, sampled_item_loss
from components.models.tokens import Tokens
from components.models.transitions import TransitionHead

_LEAST = 1e-12  # a chance whose logarithm is finite
_NEVER = -1e4  # log of no probability, finite so that its gradient is 0 and not NaN


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
    product: Callable[[slice], Tensor]
    bias: Tensor | None
    here: Tensor
    distance: DistanceBias | None
    columns: int

    def __call__(self, part: slice) -> Tensor:
        logits = self.product(part)
        if self.bias is not None:
            logits = logits + self.bias
        if self.distance is None:
            return logits
        return logits + self.distance(self.states[part], self.here[part], self.columns)


class ItemHead(nn.Module):
    """Questions to histories → log-probabilities over the catalogue."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.temperature, self.items = config.temperature, config.items
        self.bias = nn.Parameter(torch.zeros(config.trained - RESERVED)) if config.item_bias else None
        self.distance = DistanceBias(config) if config.distance else None
        self.copy = CopyHead(config) if config.copy_heads else None
        self.gate: nn.Module | None = None
        pointers = config.copy_heads + config.transition_lags
        if pointers:
            d, hints = config.width, pointers + bool(config.copy_heads) + config.transition_lags
            self.gate = nn.Sequential(nn.Linear(d + hints, d), nn.SiLU(), nn.Linear(d, 1 + pointers))
        self.transitions = TransitionHead(config) if config.transition_lags else None

    @property
    def plain(self) -> bool:
        """Whether it is the softmax of a product and nothing else: `linear_cross_entropy` is its loss."""
        return self.gate is None and self.distance is None and self.bias is None

    def loss(
        self,
        asked: Asked,
        read: Read,
        table: ItemTable,
        target: Tensor,
        sampler: ItemSampler | None = None,
        dtype: torch.dtype = torch.float32,
        softmax_weight: float = 0.0,
    ) -> Tensor:
        """Sum of -log p of the targets, nats.

        Parameters
        ----------
        asked, read : T questions of each of B histories
        table : vectors of the catalogue
        target : (B, T) codes; 0 and 1 are skipped, and what has no vector
        sampler : the softmax is estimated from drawn items, for a head without bias and distance; None: it is whole
        dtype : of the products with the catalogue, for a head without distance
        softmax_weight : of the softmax's own loss, added to that of a mixture
        """
        flat = target.flatten()
        vectors = table.learned() if self.training else table.all()
        keep = torch.nonzero((flat > 1) & (flat < len(vectors)))[:, 0]
        states, wanted = asked.states.flatten(0, 1)[keep], flat[keep]
        mixed = None if self.gate is None else self._mixed(asked, read, table, target, keep, softmax_weight)
        if sampler is not None:
            return sampled_item_loss(states, table, wanted, sampler, self.temperature, mixed)
        if not len(keep):
            return (asked.states.sum() + vectors.sum()) * 0.0
        if self.distance is None:
            left, right = self._operands(states, table, vectors)
            return linear_cross_entropy(left, right, wanted - RESERVED, 0.0, dtype, mixed)
        base = self._base(states, self._here(asked, read)[keep], table, vectors)
        own = target_log_probability(base, wanted - RESERVED, len(vectors) - RESERVED, torch.is_grad_enabled())
        if mixed is None:
            return -own.sum()
        return -torch.logaddexp(mixed.gate + own, mixed.rest).sum() - softmax_weight * own.sum()

    def _mixed(
        self, asked: Asked, read: Read, table: ItemTable, target: Tensor, keep: Tensor, softmax_weight: float
    ) -> Mixed:
        """What the pointers say of the targets (B, T) at the flat places `keep` (n,)."""
        pointers = self._pointers(asked, read, table, target if self.training else None)
        gate = self._gate(asked, pointers).flatten(0, 1)[keep]  # (n, 1 + P)
        pointed = torch.cat([one.matched(target) for one in pointers], dim=1)  # (B, P, T)
        pointed = pointed.permute(0, 2, 1).flatten(0, 1)[keep]  # (n, P)
        return Mixed(gate[:, 0], torch.logsumexp((gate[:, 1:] + pointed).clamp_min(_NEVER), 1), softmax_weight)

    def softmax(self, states: Tensor, table: ItemTable, here: Tensor | None = None) -> Tensor:
        """(n, d) states → (n, V - 2) log-probabilities of the softmax: nothing is pointed at.

        `here` (n, 3) are places of the last events, where there is a history. What has no vector has no probability.
        """
        nowhere = states.new_zeros(len(states), 3) if here is None else here
        vectors = table.all()
        found = torch.log_softmax(self._base(states, nowhere, table, vectors)(slice(None)).float(), 1)
        lacking = self.items - len(vectors)
        return F.pad(found, (0, lacking), value=-torch.inf) if lacking else found

    def log_probabilities(self, asked: Asked, read: Read, table: ItemTable) -> Tensor:
        """(B·T, V - 2) log-probabilities; code k + 2 is column k."""
        states = asked.states.flatten(0, 1)
        base = self.softmax(states, table, self._here(asked, read))
        if self.gate is None:
            return base
        pointers = self._pointers(asked, read, table, None)
        gate = self._gate(asked, pointers)  # (B, T, 1 + P)
        weights = torch.split(gate[:, :, 1:], [one.log_share.shape[1] for one in pointers], dim=2)
        pointed = torch.zeros(len(states), self.items, device=states.device)
        for one, weight in zip(pointers, weights, strict=True):
            one.add_to(pointed, weight)
        return torch.logaddexp(base + gate[:, :, 0].reshape(-1, 1), pointed[:, RESERVED:].log_())

    def rows(
        self, asked: Asked, read: Read, table: ItemTable, target: Tensor, keep: Tensor
    ) -> Callable[[slice], Tensor]:
        """Rows → (m, V - 2) log-probabilities, or logits, of the questions at the flat places `keep` (n,).

        What a model learns whole answers from (`models.taught`). `target` (B, T) as in `loss`.
        """
        states = asked.states.flatten(0, 1)[keep]
        vectors = table.learned() if self.training else table.all()
        base = self._base(states, self._here(asked, read)[keep], table, vectors)
        if self.gate is None:
            return base
        pointers = self._pointers(asked, read, table, target if self.training else None)
        gate = self._gate(asked, pointers).flatten(0, 1)[keep]  # (n, 1 + P)
        weights = torch.split(gate[:, 1:], [one.log_share.shape[1] for one in pointers], dim=1)
        told = [one.at(keep) for one in pointers]  # (n, P, m) codes and log-shares of each

        def mixed(part: slice) -> Tensor:
            own = torch.log_softmax(base(part).float(), 1) + gate[part, :1]
            pointed = own.new_zeros(len(own), self.items)
            for (code, share), weight in zip(told, weights, strict=True):
                chance = (weight[part, :, None] + share[part]).exp().flatten(1)  # (m, P·m)
                pointed = pointed.scatter_add(1, code[part].flatten(1), chance)
            return (own.exp() + pointed[:, RESERVED : len(vectors)] + _LEAST).log()

        return mixed

    def _operands(self, states: Tensor, table: ItemTable, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Factors of the logits without distances; the bias of each item is one more column."""
        left, right = item_operands(states, vectors, self.temperature)
        if self.bias is None:
            return left, right
        bias = table.logits(self.bias, len(vectors))
        return torch.cat([left, torch.ones_like(left[:, :1])], dim=1), torch.cat([right, bias[:, None]], dim=1)

    def _base(self, states: Tensor, here: Tensor, table: ItemTable, vectors: Tensor) -> _Logits:
        product = table.product(states, self.temperature, vectors)
        bias = None if self.bias is None else table.logits(self.bias, len(vectors))
        return _Logits(states, product, bias, here, self.distance, len(vectors) - RESERVED)

    def _here(self, asked: Asked, read: Read) -> Tensor:
        """(B·T, 3) place of the last visible event of each question; empty where nothing asks for it."""
        if self.distance is None or read.tokens.point is None:
            return asked.states.new_zeros(asked.at.numel(), 3)
        return read.tokens.point.gather(1, asked.at[:, :, None].expand(-1, -1, 3)).flatten(0, 1)

    def _pointers(self, asked: Asked, read: Read, table: ItemTable, target: Tensor | None) -> list[Pointers]:
        """Whatever points; `target` is what training must not learn from itself."""
        found = [] if self.copy is None else [self.copy(asked, read.states, read.events, read.tokens)]
        return found if self.transitions is None else [*found, self.transitions(asked, read.tokens, table, target)]

    def _gate(self, asked: Asked, pointers: list[Pointers]) -> Tensor:
        """(B, T, 1 + P) log-weights of the softmax and of the pointers."""
        assert self.gate is not None
        hints = torch.cat([one.sure() for one in pointers] + [one.support for one in pointers], dim=2)
        logits = self.gate(torch.cat([asked.states, hints.to(asked.states.dtype)], dim=2)).float()
        there = torch.cat([one.there() for one in pointers], dim=2)  # (B, T, P)
        open_ = F.pad(there, (1, 0), value=True)
        return torch.log_softmax(logits.masked_fill(~open_, -torch.inf), 2)

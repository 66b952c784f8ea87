"""The sequence model: event embedding → encoder → heads, one module that answers item, action, time and place.

The time head reads the state before it is conditioned on the request: with the moment of the answer given, the
other heads may use it, the time head must not. Never reads a store and never trains itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from components.models.config import SequenceConfig
from components.models.embedding import EventEmbedding
from components.models.encoders import build_encoder
from components.models.heads import RESERVED, ClassHead, TimeHead, item_operands
from components.models.losses import (
    class_cross_entropy,
    linear_cross_entropy,
    mixture_log_density,
    mixture_log_survival,
)
from components.models.query import RequestConditioning
from components.models.rotation import RotationConditioning
from components.models.sampled import ItemSampler, sampled_item_loss
from components.models.tokens import Request, Tokens


@dataclass(frozen=True)
class Targets:
    """Answers of n tokens, and m intervals that are still open. Codes as in the store; what is unknown is skipped.

    Attributes
    ----------
    at : (n,) int64 places in the flattened (B·L) tokens
    item, action, place, place_coarse : (n,) int64 codes; 0 and 1 are skipped
    log_gap : (n,) float32 log(1 + gap_s); NaN is skipped
    open_at : (m,) int64 places of last known tokens
    open_log_gap : (m,) float32 log(1 + seconds without an event since)
    request : when and where each of the n answers came; None when the model does not ask
    """

    at: Tensor
    item: Tensor
    action: Tensor
    place: Tensor
    place_coarse: Tensor
    log_gap: Tensor
    open_at: Tensor
    open_log_gap: Tensor
    request: Request | None


@dataclass(frozen=True)
class Answers:
    """Log-probabilities over real codes (code k + 2 is column k), float32; None where there is no such head.

    Attributes
    ----------
    item : (n, V-2); action : (n, A-2); place, place_coarse : (n, cells-2); category : (n, K-2)
    time : log-weights, means and deviations (n, C) of log(1 + gap_s)
    """

    item: Tensor
    action: Tensor | None
    time: tuple[Tensor, Tensor, Tensor] | None
    place: Tensor | None
    place_coarse: Tensor | None
    category: Tensor | None


class SequenceModel(nn.Module):
    """All parts, as `config` says."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = EventEmbedding(config)
        self.encoder = build_encoder(config)
        asks = config.request_clock or config.request_place
        kind = RotationConditioning if config.conditioning == "rotation" else RequestConditioning
        self.condition = kind(config) if asks else None
        self.action = ClassHead(config, config.actions) if "action" in config.heads else None
        self.time = TimeHead(config) if "time" in config.heads else None
        self.place = ClassHead(config, config.cells[-1][1]) if "place" in config.heads else None
        self.place_coarse = ClassHead(config, config.cells[0][1]) if "place_coarse" in config.heads else None
        self.category = ClassHead(config, config.categories) if "category" in config.heads else None

    def states(self, tokens: Tokens) -> Tensor:
        """(B, L, d) states; state t has seen tokens 0..t."""
        states: Tensor = self.encoder(self.embedding(tokens), tokens.time_s, tokens.mask)
        return states

    def conditioned(self, states: Tensor, request: Request | None) -> Tensor:
        """(n, d) states that know of the request, for a model that asks for one."""
        if self.condition is None or request is None:
            return states
        result: Tensor = self.condition(states, request)
        return result

    def losses(
        self,
        tokens: Tokens,
        targets: Targets,
        smoothing: float,
        dtype: torch.dtype,
        sampler: ItemSampler | None = None,
    ) -> Mapping[str, Tensor]:
        """Summed loss (nats) of each head over the targets that it knows.

        `dtype` is that of the item logits' products, `smoothing` of the item's labels; with a `sampler` the item's
        loss is against drawn items, without either.
        """
        flat = self.states(tokens).flatten(0, 1)  # (B·L, d)
        states = flat[targets.at]  # (n, d)
        asked = self.conditioned(states, targets.request)
        found = {"item": self._item_loss(asked, targets.item, smoothing, dtype, sampler)}
        classes = (
            ("action", self.action, targets.action),
            ("place", self.place, targets.place),
            ("place_coarse", self.place_coarse, targets.place_coarse),
            ("category", self.category, self.embedding.table.category[targets.item].long()),
        )
        for name, head, code in classes:
            if head is not None:
                found[name] = class_cross_entropy(head(asked), _skipped(code))
        if self.time is not None:
            known = ~torch.isnan(targets.log_gap)
            density = mixture_log_density(torch.nan_to_num(targets.log_gap), *self.time(states))
            survival = mixture_log_survival(targets.open_log_gap, *self.time(flat[targets.open_at]))
            found["time"] = -(density * known).sum() - survival.sum()
        return found

    def _item_loss(
        self, asked: Tensor, item: Tensor, smoothing: float, dtype: torch.dtype, sampler: ItemSampler | None
    ) -> Tensor:
        """Of (n, d) states at (n,) item codes."""
        table, temperature = self.embedding.table, self.config.temperature
        if sampler is not None:
            return sampled_item_loss(asked, table, item, sampler, temperature)
        left, right = item_operands(asked, table.all(), temperature)
        return linear_cross_entropy(left, right, item - RESERVED, smoothing, dtype)

    def answer(self, states: Tensor, request: Request | None) -> Answers:
        """Answers from (n, d) states."""
        asked = self.conditioned(states, request)
        left, right = item_operands(asked, self.embedding.table.all(), self.config.temperature)
        return Answers(
            item=torch.log_softmax((left @ right.T).float(), 1),
            action=_log_chances(self.action, asked),
            time=None if self.time is None else self.time(states),
            place=_log_chances(self.place, asked),
            place_coarse=_log_chances(self.place_coarse, asked),
            category=_log_chances(self.category, asked),
        )


def _log_chances(head: ClassHead | None, asked: Tensor) -> Tensor | None:
    return None if head is None else torch.log_softmax(head(asked).float(), 1)


def _skipped(code: Tensor) -> Tensor:
    """Codes as classes; -1 (skipped) for padding and unknown."""
    return torch.clamp(code - RESERVED, min=-1)

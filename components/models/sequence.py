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
from components.models.encoders.seq2seq import Seq2SeqEncoder
from components.models.heads import RESERVED, ClassHead, TimeHead, item_operands
from components.models.horizon import Later, later_steps
from components.models.item import ItemHead, Read
from components.models.losses import (
    basket_loss,
    class_cross_entropy,
    linear_cross_entropy,
    mixture_log_density,
    mixture_log_survival,
)
from components.models.pointers import Asked
from components.models.query import RequestConditioning
from components.models.rotation import RotationConditioning
from components.models.sampled import ItemSampler, sampled_item_loss
from components.models.taught import Taught, class_loss, item_loss, time_loss
from components.models.tokens import Request, Tokens, spread, spread_request


@dataclass(frozen=True)
class Basket:
    """The items of n baskets, T in all: of each the distinct ones, all as likely as one another to be asked for.

    Attributes
    ----------
    query : (T,) int64 the basket, ascending
    item : (T,) int64 codes ≥ 2
    weight : (T,) float32; those of one basket sum to 1
    """

    query: Tensor
    item: Tensor
    weight: Tensor


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
    basket : what the item head learns instead of `item`, where answers are baskets; None: they are single events
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
    basket: Basket | None = None


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
        self.item = ItemHead(config)
        kind = RotationConditioning if config.conditioning == "rotation" else RequestConditioning
        self.condition = kind(config) if config.request_clock else None
        self.action = ClassHead(config, config.actions) if "action" in config.heads else None
        self.time = TimeHead(config) if "time" in config.heads else None
        self.place = ClassHead(config, config.cells[-1][1]) if "place" in config.heads else None
        self.place_coarse = ClassHead(config, config.cells[0][1]) if "place_coarse" in config.heads else None
        self.category = ClassHead(config, config.categories) if "category" in config.heads else None

    def read(self, tokens: Tokens) -> Read:
        """Histories as vectors and states (B, L, d); state t has seen tokens 0..t."""
        events = self.embedding(tokens)
        return Read(tokens, events, self.encoder(events, tokens))

    def states(self, tokens: Tokens) -> Tensor:
        """(B, L, d) states alone."""
        return self.read(tokens).states

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
        softmax_weight: float = 0.0,
        taught: Taught | None = None,
    ) -> Mapping[str, Tensor]:
        """Summed loss (nats) of each head over the targets that it knows.

        `dtype` is that of the item logits' products, `smoothing` of the item's labels; with a `sampler` the item's
        loss is against drawn items, without either. `softmax_weight`: see `ItemHead.loss`. `taught`: what another
        model answers to the same targets, learned beside them.
        """
        self.embedding.table.draw()
        writer = self.encoder if isinstance(self.encoder, Seq2SeqEncoder) else None
        events = self.embedding(tokens)
        history = None if writer is None else writer.history(events)
        first = self.encoder(events, tokens) if writer is None or history is None else writer.first(history)
        read = Read(tokens, events, first)
        flat = read.states.flatten(0, 1)  # (B·L, d)
        states = flat[targets.at]  # (n, d)
        asked = self.conditioned(states, targets.request)
        found = {"item": self._item_loss(read, asked, targets, smoothing, dtype, sampler, softmax_weight)}
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
            survival = mixture_log_survival(targets.open_log_gap, *self.time(flat[targets.open_at]))
            found["time"] = _gap_loss(self.time, states, targets.log_gap) - survival.sum()
        if writer is not None and history is not None:
            later = later_steps(writer, self.embedding, history, targets.at, targets.item, targets.log_gap)
            found |= self._with_later(found, later, len(targets.at), smoothing, dtype)
        return found if taught is None else found | self._taught(found, read, states, asked, targets, taught)

    def _taught(
        self,
        found: Mapping[str, Tensor],
        read: Read,
        states: Tensor,
        asked: Tensor,
        targets: Targets,
        taught: Taught,
    ) -> dict[str, Tensor]:
        """Losses of the heads that the teacher has too, its answers among them."""
        question, item = self.questions(read, asked, targets)
        rows = self.item.rows(question, read, self.embedding.table, item, targets.at)
        losses = {"item": item_loss(rows, len(targets.at), self.config.items - RESERVED, taught)}
        for name, chances in taught.classes.items():
            if name in found:
                losses[name] = class_loss(getattr(self, name)(asked), chances, taught.temperature)
        joined = {name: taught.joined(found[name], loss) for name, loss in losses.items()}
        if self.time is not None and taught.time is not None:
            loss = time_loss(self.time(states), taught.time) / taught.temperature**2  # it is not softened
            joined["time"] = taught.joined(found["time"], loss)
        return joined

    def _with_later(
        self, found: Mapping[str, Tensor], later: Later, n: int, smoothing: float, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Losses of item and time: means of those of the next event and of the later ones, both scaled to n targets."""
        if not len(later.item):
            return {}
        scale = n / len(later.item)
        item = self._softmax_loss(later.states, later.item, smoothing, dtype)
        mixed = {"item": (found["item"] + scale * item) / 2}
        if self.time is not None:
            mixed["time"] = (found["time"] + scale * _gap_loss(self.time, later.states, later.log_gap)) / 2
        return mixed

    def _softmax_loss(self, states: Tensor, item: Tensor, smoothing: float, dtype: torch.dtype) -> Tensor:
        """Loss of (n, d) states at (n,) item codes where the item head is plain."""
        table = self.embedding.table
        left, right = item_operands(states, table.learned() if self.training else table.all(), self.config.temperature)
        return linear_cross_entropy(left, right, item - RESERVED, smoothing, dtype)

    def _item_loss(
        self,
        read: Read,
        asked: Tensor,
        targets: Targets,
        smoothing: float,
        dtype: torch.dtype,
        sampler: ItemSampler | None,
        softmax_weight: float,
    ) -> Tensor:
        """The item head's loss; only what mixes needs the questions back in their histories."""
        if targets.basket is not None:
            return self._basket_loss(read, asked, targets, targets.basket)
        if sampler is not None and self.item.plain:
            return sampled_item_loss(asked, self.embedding.table, targets.item, sampler, self.config.temperature)
        if self.item.plain:
            return self._softmax_loss(asked, targets.item, smoothing, dtype)
        question, item = self.questions(read, asked, targets)
        return self.item.loss(question, read, self.embedding.table, item, sampler, dtype, softmax_weight)

    def _basket_loss(self, read: Read, asked: Tensor, targets: Targets, basket: Basket) -> Tensor:
        """Sum over the baskets of the mean of -log p of their items; the few places that ask stand side by side."""
        B, L = read.tokens.mask.shape
        history = targets.at // L  # (n,) ascending
        first = torch.searchsorted(history, torch.arange(B, device=history.device))
        slot = torch.arange(len(history), device=history.device) - first[history]
        T = int(slot.max()) + 1 if len(slot) else 1
        place = history * T + slot
        request = None if targets.request is None else spread_request(targets.request, place, B * T)
        at = spread(targets.at % L, place, B * T).view(B, T)
        question = Asked(spread(asked, place, B * T).view(B, T, -1), at, request)
        log_p = self.item.rows(question, read, self.embedding.table, torch.zeros_like(at), place)
        return basket_loss(log_p, len(place), basket.query, basket.item - RESERVED, basket.weight, self.config.items)

    @staticmethod
    def questions(read: Read, asked: Tensor, targets: Targets) -> tuple[Asked, Tensor]:
        """The n questions back in their histories, and the (B, L) codes of their answers."""
        B, L = read.tokens.mask.shape
        states = spread(asked, targets.at, B * L).view(B, L, -1)
        request = None if targets.request is None else spread_request(targets.request, targets.at, B * L)
        at = torch.arange(L, device=states.device).expand(B, L)
        return Asked(states, at, request), spread(targets.item, targets.at, B * L).view(B, L)

    def answer_step(self, states: Tensor, request: Request | None) -> Answers:
        """Answers from (n, d) states alone: steps of a list, behind which no history stands."""
        asked = self.conditioned(states, request)
        return self._answers(states, asked, self.item.softmax(asked, self.embedding.table))

    def answer(self, read: Read, at: Tensor, request: Request | None) -> Answers:
        """Answers of B histories, seen from their tokens `at` (B,)."""
        states = read.states[torch.arange(len(at), device=at.device), at]  # (B, d)
        asked = self.conditioned(states, request)
        question = Asked(asked[:, None], at[:, None], request)
        item = self.item.log_probabilities(question, read, self.embedding.table)
        return self._answers(states, asked, item)

    def _answers(self, states: Tensor, asked: Tensor, item: Tensor) -> Answers:
        return Answers(
            item=item,
            action=_log_chances(self.action, asked),
            time=None if self.time is None else self.time(states),
            place=_log_chances(self.place, asked),
            place_coarse=_log_chances(self.place_coarse, asked),
            category=_log_chances(self.category, asked),
        )


def _gap_loss(head: TimeHead, states: Tensor, log_gap: Tensor) -> Tensor:
    """Summed loss of (n, d) states at (n,) gaps, NaN skipped."""
    density = mixture_log_density(torch.nan_to_num(log_gap), *head(states))
    return -(density * ~torch.isnan(log_gap)).sum()


def _log_chances(head: ClassHead | None, asked: Tensor) -> Tensor | None:
    return None if head is None else torch.log_softmax(head(asked).float(), 1)


def _skipped(code: Tensor) -> Tensor:
    """Codes as classes; -1 (skipped) for padding and unknown."""
    return torch.clamp(code - RESERVED, min=-1)

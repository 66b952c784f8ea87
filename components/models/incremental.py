"""One more event without reading the history again: what is kept of it between two events, and the step.

Rows are B histories of one length. A view holds at most `max_history` tokens; when it is full the oldest `slide` leave
and the rest is read anew (a state that has seen them cannot forget them), so that a state is always that of a full
pass over the tokens in view: with `slide` 1 exactly what the judge sees, at the price of a full pass for each event of
a long history; with more, cheaper, and of a view that is at times up to `slide` - 1 tokens shorter. A model whose
positions count from the end (`position` among its inputs), and an encoder without a step (st_lstm, bert, seq2seq, lm),
read anew for each event. Knows nothing of serving, and never trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor

from components.errors import ConfigError
from components.models.item import Read
from components.models.sequence import SequenceModel
from components.models.tokens import Carried, Tokens, joined, newest


@runtime_checkable
class Steps(Protocol):
    """An encoder that can go on from where it was, in eval mode."""

    def carry(self, events: Tensor, tokens: Tokens) -> tuple[Tensor, Carried]:
        """(B, L, d) states of histories, and what the next event needs of them."""
        ...

    def step(self, carried: Carried, event: Tensor, token: Tokens) -> tuple[Tensor, Carried]:
        """(B, 1, d) states after one more event, (B, 1, d) and its (B, 1) token."""
        ...


@dataclass(frozen=True)
class View:
    """B histories as they were read: tokens, vectors and states, and what the encoder carries; None: nothing."""

    read: Read
    carried: Carried | None

    @property
    def length(self) -> int:
        """Tokens in view."""
        return self.read.tokens.mask.shape[1]


def can_step(model: SequenceModel) -> bool:
    """Whether a new event costs less than a full pass."""
    return _steps(model.encoder) and "position" not in model.config.inputs


def _steps(encoder: object) -> TypeGuard[Steps]:
    """Whether an encoder steps; quicker than Python's own check of protocols."""
    return callable(getattr(encoder, "step", None)) and callable(getattr(encoder, "carry", None))


@torch.no_grad()
def begin(model: SequenceModel, tokens: Tokens) -> View:
    """Read (B, L) tokens, none of them padded, at most `max_history`; the model is in eval mode.

    Raises
    ------
    ConfigError
        There are more.
    """
    if tokens.mask.shape[1] > model.config.max_history:
        raise ConfigError(
            f"at most {model.config.max_history} tokens",
            found=f"{tokens.mask.shape[1]}",
            do="Begin with the newest of them.",
        )
    events = model.embedding(tokens)
    if not can_step(model):
        return View(Read(tokens, events, model.encoder(events, tokens)), None)
    encoder = model.encoder
    assert _steps(encoder)
    states, carried = encoder.carry(events, tokens)
    return View(Read(tokens, events, states), carried)


@torch.no_grad()
def step(model: SequenceModel, view: View, token: Tokens, slide: int) -> View:
    """The view after one more event.

    Parameters
    ----------
    model : in eval mode
    view : of `begin` or of the step before
    token : (B, 1) the new event, which begins no history
    slide : tokens that leave when the view is full, 1..max_history
    """
    tokens = joined(view.read.tokens, token)
    if tokens.mask.shape[1] > model.config.max_history:
        return begin(model, newest(tokens, max(1, min(slide, model.config.max_history))))
    if view.carried is None:
        return begin(model, tokens)
    encoder = model.encoder
    assert _steps(encoder)
    event = model.embedding(token)  # (B, 1, d)
    state, carried = encoder.step(view.carried, event, token)
    events, states = torch.cat([view.read.events, event], dim=1), torch.cat([view.read.states, state], dim=1)
    return View(Read(tokens, events, states), carried)

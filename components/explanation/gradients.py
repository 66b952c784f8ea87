"""Integrated gradients on the events of a network's history, by Captum: what the vectors of the events carry.

The path leads from events of which nothing is known (an unknown item and action, no numbers, nowhere) to those that
happened; the start, times and positions stay. What a copy head copies is an item by its code, which has no gradient:
of such networks the gradients see how events are weighted, and occlusion (`explanation.occlusion`) sees the rest.

Reference: Sundararajan, Taly, Yan (2017), Axiomatic attribution for deep networks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.features.encoding import UNKNOWN
from components.models.item import Read
from components.models.pointers import Asked
from components.models.tokens import Request, Tokens
from components.predictor import Queries
from components.training.gather import event_rows, on_device, query_request, query_slices, tokens_of
from components.training.network import NetworkPredictor

#: Codes that say what an event was; the others say when.
_WHAT = ("item", "action", "device")
_AT_ONCE = 16  # histories that one pass of the network reads
Record = TypeVar("Record", Tokens, Request)


@dataclass(frozen=True)
class Gradients:
    """Attributes
    ----------
    event : (n,) int64 places in the visible history of the events that the network read, oldest first
    effect : (n, M) float64 nats of the items' log-probability that each event's vector carries
    change : (M,) nats between the history of unknown events and the real one: what the effects sum to
    """

    event: NDArray[np.int64]
    effect: NDArray[np.float64]
    change: NDArray[np.float64]


def integrated_gradients(
    network: NetworkPredictor, query: Queries, items: NDArray[np.integer], steps: int
) -> Gradients:
    """Attribute the log-probability of M items, before any temperature, to the events that a network read.

    Parameters
    ----------
    network : fitted
    query : one question (B = 1)
    items : (M,) item codes
    steps : points of the path (Gauss–Legendre); the effects sum to `change` as far as they suffice

    Returns
    -------
    Gradients
    """
    from captum.attr import IntegratedGradients  # takes seconds

    model, device = network.model, network.precision.device
    slices = query_slices(query, model.config.max_history)
    tokens = on_device(tokens_of(query.store, slices, model.config), device)
    request = query_request(query, model.config)
    request = None if request is None else on_device(request, device)
    _, there = event_rows(slices)
    last = int(slices.length[0]) - 1

    def log_p(events: Tensor, item: int) -> Tensor:
        """(1,) sum over B histories, given as vectors (B, L, d); each history's gradient is its own."""
        size = len(events)
        repeated = _repeated(tokens, size)
        read = Read(repeated, events, model.encoder(events, repeated))
        moment = None if request is None else _repeated(request, size)
        states = model.conditioned(read.states[:, last], moment)
        asked = Asked(states[:, None], torch.full((size, 1), last, device=device), moment)
        # As in training: the target alone, since the logarithm of what nobody copies has no gradient.
        target = torch.full((size, 1), item, device=device)
        return -model.item.loss(asked, read, model.embedding.table, target)[None]

    with torch.no_grad():
        real, blank = model.embedding(tokens), model.embedding(_blank(tokens, torch.from_numpy(there).to(device)))
    method = IntegratedGradients(log_p)
    effects, change = [], []
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN's recurrent layers have no gradient outside training
        for item in np.asarray(items).tolist():
            found = method.attribute(
                real, blank, additional_forward_args=item, n_steps=steps, internal_batch_size=_AT_ONCE
            )
            effects.append(found.sum(2)[0].double().cpu().numpy())  # (L,)
            with torch.no_grad():
                change.append(float(log_p(real, item) - log_p(blank, item)))
    token = np.flatnonzero(there[0])
    event = int(slices.first[0]) + token - 1
    return Gradients(event, np.stack(effects, axis=1)[token], np.array(change))


def _blank(tokens: Tokens, there: Tensor) -> Tokens:
    """The same times, and events of which nothing is known where there (1, L) are events."""
    codes = {
        name: torch.where(there, torch.full_like(code, UNKNOWN), code)
        if name in _WHAT or name.startswith("cell_")
        else code
        for name, code in tokens.codes.items()
    }
    numbers = None if tokens.numbers is None else torch.zeros_like(tokens.numbers)
    return replace(tokens, codes=codes, numbers=numbers)


def _repeated(record: Record, size: int) -> Record:
    """One history, or one request, as `size` of them."""

    def many(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.expand(size, *value.shape[1:])
        if isinstance(value, dict):
            return {name: many(one) for name, one in value.items()}
        return value

    return replace(record, **{field.name: many(getattr(record, field.name)) for field in fields(record)})

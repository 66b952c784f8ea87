"""What a user does next, one after another: a decoder asked to write, by beam search.

The first step is the model's answer to the query, as the judge sees it; each later step reads what was written before
it. How soon each item comes is the sum of the time head's medians. Never looks at what happened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.errors import ConfigError
from components.models.encoders.seq2seq import Seq2SeqEncoder
from components.models.heads import RESERVED
from components.models.horizon import list_inputs
from components.models.sequence import SequenceModel
from components.models.tokens import Request
from components.predictor import Queries, TimeDistribution
from components.training.device import Precision
from components.training.gather import on_device, query_request, query_slices, tokens_of
from components.training.tune import blocks


@dataclass(frozen=True)
class Forecast:
    """The next items of Q queries, in order.

    Attributes
    ----------
    items : (Q, n) int64 codes; 0 behind the end of a list
    after_s : (Q, n) float64 median seconds from the last visible event; NaN where there is no item, or no time head
    log_probability : (Q,) float64 of the n items that were written, those beyond a span included
    """

    items: NDArray[np.int64]
    after_s: NDArray[np.float64]
    log_probability: NDArray[np.float64]


@torch.no_grad()
def forecast(
    model: SequenceModel,
    queries: Queries,
    precision: Precision,
    steps: int,
    span_s: float | None,
    beams: int,
    distinct: bool,
) -> Forecast:
    """Up to `steps` next items of each query; call it with the model in eval mode.

    Parameters
    ----------
    steps : n, at most the `horizon` that the encoder was trained for
    span_s : seconds from the last visible event behind which a list ends (3600: the next hour); None: n items
    beams : lists kept at each step; 1 is greedy
    distinct : whether an item is written once at most

    Raises
    ------
    ConfigError
        The model has no decoder, a list is longer than it learned to write or than the catalogue, or a span is asked
        of a model without a time head.
    """
    encoder = _writer(model, steps, span_s)
    if distinct and steps > model.config.items - RESERVED:
        raise ConfigError("no more distinct items than the catalogue has", found=f"{steps} steps", do="Ask for fewer.")
    items = np.zeros((len(queries), steps), np.int64)
    after = np.full((len(queries), steps), np.nan)
    score = np.zeros(len(queries))
    order = np.argsort(queries.stop - queries.start, kind="stable")
    ordered = queries[order]
    for part in blocks(ordered, model):
        asked = ordered[part]
        slices = query_slices(asked, model.config.max_history)
        tokens = on_device(tokens_of(asked.store, slices, model.config), precision.device)
        request = query_request(asked, model.config)
        request = None if request is None else on_device(request, precision.device)
        history = encoder.history(model.embedding(tokens))
        last = (tokens.mask.sum(1) - 1)[:, None]  # (B, 1)
        lists = _Lists(model, encoder, history, last, tokens.mask, request)
        codes, sums = lists.written(steps, beams, distinct)
        at = order[part]
        items[at], score[at] = codes.cpu().numpy(), sums.double().cpu().numpy()
        if model.time is not None:
            after[at] = np.cumsum(lists.gaps_s(codes), axis=1)
    if span_s is not None:
        over = after > span_s
        items[over], after[over] = 0, np.nan
    return Forecast(items, after, score)


def _writer(model: SequenceModel, steps: int, span_s: float | None) -> Seq2SeqEncoder:
    encoder = model.encoder
    if not isinstance(encoder, Seq2SeqEncoder):
        raise ConfigError(
            "a model that writes lists (`encoder.kind: seq2seq`)", found=model.config.encoder, do="Train one."
        )
    if not 1 <= steps <= encoder.horizon:
        raise ConfigError(
            f"1 to {encoder.horizon} steps, the horizon of the model",
            found=str(steps),
            do="Ask for fewer, or train with a longer `encoder.options.horizon`.",
        )
    if span_s is not None and model.time is None:
        raise ConfigError("a model with a time head for a span", found="one without", do="Add `time` to its heads.")
    return encoder


@dataclass(frozen=True)
class _Lists:
    """Writes for one block of B queries. history : (B, L, d); last : (B, 1) where lists begin; seen : (B, L)."""

    model: SequenceModel
    encoder: Seq2SeqEncoder
    history: Tensor
    last: Tensor
    seen: Tensor
    request: Request | None

    def _states(self, codes: Tensor) -> Tensor:
        """(B, W, k) codes written → (B, W, k + 1, d) states of steps 0..k."""
        begin = self.history.gather(1, self.last[..., None].expand(-1, -1, self.history.shape[2]))  # (B, 1, d)
        x = list_inputs(self.model.embedding, begin.expand(-1, codes.shape[1], -1), codes)
        return self.encoder.decode(x, self.history, self.seen[:, None].expand(-1, codes.shape[1], -1))

    def written(self, steps: int, beams: int, distinct: bool) -> tuple[Tensor, Tensor]:
        """(B, steps) codes of the likeliest list that the search found, and (B,) its log-probability."""
        B = len(self.history)
        codes = self.last.new_zeros(B, 1, 0)  # (B, W, k)
        sums = self.history.new_zeros(B, 1, dtype=torch.float32)
        for k in range(steps):
            states = self._states(codes)[:, :, -1]  # (B, W, d)
            found = self.model.answer_step(states.flatten(0, 1), self.request if k == 0 else None).item  # (B·W, V - 2)
            if distinct and k:
                found = found.scatter(1, codes.flatten(0, 1) - RESERVED, -torch.inf)
            V = found.shape[1]
            total = (sums.flatten()[:, None] + found).view(B, -1)  # (B, W·V)
            sums, best = total.topk(min(beams, total.shape[1]), dim=1)  # (B, W')
            old = codes.gather(1, (best // V)[..., None].expand(-1, -1, k))
            codes = torch.cat([old, (best % V + RESERVED)[..., None]], dim=2)
        return codes[:, 0], sums[:, 0]

    def gaps_s(self, codes: Tensor) -> NDArray[np.float64]:
        """(B, n) median seconds between each item of (B, n) lists and the one before."""
        states = self._states(codes[:, None, :-1])[:, 0]  # (B, n, d)
        parts = self.model.answer_step(states.flatten(0, 1), None).time
        assert parts is not None  # the caller has asked for a time head
        weight, mean, sigma = (part.float().cpu().numpy() for part in parts)
        return TimeDistribution(np.exp(weight), mean, sigma).quantile(0.5).reshape(codes.shape)

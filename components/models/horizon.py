"""What comes after the next item: the later steps of a decoder, for training.

A list begins at every n-th token, n the horizon, from an offset drawn anew for each batch; the items up to a step are
given, and the step after them is asked (teacher forcing). Never writes a list: `components.training.forecast` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from components.models.embedding import EventEmbedding
from components.models.encoders.seq2seq import Seq2SeqEncoder


@dataclass(frozen=True)
class Later:
    """Later steps: (m, d) states, (m,) codes ≥ 1 of their items, (m,) log gap since the item before (NaN unknown)."""

    states: Tensor
    item: Tensor
    log_gap: Tensor


def list_inputs(embedding: EventEmbedding, begin: Tensor, items: Tensor) -> Tensor:
    """What the decoder reads: (B, W, d) states where lists begin, (B, W, n) codes written → (B, W, n + 1, d)."""
    written = (embedding.table(items) * embedding.scale).to(begin.dtype)
    return torch.cat([begin[:, :, None], written], dim=2)


def later_steps(
    encoder: Seq2SeqEncoder, embedding: EventEmbedding, history: Tensor, at: Tensor, item: Tensor, log_gap: Tensor
) -> Later:
    """Steps 1.. of lists over a batch; step 0 is the next item, which every encoder answers.

    Parameters
    ----------
    history : (B, L, d) states of the encoder
    at : (n,) int64 flat places of the answers; item : (n,) their codes; log_gap : (n,)
    """
    B, L, _ = history.shape
    codes = at.new_zeros(B * L).index_copy(0, at, item).view(B, L)
    gaps = torch.full((B * L,), torch.nan, device=at.device).index_copy(0, at, log_gap).view(B, L)
    n = encoder.horizon
    offset = int(torch.randint(min(n, L), ())) if encoder.training else 0
    begin = torch.arange(offset, L, n, device=at.device)  # (W,)
    place = begin[:, None] + torch.arange(n, device=at.device)  # (W, n)
    inside = place < L
    place = place.clamp_max(L - 1)
    written = codes[:, place] * inside  # (B, W, n)
    seen = torch.arange(L, device=at.device) <= begin[:, None]  # (W, L)
    states = encoder.decode(list_inputs(embedding, history[:, begin], written[..., :-1]), history, seen[None])
    unbroken = (written > 0).long().cumprod(dim=2).bool()
    unbroken[..., 0] = False
    return Later(states[unbroken], written[unbroken], gaps[:, place][unbroken])

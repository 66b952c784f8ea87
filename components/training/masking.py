"""Events that training hides and asks for, for an encoder that sees both sides of an event.

Nothing of a hidden event is left in the tokens: not its codes, numbers, clock, time or place, nor the numbers of the
event behind it, which tell the gap and the distance to it. The end of a stretch is always asked. Source: BERT4Rec
(2019). Never touches what a model is asked to answer.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from components.models.tokens import Tokens
from components.training.gather import Slices


def draw(slices: Slices, share: float, seed: int) -> tuple[Slices, NDArray[np.bool_]]:
    """Which events of a batch are hidden; the same for the same slices and seed.

    A stretch that ends with an open interval keeps it with probability `share`, else it ends with its last answer:
    an open interval is asked as often as an event.

    Returns
    -------
    The slices, and (B, L) bool: never the first token, for which no token before it can answer.
    """
    rng = np.random.default_rng([seed, zlib.crc32(slices.begin.tobytes()), zlib.crc32(slices.first.tobytes())])
    open_kept = rng.random(len(slices)) < share
    cut = replace(slices, length=np.where(open_kept, slices.length, slices.answers))
    j = np.arange(int(cut.length.max()))
    inside = (j > 0) & (j < cut.length[:, None])
    return cut, inside & (rng.random(inside.shape) < share)


def asked(slices: Slices, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(B, L) tokens that answer: those before a hidden event, and the last."""
    j = np.arange(hidden.shape[1])
    before = np.pad(hidden[:, 1:], ((0, 0), (0, 1)))
    result: NDArray[np.bool_] = before | (j == slices.length[:, None] - 1)
    return result


def hide(tokens: Tokens, hidden: Tensor) -> Tokens:
    """The tokens without what (B, L) `hidden` events were; their time becomes that of the visible one before."""
    behind = torch.zeros_like(hidden)
    behind[:, 1:] = hidden[:, :-1]
    numbers = tokens.numbers
    if numbers is not None:
        missing = torch.zeros_like(numbers[0, 0])
        missing[len(missing) // 2 :] = 1.0  # as a number that was not given
        numbers = torch.where((hidden | behind)[..., None], missing, numbers)
    place = torch.arange(hidden.shape[1]).expand(hidden.shape)
    visible = ~hidden & (place >= tokens.begins[:, None].long())  # a start token has the time of the first event
    first = visible.long().argmax(dim=1, keepdim=True)  # (B, 1)
    known = torch.where(visible, place, 0).cummax(dim=1).values.maximum(first)  # (B, L) newest visible token
    time_s = tokens.time_s.gather(1, known).masked_fill(~visible.any(1, keepdim=True), 0)
    return replace(
        tokens,
        codes={name: code.masked_fill(hidden, 0) for name, code in tokens.codes.items()},
        numbers=numbers,
        time_s=time_s,
        point=None if tokens.point is None else tokens.point.masked_fill(hidden[..., None], 0.0),
        hidden=hidden,
    )

"""What a sequence model is fed: tokens (a start token, then events) and, where known, the request at each of them.

A user with n events has n+1 tokens: the start, then one per event; token i answers "what is event i?" (from 0).
Plain records of tensors; never reads a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """B sequences, right-padded to L. Integer columns are 0 where padded and at the start token.

    Attributes
    ----------
    codes : (B, L) int64 by name: item, action, device, hour, weekday, holiday, cell_<r>; those that are read
    numbers : (B, L, 2F) float32 scaled numbers and their missing bits; None when not read
    time_s : (B, L) int64 UTC seconds; the start token has the time of the first event
    point : (B, L, 3) float32 unit vectors of the places, zero where none is known; None when not read
    position : (B, L) int64 distance from the last token that answers, 0 there
    mask : (B, L) bool, False = padding
    begins : (B,) bool, the first token is the start of the user's history
    hidden : (B, L) bool, events that training hides and asks for; None where nothing is hidden
    """

    codes: Mapping[str, Tensor]
    numbers: Tensor | None
    time_s: Tensor
    point: Tensor | None
    position: Tensor
    mask: Tensor
    begins: Tensor
    hidden: Tensor | None


@dataclass(frozen=True)
class Request:
    """What is known of the moment of the answer, for each of n states.

    Attributes
    ----------
    hour, weekday : (n,) int64 local clock
    minute_of_day : (n,) float32, local, 0..1440
    log_gap : (n,) float32 log(1 + seconds since the last visible event); 0 after the start token
    known : (n,) bool, False = the clock is not known
    """

    hour: Tensor
    weekday: Tensor
    minute_of_day: Tensor
    log_gap: Tensor
    known: Tensor


def spread(values: Tensor, at: Tensor, size: int) -> Tensor:
    """(n, …) values at the places `at` (n,) of a tensor (size, …) of zeros."""
    return torch.zeros(size, *values.shape[1:], dtype=values.dtype, device=values.device).index_copy(0, at, values)


def spread_request(request: Request, at: Tensor, size: int) -> Request:
    """The requests of n states as those of `size`; what stands elsewhere is not known."""
    return Request(**{field.name: spread(getattr(request, field.name), at, size) for field in fields(Request)})

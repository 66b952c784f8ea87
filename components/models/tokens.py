"""What a sequence model is fed: tokens (a start token, then events) and, where known, the request at each of them.

A user with n events has n+1 tokens: the start, then one per event; token i answers "what is event i?" (from 0).
Plain records of tensors; never reads a store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

#: What an encoder keeps of B histories of one length between two events, by names of its own.
Carried = dict[str, Tensor]


class Codes(Mapping[str, Tensor]):
    """Codes by name as rows of one block.

    Parameters
    ----------
    names : of the rows
    block : (C, B, L) int64
    """

    def __init__(self, names: Sequence[str], block: Tensor) -> None:
        self._names, self._block = tuple(names), block

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._block[self._names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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


def joined(a: Tokens, b: Tokens) -> Tokens:
    """(B, L) tokens, none of them padded, with the (B, M) tokens that follow: (B, L + M), counted back from the end."""

    def both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
        return None if one is None or other is None else torch.cat([one, other], dim=1)

    codes = {name: torch.cat([code, b.codes[name]], dim=1) for name, code in a.codes.items()}
    time_s, mask = torch.cat([a.time_s, b.time_s], dim=1), torch.cat([a.mask, b.mask], dim=1)
    numbers, point = both(a.numbers, b.numbers), both(a.point, b.point)
    return Tokens(codes, numbers, time_s, point, _back(mask), mask, a.begins, None)


def newest(tokens: Tokens, left_out: int) -> Tokens:
    """Tokens without the oldest `left_out` of each row; with the start token gone, they begin no history."""
    if not left_out:
        return tokens
    whole = vars(tokens).items()
    cut: dict[str, Any] = {name: one[:, left_out:] for name, one in whole if isinstance(one, Tensor) and one.ndim > 1}
    cut["codes"] = {name: code[:, left_out:] for name, code in tokens.codes.items()}
    return replace(tokens, **cut, begins=torch.zeros_like(tokens.begins))


def _back(mask: Tensor) -> Tensor:
    """(B, L) steps back from the last token."""
    back = torch.arange(mask.shape[1] - 1, -1, -1, device=mask.device)
    return back.expand(mask.shape)


def spread(values: Tensor, at: Tensor, size: int) -> Tensor:
    """(n, …) values at the places `at` (n,) of a tensor (size, …) of zeros."""
    return torch.zeros(size, *values.shape[1:], dtype=values.dtype, device=values.device).index_copy(0, at, values)


def spread_request(request: Request, at: Tensor, size: int) -> Request:
    """The requests of n states as those of `size`; what stands elsewhere is not known."""
    return Request(**{field.name: spread(getattr(request, field.name), at, size) for field in fields(Request)})

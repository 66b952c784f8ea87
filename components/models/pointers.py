"""Pointers: distributions over a few items each, of which the item head is a mixture beside its softmax.

What points (a copy head at the user's own history, a transition head at what others did next) says which items, how
likely, and how much it stands on; the gate weighs them. Never here: where the items come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from components.models.tokens import Request


@dataclass(frozen=True)
class Asked:
    """T questions of each of B histories.

    Attributes
    ----------
    states : (B, T, d) that know of the request where the model asks for one
    at : (B, T) int64 place of the newest visible token
    request : of the B·T questions, row by row; None when the moment is not known
    """

    states: Tensor
    at: Tensor
    request: Request | None


@dataclass(frozen=True)
class Pointers:
    """P distributions over m items for each of T questions to B histories.

    Attributes
    ----------
    code : int64 item codes, of a shape that broadcasts to (B, P, T, m); an item may stand more than once
    log_share : (B, P, T, m) log-probabilities; a row without an item to point at is -inf
    support : (B, T, s) float32 what they stand on, log(1 + events)
    """

    code: Tensor
    log_share: Tensor
    support: Tensor

    def matched(self, target: Tensor) -> Tensor:
        """(B, P, T) log of the share that the targets (B, T) have; codes 0 and 1 have none."""
        wanted = target[:, None, :, None]
        same = (self.code == wanted) & (wanted > 1)
        return torch.logsumexp(self.log_share.masked_fill(~same, -torch.inf), 3)

    def sure(self) -> Tensor:
        """(B, T, P) share of the likeliest place of each, 0 where there is none; no gradient."""
        return self.log_share.detach().amax(3).exp().permute(0, 2, 1)

    def there(self) -> Tensor:
        """(B, T, P) whether there is anything to point at."""
        return torch.isfinite(self.log_share).any(3).permute(0, 2, 1)

    def at(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """(n, P, m) codes and log-shares of the questions at the flat places (n,)."""
        B, P, T, m = self.log_share.shape
        code = self.code.expand(B, P, T, m).transpose(1, 2).reshape(B * T, P, m)
        return code[place], self.log_share.transpose(1, 2).reshape(B * T, P, m)[place]

    def add_to(self, found: Tensor, log_weight: Tensor) -> None:
        """Add the probabilities of the mixture with log-weights (B, T, P) to `found` (B·T, V), by code."""
        weighted = (log_weight.transpose(1, 2)[..., None] + self.log_share).exp()  # (B, P, T, m)
        B, P, T, m = weighted.shape
        code = self.code.expand(B, P, T, m).transpose(1, 2).reshape(B * T, P * m)
        found.scatter_add_(1, code, weighted.transpose(1, 2).reshape(B * T, P * m))

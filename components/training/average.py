"""A running mean of a model's weights: it is judged and kept, while the optimiser goes on from the weights themselves.

At a constant learning rate the weights circle around a good place, and their mean stands nearer to it than they do
(Polyak and Juditsky 1992, doi:10.1137/0330046). Never changes what the optimiser sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightMean:
    """The exponential mean of the parameters.

    Parameters
    ----------
    model : is followed
    decay : share of the mean that a step keeps, 0 <= decay < 1; the first steps keep less: (1 + step) / (10 + step).
        0: there is no mean, and the weights themselves are used
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.tensors: dict[str, Tensor] = {}
        if decay > 0:
            self.tensors = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take the weights after step `step` (from 0) into the mean."""
        if not self.tensors:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        means, weights = zip(
            *((self.tensors[name], weight) for name, weight in self.model.named_parameters()), strict=True
        )
        torch._foreach_lerp_(list(means), list(weights), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model holds the mean."""
        if not self.tensors:
            yield
            return
        own = {name: weight.detach().clone() for name, weight in self.model.named_parameters()}
        self._put(self.tensors)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, tensors: dict[str, Tensor]) -> None:
        for name, weight in self.model.named_parameters():
            weight.copy_(tensors[name])

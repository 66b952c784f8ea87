"""Learning from what another model answers: cross-entropies against its whole distributions, head by head.

Of the items the teacher's likeliest are told one by one and all others as one, so that a loss is proper and a target
takes k numbers, whatever the catalogue. Blocks of logits are made again for the gradient: one exists at a time.
Source: Hinton, Vinyals, Dean, Distilling the knowledge in a neural network (2015): softened by a temperature, scaled
by its square. Never asks the teacher: `components.compression.teacher` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from components.models.heads import RESERVED
from components.models.losses import mixture_log_density

_BLOCK = 1 << 20  # logits of a block
_LEAST = 1e-6  # of the chance of all other items
#: Nodes and weights of Gauss–Hermite quadrature for a normal density: exact for polynomials up to the fifth degree.
_NODES, _WEIGHTS = (-math.sqrt(3.0), 0.0, math.sqrt(3.0)), (1 / 6, 2 / 3, 1 / 6)


@dataclass(frozen=True)
class Taught:
    """What a teacher answers to n targets, softened by `temperature`.

    Attributes
    ----------
    code : (n, k) int64 its likeliest items, codes ≥ 2
    share : (n, k) float32 their chances; the rest up to 1 is that of all others
    classes : head (action, place, place_coarse, category) → (n, K - 2) float32 chances, of the heads that it has
    time : its log-weights, means and deviations (n, C); None where it has no time head
    temperature : by which item and classes are softened
    weight : of these losses against those of what happened, 0..1
    """

    code: Tensor
    share: Tensor
    classes: dict[str, Tensor]
    time: tuple[Tensor, Tensor, Tensor] | None
    temperature: float
    weight: float

    def joined(self, happened: Tensor, taught: Tensor) -> Tensor:
        """One loss of two; the temperature's square makes up for the smaller gradients of softened answers."""
        return (1.0 - self.weight) * happened + self.weight * self.temperature**2 * taught


def class_loss(logits: Tensor, chances: Tensor, temperature: float) -> Tensor:
    """Summed cross-entropy of (n, K) logits against the teacher's (n, K) chances."""
    return -(chances * F.log_softmax(logits.float() / temperature, 1)).sum()


def time_loss(student: tuple[Tensor, Tensor, Tensor], teacher: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Summed expectation, under the teacher's mixtures (n, C), of the student's -log-density of log(1 + gap_s)."""
    log_weight, mean, sigma = teacher
    total = log_weight.new_zeros(())
    for node, share in zip(_NODES, _WEIGHTS, strict=True):
        for c in range(mean.shape[1]):
            density = mixture_log_density(mean[:, c] + node * sigma[:, c], *student)  # (n,)
            total = total - share * (log_weight[:, c].exp() * density).sum()
    return total


def item_loss(log_p: Callable[[slice], Tensor], rows: int, columns: int, taught: Taught) -> Tensor:
    """Summed cross-entropy of the student's items against the teacher's, softened alike.

    Parameters
    ----------
    log_p : rows → (m, V - 2) log-probabilities or logits, a pure function of the parameters
    rows : n, one for each target
    columns : V - 2
    """

    def block(part: slice) -> Tensor:
        softened = F.log_softmax(log_p(part).float() / taught.temperature, 1)
        own = softened.gather(1, taught.code[part] - RESERVED)  # (m, k)
        share = taught.share[part]
        others = (1.0 - own.exp().sum(1)).clamp_min(_LEAST).log()  # (m,)
        return -(share * own).sum() - ((1.0 - share.sum(1)).clamp_min(0.0) * others).sum()

    size = max(1, _BLOCK // max(columns, 1))
    total = taught.share.new_zeros(())
    for start in range(0, rows, size):
        part = slice(start, min(rows, start + size))
        total = total + checkpoint(block, part, use_reentrant=False, preserve_rng_state=False)
    return total


def softened(log_p: Tensor, temperature: float) -> Tensor:
    """(n, K) log-probabilities → chances at that temperature."""
    return torch.softmax(log_p / temperature, 1)

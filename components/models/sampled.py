"""Losses of the item against drawn items, for catalogues too large for the full softmax.

One set of N items is drawn per step and shared by all its targets, so a step gathers as many rows of the item table
as it has inputs, targets and drawn items, and its cost knows nothing of the size of the catalogue. The gradient is
formed in the forward pass, block by block, in float32. Never touches the other rows: with a table whose gradient is
sparse no product of catalogue × d is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from components.models.embedding import ItemTable
from components.models.heads import RESERVED
from components.models.losses import _BLOCK, Mixed, share_of_mixture
from components.models.softmax import LOG2_E
from components.params import ItemLossParams


@dataclass(frozen=True)
class ItemSampler:
    """Draws items with replacement, and says what a draw is worth.

    Attributes
    ----------
    cumulative : (V-2,) float64 chances of the real codes, summed up
    correction : (V-2,) float32 added to the score of a drawn item: -log(N q) with logQ, else 0
    count : N
    beta : exponent of the target's probability in gBCE; None: sampled softmax
    """

    cumulative: Tensor
    correction: Tensor
    count: int
    beta: float | None

    @classmethod
    def of(cls, params: ItemLossParams, counts: NDArray[np.integer], device: torch.device) -> Self | None:
        """Sampler of a catalogue, or None where the loss is over all of it.

        Parameters
        ----------
        params : kind of the loss and its constants
        counts : (V-2,) training events of each real item
        device : of the model
        """
        if params.kind == "full":
            return None
        chance = np.maximum(counts, 1).astype(np.float64) ** (params.alpha if params.kind == "sampled" else 0.0)
        chance /= chance.sum()
        corrected = params.kind == "sampled" and params.logq
        shift = -np.log(params.negatives * chance) if corrected else np.zeros(len(chance))
        beta = gbce_beta(params.negatives, len(chance), params.t) if params.kind == "gbce" else None
        cumulative = torch.from_numpy(np.cumsum(chance)).to(device)
        return cls(cumulative, torch.from_numpy(shift.astype(np.float32)).to(device), params.negatives, beta)

    def draw(self) -> Tensor:
        """(N,) int64 codes, from torch's generator."""
        point = torch.rand(self.count, dtype=torch.float64, device=self.cumulative.device)
        place = torch.searchsorted(self.cumulative, point, right=True)
        return place.clamp_max(len(self.cumulative) - 1) + RESERVED


def gbce_beta(negatives: int, items: int, t: float) -> float:
    """Exponent that takes out the overconfidence of sampling: 1 at t = 0 (plain BCE), the sampling rate at t = 1.

    Source: Petrov and Macdonald, gSASRec (RecSys 2023), doi:10.1145/3604915.3608783.

    Examples
    --------
    >>> gbce_beta(10, 101, 0.0), gbce_beta(10, 101, 1.0)
    (1.0, 0.1)
    """
    alpha = min(negatives / max(items - 1, 1), 1.0)
    return 1.0 - t * (1.0 - alpha)


def sampled_item_loss(
    states: Tensor,
    table: ItemTable,
    target: Tensor,
    sampler: ItemSampler,
    temperature: float | None,
    mixed: Mixed | None = None,
) -> Tensor:
    """Sum over rows of the loss of the target's item against N drawn ones; a drawn item that is the target is masked.

    Sampled softmax: the target's own score is not corrected (it is always there) and a drawn one gets -log(N q), so
    that the sum of exponents is an unbiased estimate of that over the catalogue (Bengio and Senécal 2008; Yi et al.
    2019). gBCE: -(β log σ(s⁺) + Σ log(1 - σ(s⁻))) / (N + 1).

    Parameters
    ----------
    states : (n, d)
    table : vectors of the catalogue
    target : (n,) int64 item codes; padding and unknown are skipped
    sampler : what is drawn
    temperature : None for the dot product, else the cosine is divided by it
    mixed : what the estimated softmax is mixed with, of rows that all know their target; None: nothing

    Returns
    -------
    Tensor
        Scalar, nats.
    """
    drawn = sampler.draw()  # (N,)
    if mixed is None:
        known = torch.nonzero(target >= RESERVED)[:, 0]
        states, target = states[known], target[known]
    beside = (None, None, 0.0) if mixed is None else (mixed.gate.float(), mixed.rest.float(), mixed.softmax_weight)
    with torch.autocast(states.device.type, enabled=False):
        rows = table(torch.cat([target, drawn])).float()  # (n + N, d)
        left = states.float()
        if temperature is not None:
            left, rows = F.normalize(left, dim=1) / temperature, F.normalize(rows, dim=1)
        own, other = rows[: len(target)], rows[len(target) :]
        shift = sampler.correction[drawn - RESERVED]
        total: Tensor = _SampledLoss.apply(left, own, other, *beside, shift, target, drawn, sampler.beta)  # type: ignore[no-untyped-call]
    return total


class _SampledLoss(torch.autograd.Function):
    """Sum of the losses, mixed or not; all gradients are ready when forward returns."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        own: Tensor,
        other: Tensor,
        gate: Tensor | None,
        rest: Tensor | None,
        softmax_weight: float,
        shift: Tensor,
        target: Tensor,
        drawn: Tensor,
        beta: float | None,
    ) -> Tensor:
        n, N = len(states), len(other)
        rows = max(1, _BLOCK[states.device.type] // N)
        grad_states, grad_own, grad_other = (torch.zeros_like(one) for one in (states, own, other))
        share = None if gate is None else torch.empty_like(gate)  # (n,)
        total = states.new_zeros((), dtype=torch.float64 if states.device.type == "cpu" else torch.float32)
        starts = torch.arange(0, n + rows, rows, device=states.device)
        row, column = _same(target, drawn)
        edges = torch.searchsorted(row, starts).tolist()  # of the pairs in each block
        for i, start in enumerate(range(0, n, rows)):
            part, pairs = slice(start, min(n, start + rows)), slice(edges[i], edges[i + 1])
            mine = (states[part] * own[part]).sum(1)  # (m,)
            against = torch.addmm(shift[None], states[part], other.T)  # (m, N)
            against[row[pairs] - start, column[pairs]] = -math.inf
            found = _softmax(mine, against) if beta is None else _binary(mine, against, beta)
            loss, slope_mine, slope = found
            if gate is not None and rest is not None and share is not None:
                whole, share[part] = share_of_mixture(gate[part] - loss, rest[part])
                loss, by = softmax_weight * loss - whole, share[part] + softmax_weight
                slope_mine, slope = slope_mine * by, slope.mul_(by[:, None])
            total += loss.sum()
            torch.addmm(slope_mine[:, None] * own[part], slope, other, out=grad_states[part])
            grad_own[part] = slope_mine[:, None] * states[part]
            grad_other.addmm_(slope.T, states[part])
        slopes = (None, None) if share is None else (-share, share - 1.0)
        ctx.save_for_backward(grad_states, grad_own, grad_other, *slopes)
        return total.float()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        return (*(None if grad is None else grad * grads[0] for grad in ctx.saved_tensors), *[None] * 5)


def _same(target: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of a target (n,) and a drawn item (N,) that are the same: (pairs,) rows, ascending, and (pairs,) columns.

    They are few: looking them up costs less than comparing all n × N.
    """
    ordered, order = drawn.sort()
    first = torch.searchsorted(ordered, target)  # (n,)
    count = torch.searchsorted(ordered, target, right=True) - first
    row = torch.repeat_interleave(count)
    offset = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    return row, order[first[row] + offset]


def _softmax(mine: Tensor, against: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(m,) losses, their slopes by the target's score (m,), and by the drawn ones (m, N)."""
    highest = torch.maximum(mine, against.amax(1))  # (m,)
    powers = against.sub_(highest[:, None]).mul_(LOG2_E).exp2_()  # base 2 costs half of base e on a CPU
    chosen = torch.exp(mine - highest)
    whole = chosen + powers.sum(1)
    return highest + whole.log() - mine, chosen / whole - 1.0, powers.div_(whole[:, None])


def _binary(mine: Tensor, against: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same of gBCE."""
    share = 1.0 / (against.shape[1] + 1)
    loss = share * (F.softplus(against).sum(1) - beta * F.logsigmoid(mine))
    return loss, share * beta * (torch.sigmoid(mine) - 1.0), share * torch.sigmoid(against)

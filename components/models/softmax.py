"""The full softmax's loss in float32 on a CPU, where products and exponents are all that it costs.

Powers of two are summed as they are, without their greatest logit taken out first and without being divided by their
sum: what would be a pass over (rows, V) each is a factor per row of the products, (rows, d). A row whose sum is not
a sound number that way is done again from its greatest logit down. Results are those of the textbook to rounding.
Never keeps more than one block of logits, and never holds one wider than the caller asks for.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

LOG2_E = 1 / math.log(2)
_SMALLEST = 1e-30  # of a sum: what its terms lose below float32's range is less than its rounding


class FloatCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies of states @ weight.T; gradients of both are ready when forward returns."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, target: Tensor, smoothing: float, rows: int) -> Tensor:
        n, V = len(states), len(weight)
        keep, at = (target >= 0).float(), target.clamp_min(0)  # (n,)
        doubled = states * LOG2_E  # logits are logarithms to the base of 2
        grad_states, grad_weight = torch.empty_like(states), torch.zeros_like(weight)
        own, total, highest = states.new_empty(n), states.new_empty(n), states.new_zeros(n)
        buffer = states.new_empty((min(n, rows), V))
        for start in range(0, n, rows):
            part = slice(start, min(n, start + rows))
            powers = torch.mm(doubled[part], weight.T, out=buffer[: part.stop - start])  # (m, V)
            torch.gather(powers, 1, at[part, None], out=own[part, None])
            torch.sum(powers.exp2_(), 1, out=total[part])
            if not bool(((total[part] > _SMALLEST) & (total[part] < math.inf)).all()):
                torch.mm(doubled[part], weight.T, out=powers)
                torch.amax(powers, 1, out=highest[part])
                torch.sum(powers.sub_(highest[part, None]).exp2_(), 1, out=total[part])
            torch.mm(powers, weight, out=grad_states[part])
            grad_weight.addmm_(powers.T, states[part] * (keep[part] / total[part])[:, None])
        loss = (total.double().log2() + highest - own) / LOG2_E  # (n,)
        kept = states * keep[:, None]
        grad_states *= total.reciprocal()[:, None]
        grad_states.sub_(weight[at], alpha=1.0 - smoothing)
        grad_weight.index_add_(0, at, kept, alpha=smoothing - 1.0)
        if smoothing:
            mean = weight.mean(0)  # (d,)
            loss += smoothing * (own / LOG2_E - states @ mean)
            grad_states.sub_(mean, alpha=smoothing)
            grad_weight.sub_(kept.sum(0), alpha=smoothing / V)
        ctx.save_for_backward(grad_states.mul_(keep[:, None]), grad_weight)
        return torch.dot(loss, keep.double()).float()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        grad_states, grad_weight = ctx.saved_tensors
        return grad_states * grads[0], grad_weight * grads[0], None, None, None

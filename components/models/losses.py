"""Losses, summed over what is valid. Cross-entropy over a catalogue keeps a block of logits or two, never all.

The gradient is formed in the forward pass, block by block, so memory does not depend on catalogue × batch: beside the
gradients themselves, blocks of about `_BLOCK` logits, or as many numbers as the catalogue's vectors are where that
is more. Idea: apple/ml-cross-entropy, Liger; measured by benchmarks/training.py and benchmarks/losses.py. Never
averages: the trainer divides by a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from components.models.softmax import FloatCrossEntropy

#: Logits that exist at once: small enough for a core's cache on CPU, large enough to fill a GPU.
_BLOCK = {"cpu": 1 << 18, "cuda": 1 << 27}


@dataclass(frozen=True)
class Mixed:
    """What a softmax is mixed with: p = exp(gate) · softmax + exp(rest).

    Attributes
    ----------
    gate : (n,) log-weight of the softmax
    rest : (n,) log-probability that the others give to the target, weights included; finite
    softmax_weight : of the softmax's own loss beside the mixture's: a part that is seldom trusted still learns
    """

    gate: Tensor
    rest: Tensor
    softmax_weight: float


def share_of_mixture(own: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) log-probabilities of a softmax (weight included) and of the rest → those of both, and the softmax's share.

    The share is the slope of the whole by `own`: the gradient of a mixture is that of its parts, weighed by who
    brought it about (the E-step of EM).
    """
    whole = torch.logaddexp(own, rest)
    return whole, torch.exp(own - whole)


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies of states @ weight.T, mixed or not; all gradients are ready when forward returns."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        gate: Tensor | None,
        rest: Tensor | None,
        softmax_weight: float,
        target: Tensor,
        smoothing: float,
        dtype: torch.dtype,
        rows: int,
    ) -> Tensor:
        n, V = len(states), len(weight)
        device = states.device.type
        low, low_weight = states.to(dtype), weight.to(dtype)
        keep = (target >= 0)[:, None]  # (n, 1)
        low_kept = low * keep
        grad_states, grad_weight = torch.empty_like(low), torch.zeros_like(weight)
        share = None if gate is None else torch.empty_like(gate)  # (n,)
        total = states.new_zeros((), dtype=torch.float64 if device == "cpu" else torch.float32)
        buffer = states.new_empty((min(n, rows), V), dtype=dtype)
        exact = states.new_empty((min(n, rows), V), dtype=torch.float32)
        for start in range(0, n, rows):
            part = slice(start, min(n, start + rows))
            at, size = target[part].clamp_min(0)[:, None], part.stop - part.start  # (m, 1)
            logits = torch.mm(low[part], low_weight.T, out=buffer[:size])  # (m, V)
            p, loss = _probabilities(logits, at, smoothing, exact[:size])
            p.scatter_add_(1, at, p.new_full((size, 1), smoothing - 1.0))
            if smoothing:
                p -= smoothing / V
            if gate is not None and rest is not None and share is not None:
                whole, share[part] = share_of_mixture(gate[part] - loss, rest[part])
                loss = softmax_weight * loss - whole
                p *= share[part, None] + softmax_weight
            total += (loss * keep[part, 0]).sum()
            slope = p if dtype == torch.float32 else p.to(dtype)
            torch.mm(slope, low_weight, out=grad_states[part])
            if dtype == torch.float32:
                grad_weight.addmm_(slope.T, low_kept[part])
            else:
                grad_weight += slope.T @ low_kept[part]
        slopes = (None, None) if share is None else (-share * keep[:, 0], (share - 1.0) * keep[:, 0])
        ctx.save_for_backward((grad_states * keep).to(states.dtype), grad_weight, *slopes)
        return total.float()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        slopes = (None if slope is None else slope * grads[0] for slope in ctx.saved_tensors)
        return (*slopes, None, None, None, None, None)


def _probabilities(logits: Tensor, at: Tensor, smoothing: float, out: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax of (m, V) logits, written to `out`, and the (m,) cross-entropies at `at` (m, 1)."""
    if logits.dtype == torch.float32 and logits.device.type == "cpu" and not smoothing:
        p = torch.softmax(logits, 1, out=out)  # one pass in cache; log p is exact to 1e-7 where p is no denormal
        chosen = p.gather(1, at)[:, 0]
        if bool((chosen > 1e-30).all()):
            return p, -chosen.log()
    full = logits.float()
    lse = torch.logsumexp(full, 1, keepdim=True)  # (m, 1)
    loss = lse[:, 0] - (1.0 - smoothing) * full.gather(1, at)[:, 0]
    if smoothing:
        loss = loss - smoothing * full.mean(1)
    return torch.sub(full, lse, out=out).exp_(), loss


def linear_cross_entropy(
    states: Tensor,
    weight: Tensor,
    target: Tensor,
    smoothing: float = 0.0,
    dtype: torch.dtype = torch.float32,
    mixed: Mixed | None = None,
) -> Tensor:
    """Sum over rows of the cross-entropy of `states @ weight.T` against `target`.

    Parameters
    ----------
    states : (n, d)
    weight : (V, d)
    target : (n,) int64 in 0..V-1; a negative one is skipped
    smoothing : share of the target's mass spread evenly over the V classes; not of a mixture
    dtype : of the matrix products; sums are kept in float32 or better
    mixed : what the softmax is mixed with; None: nothing

    Returns
    -------
    Tensor
        Scalar, nats.
    """
    if len(states) == 0:
        return (states.sum() + weight.sum()) * 0.0
    rows = max(weight.shape[1], _BLOCK[states.device.type] // len(weight))  # fewer would not fill a product
    with torch.autocast(states.device.type, enabled=False):
        if mixed is None and states.device.type == "cpu" and states.dtype == dtype == torch.float32:
            exact: Tensor = FloatCrossEntropy.apply(states, weight.float(), target, smoothing, rows)  # type: ignore[no-untyped-call]
            return exact
        beside = (None, None, 0.0) if mixed is None else (mixed.gate.float(), mixed.rest.float(), mixed.softmax_weight)
        smooth = smoothing if mixed is None else 0.0
        total: Tensor = _LinearCrossEntropy.apply(states, weight.float(), *beside, target, smooth, dtype, rows)  # type: ignore[no-untyped-call]
    return total


def target_log_probability(
    logits: Callable[[slice], Tensor], target: Tensor, columns: int, differentiable: bool = True
) -> Tensor:
    """(n,) log-probability of each row's target under a softmax of logits that are made block by block.

    Blocks are made again for the gradient, so that one of them exists at a time, whatever the catalogue.

    Parameters
    ----------
    logits : rows → (m, V), a pure function of the parameters
    target : (n,) int64 in 0..V-1; where it is negative the result is 0
    columns : V
    differentiable : whether a gradient will be asked for
    """

    def block(part: slice) -> Tensor:
        found = logits(part).float()
        at = target[part].clamp_min(0)[:, None]
        return found.gather(1, at)[:, 0] - torch.logsumexp(found, 1)

    rows = max(1, 4 * _BLOCK[target.device.type] // max(columns, 1))
    parts = [slice(start, min(len(target), start + rows)) for start in range(0, len(target), rows)]
    if differentiable:
        found = [checkpoint(block, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    else:
        found = [block(part) for part in parts]
    return torch.cat(found) * (target >= 0) if found else torch.zeros(0, device=target.device)


def basket_loss(
    logits: Callable[[slice], Tensor], n: int, query: Tensor, item: Tensor, weight: Tensor, columns: int
) -> Tensor:
    """Σ -weight · log p(item) of T items in the answers to n questions, nats.

    Parameters
    ----------
    logits : rows → (m, V) of the questions, a pure function of the parameters; made again for the gradient
    n : questions
    query : (T,) int64 the question of each item, ascending
    item : (T,) int64 in 0..V-1
    weight : (T,)
    columns : V
    """

    def block(part: slice, low: int, high: int) -> Tensor:
        log_p = torch.log_softmax(logits(part).float(), 1)
        return -(log_p[query[low:high] - part.start, item[low:high]] * weight[low:high]).sum()

    rows = max(1, 4 * _BLOCK[weight.device.type] // max(columns, 1))
    edges = torch.arange(0, n + rows, rows, device=query.device)
    bounds = torch.searchsorted(query, edges).tolist()
    parts = [slice(start, min(n, start + rows)) for start in range(0, n, rows)]
    found = [
        checkpoint(block, part, low, high, use_reentrant=False, preserve_rng_state=False)
        for part, low, high in zip(parts, bounds, bounds[1:], strict=False)
    ]
    return torch.stack(found).sum() if found else weight.sum() * 0.0


def mixture_log_density(log_gap: Tensor, log_weight: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """(n,) log-density of log(1 + gap_s) under normal mixtures (n, C).

    The density of the gap itself, per second, is this minus `log_gap` (the Jacobian, free of parameters).
    Source: Shchur et al., Intensity-free learning of temporal point processes (2020).
    """
    z = (log_gap[:, None] - mean) / sigma
    part = log_weight - 0.5 * z**2 - sigma.log() - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(part, 1)


def mixture_log_survival(log_gap: Tensor, log_weight: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """(n,) log of the probability that log(1 + gap_s) exceeds `log_gap` (n,): an interval that is still open."""
    z = (log_gap[:, None] - mean) / sigma
    return torch.logsumexp(log_weight + torch.special.log_ndtr(-z), 1)


def class_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Sum of cross-entropies of (n, K) logits at `target` (n,); a negative target is skipped."""
    return F.cross_entropy(logits.float(), target, ignore_index=-1, reduction="sum")

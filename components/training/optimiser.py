"""AdamW whose cost does not grow with a table of which a step touches a few rows.

A parameter with a sparse gradient is updated at its rows alone, each row with a clock of its own: a row that every
step touches moves exactly as under AdamW, one that is touched rarely as if the steps between had not been. Dense
parameters are torch's. Never makes a sparse gradient dense.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class RowAdamW(torch.optim.AdamW):
    """AdamW, and lazy AdamW for sparse gradients (as torch's SparseAdam, but with decay and a clock per row)."""

    def step(self, closure: Any = None) -> Any:
        """Take one step; gradients of tables are let go of."""
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    if weight.grad is not None and weight.grad.is_sparse:
                        self._rows(weight, weight.grad.coalesce(), group)
                        weight.grad = None
        return super().step(closure)

    def _rows(self, weight: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(len(weight), dtype=torch.float32, device=weight.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        row, slope = grad.indices()[0], grad.values()  # (r,), (r, d)
        first, second = group["betas"]
        clock = state["step"][row] + 1
        mean = state["exp_avg"][row].lerp_(slope, 1 - first)
        square = state["exp_avg_sq"][row].mul_(second).addcmul_(slope, slope, value=1 - second)
        state["step"][row], state["exp_avg"][row], state["exp_avg_sq"][row] = clock, mean, square
        size = mean / (1 - first**clock)[:, None]
        spread = (square / (1 - second**clock)[:, None]).sqrt_().add_(group["eps"])
        kept = weight[row] * (1 - group["lr"] * group["weight_decay"])
        weight[row] = kept.sub_(size.div_(spread), alpha=group["lr"])


def clip_gradients(parameters: Iterable[Tensor], longest: float) -> Tensor:
    """Shorten all gradients together to the length `longest` at most, sparse ones included.

    Returns
    -------
    Tensor
        Scalar: the length before.
    """
    found = [weight for weight in parameters if weight.grad is not None]
    if not any(weight.grad is not None and weight.grad.is_sparse for weight in found):
        return torch.nn.utils.clip_grad_norm_(found, longest)
    grads: list[Tensor] = []
    for weight in found:
        if weight.grad is not None and weight.grad.is_sparse:
            weight.grad = weight.grad.coalesce()  # a row that was read twice counts once, with the sum
            grads.append(weight.grad.values())
        elif weight.grad is not None:
            grads.append(weight.grad)
    norm = torch.nn.utils.get_total_norm(grads)
    torch._foreach_mul_(grads, (longest / (norm + 1e-6)).clamp_max(1.0))
    return norm

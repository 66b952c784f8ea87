"""Dropout keeps the mean, drops independently at its rate, and passes gradients only where it kept."""

from __future__ import annotations

import pytest
import torch

from components.models.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_rate_mean_and_gradient(rate: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(1001, 303, requires_grad=True)
    y = Dropout(rate)(x)
    dropped = (y == 0).float()
    assert abs(float(dropped.mean()) - rate) < 0.004  # a byte decides: the rate is a multiple of 1/256
    assert abs(float(y.detach().mean()) - 1.0) < 0.004
    for other in (dropped[1:] * dropped[:-1], dropped[:, 1:] * dropped[:, :-1], dropped[:, 8:] * dropped[:, :-8]):
        assert abs(float(other.mean()) - float(dropped.mean()) ** 2) < 0.003
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, y.detach() == 0)


def test_off_in_evaluation_and_at_rate_zero() -> None:
    x = torch.randn(5, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert not Dropout(1.0)(x).any()


def test_each_call_draws_anew_and_a_seed_repeats() -> None:
    x, layer = torch.ones(100), Dropout(0.5)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)

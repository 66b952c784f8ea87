"""Losses against torch's own, in value and gradient, and the time mixture against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from components.models import losses
from components.models.losses import Mixed, linear_cross_entropy, mixture_log_density, mixture_log_survival
from components.predictor import TimeDistribution


def operands(n: int, d: int, V: int, scale: float = 0.3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n + V)
    states = torch.randn(n, d, generator=generator).mul_(scale).requires_grad_()
    weight = torch.randn(V, d, generator=generator).requires_grad_()
    return states, weight, torch.randint(0, V, (n,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("block", [1 << 8, 1 << 18])
@pytest.mark.parametrize("skip", [False, True])
def test_chunked_cross_entropy_is_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, block: int, skip: bool
) -> None:
    monkeypatch.setitem(losses._BLOCK, "cpu", block)
    states, weight, target = operands(37, 8, 101)
    if skip:
        target[::3] = -1
    expected = F.cross_entropy(states @ weight.T, target, reduction="sum", label_smoothing=smoothing, ignore_index=-1)
    wanted = torch.autograd.grad(3 * expected, (states, weight))
    found = linear_cross_entropy(states, weight, target, smoothing)
    got = torch.autograd.grad(3 * found, (states, weight))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("own_weight", [0.0, 0.7])
@pytest.mark.parametrize("block", [1 << 8, 1 << 18])
def test_a_mixed_cross_entropy_is_that_of_the_mixture(
    monkeypatch: pytest.MonkeyPatch, block: int, own_weight: float
) -> None:
    """Value and all four gradients, also where the rest knows nothing and where a row is skipped."""
    monkeypatch.setitem(losses._BLOCK, "cpu", block)
    states, weight, target = operands(23, 8, 101)
    generator = torch.Generator().manual_seed(5)
    gate = (-torch.rand(23, generator=generator)).requires_grad_()
    rest = torch.randn(23, generator=generator).sub(3)
    rest[:4], target[7] = -1e4, -1
    rest.requires_grad_()
    own = torch.log_softmax(states @ weight.T, 1)[torch.arange(23), target.clamp_min(0)]
    expected = -((torch.logaddexp(gate + own, rest) + own_weight * own) * (target >= 0)).sum()
    found = linear_cross_entropy(states, weight, target, mixed=Mixed(gate, rest, own_weight))
    torch.testing.assert_close(found, expected)
    leaves = (states, weight, gate, rest)
    for one, other in zip(
        torch.autograd.grad(2 * found, leaves), torch.autograd.grad(2 * expected, leaves), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_target_without_probability_still_has_a_finite_loss() -> None:
    states = torch.tensor([[200.0], [1.0]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0], [0.0]], requires_grad=True)
    found = linear_cross_entropy(states, weight, torch.tensor([1, 1]))
    expected = F.cross_entropy(states @ weight.T, torch.tensor([1, 1]), reduction="sum")
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("size", [200.0, -200.0])
def test_logits_beyond_the_range_of_their_exponents(size: float) -> None:
    """Sums of exponents overflow, or vanish, in one row of a block; the other rows are not touched by it."""
    states = torch.tensor([[size], [1.0], [0.5]], requires_grad=True)
    weight = torch.tensor([[1.0], [1.01], [2.0]], requires_grad=True)
    target = torch.tensor([1, 1, 2])
    expected = F.cross_entropy(states @ weight.T, target, reduction="sum")
    wanted = torch.autograd.grad(expected, (states, weight))
    got = torch.autograd.grad(linear_cross_entropy(states, weight, target), (states, weight))
    torch.testing.assert_close(linear_cross_entropy(states, weight, target), expected)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_low_precision_products_are_close() -> None:
    states, weight, target = operands(64, 16, 301)
    exact = linear_cross_entropy(states, weight, target)
    low = linear_cross_entropy(states, weight, target, dtype=torch.bfloat16)
    wanted = torch.autograd.grad(exact, (states, weight))
    got = torch.autograd.grad(low, (states, weight))
    assert abs(float((low - exact).detach())) < 0.01 * float(exact.detach())
    for one, other in zip(got, wanted, strict=True):
        assert float((one - other).norm() / other.norm()) < 0.02


def test_nothing_to_learn_is_zero() -> None:
    states, weight, target = operands(0, 8, 11)
    found = linear_cross_entropy(states, weight, target)
    found.backward()
    assert float(found.detach()) == 0.0
    assert weight.grad is not None
    assert float(weight.grad.abs().sum()) == 0.0


def test_only_one_block_of_logits_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest tensor ever asked for is one block, whatever catalogue × batch is."""
    monkeypatch.setitem(losses._BLOCK, "cpu", 1 << 12)
    states, weight, target = operands(500, 4, 1000)
    sizes: list[int] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            out = func(*args, **(kwargs or {}))
            sizes.extend(one.numel() for one in (out if isinstance(out, tuple) else (out,)) if isinstance(one, Tensor))
            return out

    with Watch():
        linear_cross_entropy(states, weight, target).backward()
    assert max(sizes) <= 1 << 12
    assert len(sizes) > 100


def mixture(n: int = 6, C: int = 3) -> tuple[TimeDistribution, tuple[Tensor, Tensor, Tensor], np.ndarray]:
    rng = np.random.default_rng(5)
    weight = rng.dirichlet(np.ones(C), n).astype(np.float32)
    mean, sigma = rng.normal(8, 3, (n, C)).astype(np.float32), rng.uniform(0.2, 2, (n, C)).astype(np.float32)
    parts = (torch.from_numpy(np.log(weight)), torch.from_numpy(mean), torch.from_numpy(sigma))
    return TimeDistribution(weight, mean, sigma), parts, np.exp(rng.normal(8, 2, n))


def test_time_density_is_that_of_the_distribution_served() -> None:
    served, parts, gap_s = mixture()
    log_gap = torch.from_numpy(np.log1p(gap_s).astype(np.float32))
    found = mixture_log_density(log_gap, *parts) - log_gap  # per second
    np.testing.assert_allclose(found.numpy(), served.log_density(gap_s), rtol=1e-4, atol=1e-4)


def test_time_survival_is_that_of_the_distribution_served() -> None:
    served, parts, gap_s = mixture()
    log_gap = torch.from_numpy(np.log1p(gap_s).astype(np.float32))
    found = mixture_log_survival(log_gap, *parts)
    np.testing.assert_allclose(found.numpy(), served.log_survival(gap_s), rtol=1e-3, atol=1e-4)
    grid = np.linspace(0.5, 40, 4000)  # the density integrates to what does not survive
    density = np.exp([float(mixture_log_density(torch.tensor([y]), *(p[:1] for p in parts))) for y in grid[::8]])
    above = np.trapezoid(density[grid[::8] > float(log_gap[0])], grid[::8][grid[::8] > float(log_gap[0])])
    assert abs(above - float(found[0].exp())) < 0.02


def test_survival_is_stable_far_out() -> None:
    log_gap = torch.tensor([60.0], requires_grad=True)
    found = mixture_log_survival(log_gap, torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    found.sum().backward()
    assert log_gap.grad is not None
    assert bool(torch.isfinite(found).all())
    assert bool(torch.isfinite(log_gap.grad).all())

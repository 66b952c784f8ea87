"""Losses against drawn items: the full softmax in the limit, the written formula elsewhere, few rows always."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from components.models import losses
from components.models.config import config_of
from components.models.embedding import ItemTable
from components.models.losses import Mixed, linear_cross_entropy
from components.models.sampled import ItemSampler, gbce_beta, sampled_item_loss
from components.params import ItemLossParams
from tests.networks import network_params
from tests.toy import toy_encoding

CPU = torch.device("cpu")
ITEMS = 20


def params(kind: str, **changes: object) -> ItemLossParams:
    record = {"kind": kind, "negatives": 7, "alpha": 0.0, "logq": True, "t": 0.75, "softmax_weight": 0.0}
    return ItemLossParams.model_validate(record | changes)


def sampler(kind: str, counts: np.ndarray | None = None, **changes: object) -> ItemSampler:
    found = ItemSampler.of(params(kind, **changes), np.ones(ITEMS, np.int64) if counts is None else counts, CPU)
    assert found is not None
    return found


def table(inputs: list[str] | None = None, sparse: bool = False) -> ItemTable:
    torch.manual_seed(0)
    config = config_of(network_params("gru", inputs=inputs or ["item"]), toy_encoding(ITEMS))
    one = ItemTable(config)
    torch.nn.init.normal_(one.item.weight, std=0.4)
    one.item.sparse = sparse
    return one


def states(n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    target = torch.randint(0, ITEMS + 2, (n,), generator=generator)  # some are padding or unknown
    return torch.randn(n, 16, generator=generator).requires_grad_(), target


def test_the_full_loss_draws_nothing() -> None:
    assert ItemSampler.of(params("full"), np.ones(ITEMS, np.int64), CPU) is None


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_many_draws_with_logq_are_the_full_softmax(alpha: float) -> None:
    """Value and gradients, also where popular items are drawn a hundred times as often."""
    counts = np.geomspace(1, 100, ITEMS).astype(np.int64)
    one, (x, target) = table(), states(40)
    drawing = sampler("sampled", counts, negatives=40_000, alpha=alpha)
    torch.manual_seed(1)
    found = sampled_item_loss(x, one, target, drawing, None)
    expected = _full(x, one, target)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=0.01)
    got = torch.autograd.grad(found, (x, one.item.weight))
    wanted = torch.autograd.grad(expected, (x, one.item.weight))
    for a, b in zip(got, wanted, strict=True):
        assert float((a - b).norm() / b.norm()) < 0.06


def _full(x: Tensor, one: ItemTable, target: Tensor) -> Tensor:
    known = target >= 2
    return F.cross_entropy(x[known] @ one.item.weight[2:].T, target[known] - 2, reduction="sum")


def test_without_logq_popular_items_are_punished_for_being_drawn() -> None:
    counts = np.geomspace(1, 1000, ITEMS).astype(np.int64)
    one, (x, target) = table(), states(40)
    torch.manual_seed(1)
    plain = sampled_item_loss(x, one, target, sampler("sampled", counts, negatives=10_000, alpha=1.0, logq=False), None)
    expected = float(_full(x, one, target).detach())
    assert float(plain.detach()) > 1.5 * expected


def test_draws_follow_the_power_of_popularity() -> None:
    counts = np.array([1, 4, 16, 64])
    torch.manual_seed(0)
    drawn = sampler("sampled", counts, negatives=100_000, alpha=0.5).draw().numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6)[2:] / 100_000, np.array([1, 2, 4, 8]) / 15, atol=0.01)
    assert drawn.min() >= 2


@pytest.mark.parametrize("temperature", [None, 0.5])
@pytest.mark.parametrize("block", [1, 1 << 18])
@pytest.mark.parametrize("kind", ["sampled", "gbce"])
def test_it_is_the_written_formula_in_value_and_gradient(
    monkeypatch: pytest.MonkeyPatch, kind: str, block: int, temperature: float | None
) -> None:
    monkeypatch.setitem(losses._BLOCK, "cpu", block)
    one, (x, target) = table(["item", "category"]), states(30)
    drawing = sampler(kind)
    torch.manual_seed(3)
    drawn = drawing.draw()
    assert bool((target[:, None] == drawn).any())  # there is a hit to mask
    torch.manual_seed(3)
    found = sampled_item_loss(x, one, target, drawing, temperature)
    known = target >= 2
    left, own, other = x[known], one(target[known]), one(drawn)
    if temperature is not None:
        left, own, other = F.normalize(left) / temperature, F.normalize(own), F.normalize(other)
    mine, against = (left * own).sum(1), left @ other.T
    hit = target[known][:, None] == drawn
    if kind == "sampled":
        against = (against - math.log(7 / ITEMS)).masked_fill(hit, -torch.inf)
        expected = -torch.log_softmax(torch.cat([mine[:, None], against], 1), 1)[:, 0].sum()
    else:
        alpha = 7 / (ITEMS - 1)
        beta = alpha * (0.75 * (1 - 1 / alpha) + 1 / alpha)
        negative = torch.where(hit, 0.0, torch.log(1 - torch.sigmoid(against)))
        expected = -((beta * torch.log(torch.sigmoid(mine)) + negative.sum(1)) / 8).sum()
    weights = (x, one.item.weight, one.categories.weight)  # type: ignore[union-attr]
    got, wanted = torch.autograd.grad(2 * found, weights), torch.autograd.grad(2 * expected, weights)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_certain_answer_has_finite_losses_and_slopes() -> None:
    one, target = table(), torch.tensor([2, 3])
    x = (1e3 * one.item.weight[[2, 4]]).detach().requires_grad_()
    for kind in ("sampled", "gbce"):
        found = sampled_item_loss(x, one, target, sampler(kind), None)
        (slope,) = torch.autograd.grad(found, x)
        assert bool(torch.isfinite(found))
        assert bool(torch.isfinite(slope).all())


def test_nothing_known_is_zero() -> None:
    one, x = table(), torch.zeros(3, 16, requires_grad=True)
    found = sampled_item_loss(x, one, torch.tensor([0, 1, 0]), sampler("sampled"), None)
    found.backward()
    assert float(found.detach()) == 0.0


def test_beta_runs_from_plain_to_calibrated() -> None:
    assert gbce_beta(256, 10_001, 0.0) == 1.0
    assert gbce_beta(256, 10_001, 1.0) == pytest.approx(0.0256)
    assert gbce_beta(256, 10, 1.0) == 1.0  # more draws than items


def test_the_gradient_of_the_table_is_of_the_rows_that_were_read() -> None:
    one, (x, target) = table(sparse=True), states(5)
    torch.manual_seed(3)
    sampled_item_loss(x, one, target, sampler("sampled"), None).backward()
    grad = one.item.weight.grad
    assert grad is not None
    assert grad.is_sparse
    torch.manual_seed(3)
    read = set(sampler("sampled").draw().tolist()) | set(target[target >= 2].tolist())
    assert set(grad.coalesce().indices()[0].tolist()) == read


def test_no_tensor_is_as_large_as_the_catalogue_or_the_batch_times_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(losses._BLOCK, "cpu", 1 << 10)
    config = config_of(network_params("gru", inputs=["item"]), toy_encoding(5_000))
    one = ItemTable(config)
    one.item.sparse = True
    drawing = sampler("sampled", np.ones(5_000, np.int64), negatives=64)
    x, target = torch.randn(300, 16, requires_grad=True), torch.randint(2, 5_000, (300,))
    sizes: list[int] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            out = func(*args, **(kwargs or {}))
            for made in out if isinstance(out, tuple) else (out,):
                if isinstance(made, Tensor):
                    sizes.append(made._values().numel() if made.is_sparse else made.numel())
            return out

    with Watch():
        sampled_item_loss(x, one, target, drawing, None).backward()
    assert max(sizes) <= (300 + 64) * 16


def test_a_mixture_with_many_draws_is_the_mixture_with_the_softmax() -> None:
    """Value and gradients, of gate and rest too."""
    one, (x, target) = table(), states(40)
    target = target.clamp_min(2)
    gate, rest = (-torch.rand(40)).requires_grad_(), (torch.randn(40) - 3).requires_grad_()
    mixed = Mixed(gate, rest, 0.5)
    drawing = sampler("sampled", negatives=40_000)
    torch.manual_seed(3)
    found = sampled_item_loss(x, one, target, drawing, None, mixed)
    exact = linear_cross_entropy(x, one.item.weight[2:], target - 2, mixed=mixed)
    torch.testing.assert_close(found, exact, rtol=0.01, atol=0.0)
    leaves = (x, one.item.weight, gate, rest)
    for got, wanted in zip(torch.autograd.grad(found, leaves), torch.autograd.grad(exact, leaves), strict=True):
        assert float((got - wanted).norm() / wanted.norm()) < 0.05

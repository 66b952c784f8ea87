"""Lazy AdamW: torch's own where every row is touched, nothing elsewhere; clipping sees sparse gradients."""

from __future__ import annotations

import pytest
import torch

from components.training.optimiser import RowAdamW, clip_gradients


def pair(sparse: bool) -> tuple[torch.nn.Embedding, torch.nn.Linear]:
    torch.manual_seed(0)
    return torch.nn.Embedding(9, 4, sparse=sparse), torch.nn.Linear(4, 2)


def slope(table: torch.nn.Embedding, linear: torch.nn.Linear, rows: torch.Tensor) -> None:
    table.zero_grad()
    linear.zero_grad()
    linear(table(rows)).square().sum().backward()


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_rows_touched_at_every_step_move_as_under_adamw(decay: float) -> None:
    lazy, dense = pair(True), pair(False)
    options = {"lr": 0.05, "betas": (0.9, 0.98), "weight_decay": decay}
    ours = RowAdamW([*lazy[0].parameters(), *lazy[1].parameters()], **options, fused=True)
    theirs = torch.optim.AdamW([*dense[0].parameters(), *dense[1].parameters()], **options)
    rows = torch.cat([torch.arange(9), torch.tensor([3, 3])])  # all, some twice
    for _ in range(6):
        slope(*lazy, rows)
        slope(*dense, rows)
        ours.step()
        theirs.step()
    torch.testing.assert_close(lazy[0].weight, dense[0].weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(lazy[1].weight, dense[1].weight, rtol=1e-5, atol=1e-6)


def test_a_row_has_its_own_clock() -> None:
    """Touched at steps 0 and 5 a row moves as if these were steps 0 and 1; others stay where they are."""
    table, linear = pair(True)
    before = table.weight.detach().clone()
    linear.requires_grad_(False)
    optimiser = RowAdamW(table.parameters(), lr=0.05, weight_decay=0.0, fused=True)
    for step in range(6):
        slope(table, linear, torch.tensor([1]) if step in (0, 5) else torch.tensor([2]))
        optimiser.step()
    assert table.weight[[0, *range(3, 9)]].equal(before[[0, *range(3, 9)]])
    alone, linear = pair(True)
    linear.requires_grad_(False)
    optimiser = RowAdamW(alone.parameters(), lr=0.05, weight_decay=0.0, fused=True)
    for _ in range(2):
        slope(alone, linear, torch.tensor([1]))
        optimiser.step()
    assert alone.weight[1].equal(table.weight[1])


@pytest.mark.parametrize("longest", [0.1, 1e6])
def test_sparse_gradients_are_clipped_like_dense_ones(longest: float) -> None:
    lazy, dense = pair(True), pair(False)
    rows = torch.tensor([3, 3, 5])
    slope(*lazy, rows)
    slope(*dense, rows)
    norms = [clip_gradients([*one[0].parameters(), *one[1].parameters()], longest) for one in (lazy, dense)]
    torch.testing.assert_close(norms[0], norms[1])
    assert lazy[0].weight.grad is not None
    torch.testing.assert_close(lazy[0].weight.grad.to_dense(), dense[0].weight.grad)
    torch.testing.assert_close(lazy[1].weight.grad, dense[1].weight.grad)

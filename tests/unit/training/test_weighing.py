"""Weights of losses: fixed ones are a plain sum, learned ones settle at the losses' own scale."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from components.training.loop import Trainer
from components.training.weighing import LossWeights
from tests.networks import fitted, predictor
from tests.toy import toy_store

HEADS = {"item": 1.0, "action": 0.3, "time": 0.1}


def test_fixed_weights_are_a_weighted_sum() -> None:
    found = LossWeights(HEADS, "fixed")(torch.tensor([2.0, 10.0, 30.0]), torch.tensor([1.0, 2.0, 3.0]))
    assert float(found) == pytest.approx(8.0)
    assert not list(LossWeights(HEADS, "fixed").parameters())


def test_learned_weights_start_at_the_fixed_ones() -> None:
    one, losses = LossWeights(HEADS, "learned"), torch.tensor([2.0, 10.0, 30.0], requires_grad=True)
    one(losses, torch.ones(3)).backward()
    assert losses.grad is not None
    torch.testing.assert_close(losses.grad, torch.tensor([1.0, 0.3, 0.1]))
    torch.testing.assert_close(one.weights(), torch.tensor([1.0, 0.3, 0.1]))


def test_learned_weights_settle_where_each_loss_is_worth_as_much() -> None:
    """The best s is the logarithm of the mean loss per target, whatever the number of targets."""
    one, count = LossWeights(HEADS, "learned"), torch.tensor([5.0, 100.0, 1.0])
    mean = torch.tensor([4.0, 0.5, 9.0])
    optimiser = torch.optim.LBFGS(one.parameters(), max_iter=100)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        total = one(mean * count, count)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    for _ in range(5):
        optimiser.step(closure)  # type: ignore[arg-type]
    torch.testing.assert_close(one.weights(), 0.5 / mean, rtol=1e-2, atol=1e-3)


def test_a_negative_loss_does_not_run_away() -> None:
    one = LossWeights({"time": 1.0}, "learned")
    optimiser = torch.optim.SGD(one.parameters(), lr=1.0)
    for _ in range(200):
        optimiser.zero_grad()
        one(torch.tensor([-3.0]), torch.ones(1)).backward()
        optimiser.step()
    assert float(one.weights()[0]) < 75


def test_learned_weights_are_in_the_curves_and_survive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, loop = toy_store(n_users=10), {"epochs": 1, "checkpoint_every_steps": 1, "loss_weights": "learned"}
    whole = fitted(store, predictor("gru", loop=loop))
    first, last = ([row for row in whole.curves if "weight_action" in row][i] for i in (0, -1))
    assert first["weight_action"] != last["weight_action"]
    take, killed = Trainer.take, predictor("gru", loop=loop)
    killed.checkpoints = tmp_path
    monkeypatch.setattr(Trainer, "take", lambda self, *a: take(self, *a) if self.state.step < 1 else _stop())
    with pytest.raises(KeyboardInterrupt):
        fitted(store, killed)
    monkeypatch.setattr(Trainer, "take", take)
    again = fitted(store, killed)
    assert again.curves == whole.curves
    for name, tensor in whole.model.state_dict().items():
        assert again.model.state_dict()[name].equal(tensor), name


def _stop() -> None:
    raise KeyboardInterrupt

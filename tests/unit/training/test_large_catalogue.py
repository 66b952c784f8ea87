"""Training against drawn items: learns the same rule, resumes to the same weights, and leaves unread rows alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.training.checkpoint import Checkpoints
from components.training.loop import Trainer
from tests.networks import fitted, ndcg, popularity_ndcg, predictor
from tests.toy import toy_store

ITEM_ONLY = {"inputs": ["item"], "heads": {"item": 1.0}}


def drawn(kind: str, **changes: object) -> dict[str, object]:
    return {
        "item_loss": {"kind": kind, "negatives": 8, "alpha": 0.5, "logq": True, "t": 0.75, "softmax_weight": 0.0}
        | changes
    }


@pytest.mark.parametrize(("kind", "epochs"), [("sampled", 8), ("gbce", 30)])  # binary losses learn slowly
def test_the_rule_is_learned_from_drawn_items(kind: str, epochs: int) -> None:
    store = toy_store(n_users=60)
    one = fitted(store, predictor("gru", loop={"epochs": epochs, "patience": 30, **drawn(kind)}, **ITEM_ONLY))
    assert ndcg(store, one) > popularity_ndcg(store) + 0.3


def test_a_killed_run_against_drawn_items_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moments and clocks of the rows are in the checkpoint."""
    store, loop = toy_store(), {"epochs": 2, "checkpoint_every_steps": 2, **drawn("sampled")}
    whole = fitted(store, predictor("gru", loop=loop))
    take, killed = Trainer.take, predictor("gru", loop=loop)
    killed.checkpoints = tmp_path
    monkeypatch.setattr(Trainer, "take", lambda self, *a: take(self, *a) if self.state.step < 4 else _stop())
    with pytest.raises(KeyboardInterrupt):
        fitted(store, killed)
    monkeypatch.setattr(Trainer, "take", take)
    found = Checkpoints(tmp_path).newest()
    assert found is not None
    assert found.step == 4
    again = fitted(store, killed)
    for name, tensor in whole.model.state_dict().items():
        assert again.model.state_dict()[name].equal(tensor), name


def _stop() -> None:
    raise KeyboardInterrupt


def test_an_item_that_is_never_read_or_drawn_keeps_its_vector() -> None:
    store = toy_store(n_items=400, n_users=5, events_per_user=10)
    one = predictor("gru", loop={"epochs": 1, **drawn("sampled", alpha=1.0)}, **ITEM_ONLY)
    fitted(store, one)
    torch.manual_seed(3)
    fresh = type(one.model)(one.model.config).embedding.table.item.weight
    moved = (one.model.embedding.table.item.weight != fresh).any(1).numpy()
    assert 5 < np.sum(moved) < 200

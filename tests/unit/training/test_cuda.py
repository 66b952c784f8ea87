"""On a CUDA device: networks learn there as on a CPU, and what was learned there is answered the same on either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.files import read_json, write_json
from components.training.forecast import forecast
from components.training.loop import Trainer
from components.training.network import NetworkPredictor
from tests.networks import GIVEN, HIDDEN, OPTIONS, fitted, ndcg, predictor, queries_of
from tests.toy import toy_store

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def on_cuda(kind: str, **changes: Any) -> NetworkPredictor:
    loop = {"device": "cuda", "precision": "bfloat16", "epochs": 8} | changes.pop("loop", {})
    return predictor(kind, loop=loop, **changes)


def read_on_cpu(folder: Path) -> NetworkPredictor:
    record = read_json(folder / "config.json")
    record["loop"]["device"] = "cpu"
    write_json(folder / "config.json", record)
    return NetworkPredictor.load(folder)


@needs_cuda
@pytest.mark.parametrize("kind", OPTIONS)
def test_order_is_learned_in_bfloat16(kind: str) -> None:
    store = toy_store(n_users=60)
    epochs = 30 if kind == "bert" else 8
    one = fitted(store, on_cuda(kind, loop={"epochs": epochs}, inputs=["item"], heads={"item": 1.0}))
    assert ndcg(store, one) > 0.75


@needs_cuda
@pytest.mark.parametrize("kind", OPTIONS)
def test_every_head_is_answered_the_same_on_a_cpu(kind: str, tmp_path: Path) -> None:
    store = toy_store(n_users=40)
    changes: dict[str, Any] = {} if kind == "seq2seq" else {"copy_heads": 2, "item_bias": True, "distance": True}
    if kind not in ("seq2seq", "bert"):
        changes["transitions"] = {"lags": 2, "successors": 8}
    loop = {"epochs": 2, "calibration": "temperature", "average": 0.9, "finish_epochs": 1}
    one = fitted(store, on_cuda(kind, protocol=GIVEN, loop=loop, **changes))
    one.save(tmp_path / "one")
    queries = queries_of(store, one)
    there, here = one.score(queries), read_on_cpu(tmp_path / "one").score(queries)
    np.testing.assert_allclose(there.item[:, 2:], here.item[:, 2:], atol=2e-3)
    for name in ("action", "place"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), atol=1e-3)
    assert there.time is not None
    assert here.time is not None
    np.testing.assert_allclose(there.time.mean, here.time.mean, atol=2e-3)


@needs_cuda
@pytest.mark.parametrize(("kind", "enough"), [("sampled", 0.75), ("gbce", 0.5)])  # binary losses learn slowly
def test_drawn_items_teach(kind: str, enough: float) -> None:
    store = toy_store(n_users=60)
    loss = {"kind": kind, "negatives": 8, "alpha": 0.5, "logq": True, "t": 0.75, "softmax_weight": 0.0}
    one = on_cuda("gru", loop={"item_loss": loss, "epochs": 30, "patience": 30}, inputs=["item"], heads={"item": 1.0})
    assert ndcg(store, fitted(store, one)) > enough


@needs_cuda
def test_lists_are_written() -> None:
    store = toy_store(n_users=60)
    one = fitted(store, on_cuda("seq2seq", inputs=["item", "clock"], heads={"item": 1.0, "time": 0.1}))
    queries = queries_of(store, one, n=9)
    found = forecast(one.model, queries, one.precision, steps=4, span_s=None, beams=3, distinct=True)
    assert found.items.shape == (9, 4)
    assert all(len(set(row)) == 4 for row in found.items.tolist())
    assert (np.diff(found.after_s, axis=1) >= 0).all()


@needs_cuda
def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = toy_store(n_users=60)
    first, again = (on_cuda("gru", inputs=["item"], heads={"item": 1.0}) for _ in range(2))
    first.checkpoints = again.checkpoints = tmp_path
    take, steps = Trainer.take, []

    def stopped(self: Trainer, *batch: Any) -> Any:
        steps.append(self.state.step)
        if first.checkpoints is not None and len(steps) == 40:
            raise KeyboardInterrupt
        return take(self, *batch)

    monkeypatch.setattr(Trainer, "take", stopped)
    with pytest.raises(KeyboardInterrupt):
        fitted(store, first)
    first.checkpoints = None
    assert ndcg(store, fitted(store, again)) > 0.75
    assert 0 < steps[40] <= steps[39]


def test_what_was_trained_on_cuda_is_read_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = toy_store(n_users=20)
    one = fitted(store, predictor("gru", HIDDEN, loop={"epochs": 1}))
    one.save(tmp_path / "one")
    record = read_json(tmp_path / "one" / "config.json")
    record["loop"]["device"] = "cuda"
    write_json(tmp_path / "one" / "config.json", record)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = NetworkPredictor.load(tmp_path / "one")
    queries = queries_of(store, one, n=5)
    np.testing.assert_array_equal(again.score(queries).item, one.score(queries).item)
    again.save(tmp_path / "again")
    assert read_json(tmp_path / "again" / "config.json") == record

"""Small networks on toy stores, for tests of models and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from components.evaluation.protocol import Protocol, make_queries
from components.features.store import WINDOWS, Store
from components.params import NetworkParams, TrainParams
from components.predictor import NoTracker, Queries, Window
from components.training.network import NetworkPredictor

ALL_INPUTS = ["item", "action", "numbers", "clock", "cells", "device", "category", "position"]
OPTIONS: Mapping[str, dict[str, int | str | float]] = {
    "rnn": {"layers": 1},
    "lstm": {"layers": 2},
    "gru": {"layers": 2},
    "cnn_rnn": {"kernel": 3, "convolutions": 2, "cell": "gru", "layers": 1},
    "st_lstm": {"layers": 2, "gates": "both"},
    "transformer": {"layers": 2, "heads": 2, "feedforward": 2, "bias": "none"},
    "hstu": {"layers": 2, "heads": 2, "bias": "both"},
    "bert": {"layers": 1, "heads": 2, "feedforward": 2, "mask_share": 0.3},
    "seq2seq": {"layers": 1, "decoder_layers": 1, "heads": 2, "feedforward": 2, "horizon": 4},
}
OFF = {"mask": 0.0, "reorder_ties": False, "time_noise_s": 0.0, "place_noise_km": 0.0, "time_hidden": 0.0}
HIDDEN = Protocol("temporal", "hidden", "online", "kept", "miss", "source")
GIVEN = replace(HIDDEN, target_time="given")


def network_params(kind: str = "transformer", **changes: Any) -> NetworkParams:
    record = {
        "encoder": {"kind": kind, "options": OPTIONS[kind]},
        "width": 16,
        "max_history": 12,
        "dropout": 0.1,
        "inputs": ALL_INPUTS,
        "heads": {"item": 1.0, "action": 0.3, "time": 0.1, "place": 0.3},
        "time_components": 4,
        "target_time": "hidden",
        "conditioning": "film",
        "copy_heads": 0,
        "transitions": {"lags": 0, "successors": 8},
        "item_bias": False,
        "distance": False,
        "vectors": {"sources": [], "drop": 0.0},
        "temperature": None,
    }
    return NetworkParams.model_validate(record | changes)


def loop_params(**changes: Any) -> TrainParams:
    optimiser = {
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "betas": [0.9, 0.98],
        "warmup_steps": 5,
        "schedule": "constant",
        "clip_norm": 5.0,
    }
    record = {
        "epochs": 2,
        "patience": 5,
        "finish_epochs": 0,
        "choose_by": "primary",
        "tokens_per_batch": 256,
        "crops": "rolling",
        "optimiser": optimiser | changes.pop("optimiser", {}),
        "targets": "all",
        "open_intervals": True,
        "label_smoothing": 0.0,
        "item_loss": {"kind": "full", "negatives": 8, "alpha": 0.5, "logq": True, "t": 0.75, "softmax_weight": 0.0},
        "loss_weights": "fixed",
        "augment": OFF,
        "calibration": "none",
        "average": 0.0,
        "precision": "float32",
        "device": "cpu",
        "compile": False,
        "checkpoint_every_steps": 1000,
        "max_tune_queries": 200,
    }
    return TrainParams.model_validate(record | changes)


def predictor(
    kind: str = "transformer", protocol: Protocol = HIDDEN, loop: dict[str, Any] | None = None, **changes: Any
) -> NetworkPredictor:
    network = network_params(kind, **{"target_time": protocol.target_time, **changes})
    return NetworkPredictor("toy", network, loop_params(**(loop or {})), protocol, "ndcg@10", 3)


def fitted(store: Store, one: NetworkPredictor) -> NetworkPredictor:
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return one


def queries_of(store: Store, one: NetworkPredictor, window: str = "test", n: int | None = None) -> Queries:
    queries, _ = make_queries(Window(store, window), one.protocol)
    return queries if n is None else queries[slice(0, n)]


def ndcg(store: Store, one: NetworkPredictor, window: str = "test") -> float:
    """NDCG@10 of the test window, computed here from scores alone."""
    queries, targets = make_queries(Window(store, window), one.protocol)
    scores = one.score(queries).item
    rank = 1 + np.sum(scores > scores[np.arange(len(scores)), targets.item][:, None], axis=1)
    return float(np.mean(np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0)))


def popularity_ndcg(store: Store, window: str = "test") -> float:
    """NDCG@10 of the training window's most frequent items."""
    code = np.asarray(store["window"])
    count = np.bincount(np.asarray(store["item"])[code == 0], minlength=store.encoding.n_items)
    target = np.asarray(store["item"])[code == WINDOWS[window]]
    rank = 1 + np.sum(count[2:] > count[target][:, None], axis=1)
    return float(np.mean(np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0)))


def with_columns(store: Store, **columns: np.ndarray) -> Store:
    """The same store with other columns."""
    return replace(store, columns={**store.columns, **columns})

"""Does sharing one network cost a head anything? One joint model against a twin for each head, on a simulated log.

    OMP_NUM_THREADS=1 python -m benchmarks.multitask [--users 200] [--epochs 6] [--seeds 1] [--weights fixed]
        [--width 48]

Every model has the same encoder, inputs, seed and number of epochs; the joint one answers everything, a twin one
thing. Each head is judged by its own loss on the test window (nats per answer, less is better) with the state of the
last epoch; the last column is how much worse (+) or better (-) the joint model is, in per cent of the twin's.
The item head stands in every model, since the trainer needs it; a twin of another head gives it almost no weight.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from components.features.store import WINDOWS, Store
from components.params import NetworkParams, TrainParams, load_params
from components.predictor import NoTracker, Window
from components.training.batches import Corpus
from components.training.network import NetworkPredictor
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = {"item": 1.0, "action": 0.3, "time": 0.1, "place": 0.3, "place_coarse": 0.1, "category": 0.3}
SILENT = 1e-3


def log_of(users: int) -> Store:
    """A log with something to learn for every head: items follow each other; actions and pauses follow the item."""
    store = toy_store(n_users=users, n_items=60, events_per_user=60)
    rng = np.random.default_rng(0)
    item = np.asarray(store["item"])
    likely = (2 + item % 3).astype(np.int8)
    action = np.where(rng.random(len(item)) < 0.8, likely, rng.integers(2, 5, len(item))).astype(np.int8)
    return replace(store, columns={**store.columns, "action": action})


def fit(store: Store, heads: Mapping[str, float], loop: TrainParams, network: NetworkParams, seed: int) -> Any:
    """The fitted network with these heads."""
    shape = NetworkParams.model_validate(network.model_dump() | {"heads": dict(heads), "target_time": "hidden"})
    params = load_params(ROOT / "params.yaml").evaluation
    protocol = NetworkPredictor.of("gru", load_params(ROOT / "params.yaml")).protocol
    one = NetworkPredictor("one", shape, loop, replace(protocol, target_time="hidden"), params.primary, seed)
    window = np.asarray(store["window"])
    untuned = np.where(window == WINDOWS["tune"], WINDOWS["rest"], window).astype(np.int8)  # all epochs, for all
    shown = replace(store, columns={**store.columns, "window": untuned})
    one.fit(Window(shown, "train"), Window(shown, "tune"), NoTracker())
    return one.model


@torch.no_grad()
def losses_of(model: Any, store: Store) -> dict[str, float]:
    """Nats per answer of each head over the test window."""
    model.eval()
    corpus = Corpus(Window(store, "test"), model.config, "chunks", 4096, 0)
    corpus.tails = False  # what is still open at the end of the test window is no answer
    total: dict[str, float] = {}
    count: dict[str, int] = {}
    for slices in corpus.plan(0):
        batch = corpus.batch(slices)
        for head, value in model.losses(batch.tokens, batch.targets, 0.0, torch.float32).items():
            total[head] = total.get(head, 0.0) + float(value)
            count[head] = count.get(head, 0) + batch.count[head]
    return {head: value / max(count[head], 1) for head, value in total.items()}


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--weights", choices=["fixed", "learned"], default="fixed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    params = load_params(ROOT / "params.yaml")
    network = params.training.models["gru"].network
    if network is None:
        raise SystemExit("params.yaml has no network `gru`")
    network = network.model_copy(update={"width": options.width})
    base = params.training.loop.model_dump() | {"epochs": options.epochs, "calibration": "none"}
    fixed = TrainParams.model_validate(base)
    loop = TrainParams.model_validate(base | {"loss_weights": options.weights})
    store = log_of(options.users)
    rows = []
    for seed in range(options.seeds):
        joint = losses_of(fit(store, WEIGHTS, loop, network, seed), store)
        for head in joint:
            heads = {"item": 1.0} if head == "item" else {"item": SILENT, head: 1.0}
            twin = losses_of(fit(store, heads, fixed, network, seed), store)[head]
            worse = 100 * (joint[head] - twin) / abs(twin)
            rows.append({"seed": seed, "head": head, "joint": joint[head], "twin": twin, "worse_percent": worse})
            print(f"seed {seed}  {head:12}  joint {joint[head]:8.4f}  twin {twin:8.4f}  {worse:+6.2f} %", flush=True)
    if options.json:
        made_by = {name: getattr(options, name) for name in ("users", "epochs", "weights", "width")}
        options.json.write_text(json.dumps(made_by | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()

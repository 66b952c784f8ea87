"""ML-1M, leave-one-out, full ranking: the sequence models against the published table.

    python -m benchmarks.ml1m --data ../shared/data/ml-1m [--set network.width=128 --set loop.epochs=60] [--json OUT]

The last event of each user is the test, the one before it the tune window, chosen on and never reported; the model
sees the events before the one that is asked, of which the catalogue is the training window's. Needs torch, numpy,
scipy, polars, pydantic, safetensors, pyyaml; a GPU is used where there is one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from components.evaluation.protocol import Protocol
from components.features.encoding import Catalogue, Encoding, Vocabulary
from components.features.store import WINDOWS, Store
from components.files import write_json
from components.params import NetworkParams, TrainParams
from components.predictor import NoTracker, Window
from components.training.network import NetworkPredictor
from components.training.tune import Judge, mean_metric

METRICS = ("hr@1", "hr@10", "ndcg@10", "hr@50", "ndcg@50", "mrr")
PROTOCOL = Protocol("leave_one_out", "hidden", "online", "filtered", "miss", "source")


def read_store(folder: Path) -> Store:
    """The file as a store: windows leave-one-out, time an ordinal."""
    with gzip.open(folder / "sequences.txt.gz", "rt") as stream:
        user, item = np.loadtxt(stream, dtype=np.int64).T
    order = np.argsort(user, kind="stable")
    return leave_one_out_store(user[order], item[order])


def leave_one_out_store(user: np.ndarray, item: np.ndarray) -> Store:
    """A store of (N,) users, ascending, and (N,) items, in each user's order; nothing but the order is known."""
    ids, start = np.unique(user, return_index=True)
    offsets = np.append(start, len(user)).astype(np.int64)
    length = np.diff(offsets)
    place = np.arange(len(user)) - np.repeat(start, length)
    left = np.repeat(length, length) - 1 - place
    window = np.select([left == 0, left == 1], [WINDOWS["test"], WINDOWS["tune"]], WINDOWS["train"]).astype(np.int8)
    window[np.repeat(length < 3, length)] = WINDOWS["train"]
    known = np.unique(item[window == WINDOWS["train"]])
    found = np.minimum(np.searchsorted(known, item), len(known) - 1)
    code = np.where(known[found] == item, found + 2, 1).astype(np.int32)
    n, V = len(user), len(known) + 2
    nan = np.full(V, np.nan, np.float32)
    blank = np.array([""] * V, dtype=object)
    encoding = Encoding(
        vocabularies={
            "item": Vocabulary.of([str(one) for one in known]),
            "action": Vocabulary.of(["rate"]),
            "device": Vocabulary.of([]),
            "category": Vocabulary.of([]),
        },
        scales={},
        catalogue=Catalogue(np.zeros(V, np.int32), nan, nan, nan, blank, blank, blank),
        settings={"cells": [], "time_kind": "ordinal", "timezone": "UTC", "numbers": []},
    )
    zeros = {name: np.zeros(n, dtype) for name, dtype in (("utc_offset_min", "int16"), ("local_hour", "int8"))}
    columns = {
        "item": code,
        "action": np.full(n, 2, np.int8),
        "time_s": place.astype(np.int64),
        **zeros,
        "gap_s": np.where(place > 0, 1, -1).astype(np.int64),
        "session": np.zeros(n, np.int32),
        "latitude": np.full(n, np.nan, np.float32),
        "longitude": np.full(n, np.nan, np.float32),
        "window": window,
        "target": window > 0,
    }
    users = np.array([str(one) for one in ids], dtype=object)
    return Store(users, offsets, columns, np.zeros((n, 0), np.float32), np.zeros(n, np.uint16), encoding)


def predictor_of(record: dict[str, Any], seed: int, checkpoints: Path | None = None) -> NetworkPredictor:
    """The network that a configuration file describes; with a folder, it goes on where it was stopped."""
    network, loop = NetworkParams.model_validate(record["network"]), TrainParams.model_validate(record["loop"])
    return NetworkPredictor("transformer", network, loop, PROTOCOL, record["primary"], seed, checkpoints)


def evaluate(predictor: NetworkPredictor, store: Store, name: str) -> dict[str, float]:
    """Every metric of a window; ranks over the full catalogue, seen items filtered."""
    judge = Judge.of(Window(store, name), PROTOCOL, predictor.primary, 1 << 30, 0)
    ranks = judge.ranks(predictor.model, predictor.precision)
    return {metric: mean_metric(metric, ranks) for metric in METRICS}


def _override(record: dict[str, Any], assignment: str) -> None:
    path, _, text = assignment.partition("=")
    *parents, last = path.split(".")
    for name in parents:
        record = record[name]
    if last not in record:
        raise SystemExit(f"no `{path}` in the configuration")
    record[last] = yaml.safe_load(text)


def main() -> None:
    """Train per seed, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sequences.txt.gz")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "configs" / "ml1m.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="e.g. network.width=128")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    record = yaml.safe_load(options.config.read_text())
    for assignment in options.set:
        _override(record, assignment)
    store = read_store(options.data)
    print(f"{store.n_users:,} users, {store.encoding.n_items - 2:,} items, {store.n_events:,} events")
    rows: list[dict[str, Any]] = []
    for seed in range(record["seed"], record["seed"] + options.seeds):
        parts = options.json.with_name(options.json.name + f".{seed}") if options.json else None
        predictor, begin = predictor_of(record, seed, parts), time.monotonic()
        predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        seconds = time.monotonic() - begin
        best = max(row.get(f"tune_{predictor.primary}", 0.0) for row in predictor.curves)
        epochs = int(predictor.curves[-1]["epoch"]) + 1
        row = {"seed": seed, "epochs": epochs, "train_seconds": round(seconds, 1), f"tune_{predictor.primary}": best}
        rows.append({**row, "test": evaluate(predictor, store, "test")})
        print(json.dumps(rows[-1]), flush=True)
        if options.json:
            write_json(options.json, {"config": record, "protocol": PROTOCOL.record(), "rows": rows})


if __name__ == "__main__":
    main()

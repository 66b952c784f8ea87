"""Marked event streams (Taxi, Taobao): when the next event comes and of which type, against published figures.

    python -m benchmarks.streams --data DIR/taxi --unit-s 1000000 [--seeds 3] [--json OUT]
    python -m benchmarks.streams --data DIR/taobao --unit-s 1000000

`--unit-s` is how many seconds stand for one unit of the file (an hour in both): the contract's gaps are whole
seconds, and the smallest gaps must not be rounded away; figures are given per unit again. Times
are the sums of `time_since_last_event`, which published figures use (Taobao's two lists differ for 6 % of the events).

The files give train, dev and test; dev chooses the weights, test is asked once, one step ahead of every event but the
first of a sequence, which published figures leave out. Log-likelihood is per event, time (per unit of the file) plus
type; sequences end where they were cut, so no open interval is scored (the files give no end). Beside the model:
constants, and the last type again. `--model blend` mixes the parts of `training.blend`, recurrent encoders of one
size, by weights that the later half of dev chooses; its earlier half stops their training.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components import learners
from components.benchmark.load import Options, load_log
from components.evaluation.judge import judge
from components.evaluation.judgement import QUANTILES, Judgement
from components.evaluation.protocol import Protocol
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split
from components.files import write_json
from components.params import Params
from components.predictor import NoTracker, Predictor, Window
from components.ranking.stage import blend_of

RECURRENT = ("gru", "lstm", "cnn_rnn", "rnn")
_CONFIG = Path(__file__).parent / "configs" / "streams.yaml"


def figures(judgement: Judgement, unit_s: float) -> dict[str, float]:
    """Figures of all queries but those for the first event of a sequence."""
    table = judgement.table.filter(pl.col("history") > 0)
    ranks = table["ranks"].list.first().to_numpy()
    time_ll = table["time_ll"].to_numpy().astype(np.float64) + np.log(unit_s)
    gap = table["gap_s"].to_numpy() / unit_s
    quantiles = np.stack(table["time_q"].to_list()).astype(np.float64) / unit_s
    q = {p: quantiles[:, i] for i, p in enumerate(QUANTILES)}
    return {
        "events": len(table),
        "log_likelihood": float(np.mean(time_ll + table["log_p"].to_numpy())),
        "log_likelihood_time": float(np.mean(time_ll)),
        "log_likelihood_type": float(table["log_p"].mean()),  # type: ignore[arg-type]
        "type_error_percent": float(100 * np.mean(ranks > 1)),
        "mae_median": float(np.mean(np.abs(gap - q[0.5]))),
        "coverage_80": float(np.mean((gap >= q[0.1]) & (gap <= q[0.9]))),
    }


def constants(store: Store, unit_s: float) -> dict[str, float]:
    """What needs no model: the median gap, the commonest type and the last type again."""
    window, first = np.asarray(store["window"]), np.asarray(store["gap_s"]) < 0
    train, test = (window == 0) & ~first, (window == 3) & ~first
    gap, item = np.asarray(store["gap_s"]) / unit_s, np.asarray(store["item"])
    middle = np.median(gap[train])
    again = item[np.flatnonzero(test) - 1]
    return {
        "mae_constant_median": float(np.mean(np.abs(gap[test] - middle))),
        "type_error_majority_percent": float(100 * np.mean(item[test] != np.bincount(item[train]).argmax())),
        "type_error_last_again_percent": float(100 * np.mean(item[test] != again)),
    }


def run(folder: Path, config: Path, seeds: int, unit_s: float, model: str) -> dict[str, Any]:
    """Train per seed and ask the test file."""
    options = Options(
        source="marked_streams",
        train=folder / "train.jsonl.gz",
        valid=folder / "dev.jsonl.gz",
        test=folder / "test.jsonl.gz",
        params=config,
        models=RECURRENT,
    )
    clock = {"events": {"source": {"options": {"unit_s": unit_s, "times": "time_since_last_event"}}}}
    params, events, items, users = load_log(options, logging.info, clock)
    protocol = Protocol.of(params.evaluation, "temporal")
    store = frame_to_store(events, items, users, params, Split("temporal"))
    rows = [_row(model, store, params, protocol, params.workspace.seed + seed, unit_s) for seed in range(seeds)]
    names = [name for name in rows[0] if name not in ("seed", "train_seconds", "events")]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in names}
    return {
        "data": folder.name,
        "model": model,
        "unit_s": unit_s,
        "constants": constants(store, unit_s),
        "mean": mean,
        "rows": rows,
    }


def _fitted(model: str, store: Store, params: Params, protocol: Protocol) -> Predictor:
    """One network, or the blend of several."""
    if model != "blend":
        predictor = learners.build(model, params)
        predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        return predictor
    parts = {name: _fitted(name, store, params, protocol) for name in params.training.blend.parts}
    blend = blend_of("blend", parts, params, protocol)
    blend.fit_weights(Window(store, "blend"))
    return blend


def _row(model: str, store: Store, params: Params, protocol: Protocol, seed: int, unit_s: float) -> dict[str, Any]:
    seeded = params.model_copy(update={"workspace": params.workspace.model_copy(update={"seed": seed})})
    begin = time.process_time()
    predictor = _fitted(model, store, seeded, protocol)
    spent = round(time.process_time() - begin, 1)
    found = judge(predictor, Window(store, "test"), protocol, max_queries=params.evaluation.max_queries, seed=0)
    row = {"seed": seed, "train_seconds": spent, **figures(found, unit_s)}
    logging.info("%s", row)
    return row


def main() -> None:
    """Run, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train, dev and test.jsonl.gz")
    parser.add_argument("--unit-s", type=float, required=True)
    parser.add_argument("--config", type=Path, default=_CONFIG)
    parser.add_argument("--model", default="gru", help="a network of the config, or blend")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    record = run(arguments.data, arguments.config, arguments.seeds, arguments.unit_s, arguments.model)
    for name in ("constants", "mean"):
        logging.info("%s: %s", name, "  ".join(f"{key} {value:.4f}" for key, value in record[name].items()))
    if arguments.json:
        write_json(arguments.json, record)


if __name__ == "__main__":
    main()

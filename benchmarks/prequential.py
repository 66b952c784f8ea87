"""What a live state is worth: every event of the test window predicted before it is sent, live against frozen.

    OMP_NUM_THREADS=1 python -m benchmarks.prequential --data DIR [--models NAMES] [--users N] [--json OUT]

DIR holds `foursquare-nyc` and `ml-100k`. Temporal windows; the model is fitted on train and tune (a blend on the blend
window too), told of everything before the test window, and packed. Then the test window goes through the live path,
event by event: `components.serving.prequential`. Nothing is chosen on it. Target time hidden: a question knows when it
is asked only as far as the last visible event tells.
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components import learners
from components.benchmark.load import Options, load_log
from components.evaluation.judge import between, teach
from components.evaluation.protocol import Protocol
from components.features.build import frame_to_store
from components.features.store import WINDOWS, Store
from components.features.windows import Split
from components.files import write_json
from components.params import Params
from components.predictor import NoTracker, Predictor, Window
from components.ranking.stage import blend_of
from components.registry.artifact import LoadedArtifact, Manifest
from components.registry.promotions import Entry
from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.prequential import events_of, replay
from components.serving.state.memory import MemoryState
from components.serving.watch import Alone

LOGS: Mapping[str, Mapping[str, Any]] = {
    "Foursquare New York": {
        "source": "foursquare",
        "train": "foursquare-nyc/train.csv.gz",
        "test": "foursquare-nyc/val.csv.gz",
        "params": "benchmarks/configs/nyc.yaml",
        "seen": "kept",
        "models": ("memory",),
    },
    "MovieLens 100K": {
        "source": "recbole",
        "path": "ml-100k",
        "params": "benchmarks/configs/ml100k.yaml",
        "seen": "filtered",
        "models": ("memory", "gru"),
    },
}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", help="of the benchmark's params, separated by commas; default: those of the log")
    parser.add_argument("--logs", default=",".join(LOGS), help="names, separated by commas")
    parser.add_argument("--users", type=int, help="replay so many users, drawn once")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = []
    for name in args.logs.split(","):
        models = args.models.split(",") if args.models else LOGS[name]["models"]
        rows += measured(name, args.data, models, args.users)
    record = {"target_time": "hidden", "rows": rows}
    print(json.dumps(record, indent=2))
    if args.json:
        write_json(args.json, record)


def measured(log: str, data: Path, models: Sequence[str], users: int | None) -> list[dict[str, Any]]:
    """One row for each model on one log."""
    told = LOGS[log]
    paths = {name: data / told[name] for name in ("path", "train", "test") if name in told}
    options = Options(
        source=told["source"], target_time="hidden", seen=told["seen"], params=Path(told["params"]), **paths
    )
    params, events, items, people = load_log(options, say)
    store = frame_to_store(events, items, people, params, Split("temporal"))
    begin = dt.datetime.fromtimestamp(int(np.asarray(store["time_s"])[Window(store, "test").events[0]]), dt.UTC)
    window = pl.col("window") == "test" if "window" in events.columns else pl.col("timestamp") >= begin
    test = events.filter(window)
    if users is not None:
        names = np.unique(test["user_id"].to_numpy())
        chosen = np.random.default_rng(params.workspace.seed).permutation(names)[:users]
        test = test.filter(pl.col("user_id").is_in(chosen.tolist()))
    return [_row(log, name, store, params, test) for name in models]


def _row(log: str, name: str, store: Store, params: Params, test: pl.DataFrame) -> dict[str, Any]:
    say(f"{log}, {name}: fitting")
    predictor = fitted(name, store, params)
    teach(predictor, store, between(store, "test"))
    histories = before_test(store)
    live_one, frozen = (champion_of(copy.deepcopy(predictor), histories, params) for _ in range(2))
    live = Live(Alone(live_one), MemoryState(), params)
    seconds = time.monotonic()

    def progress(sent: int) -> None:
        if sent % 2_000 == 0:
            say(f"{log}, {name}: {sent:,} of {test.height:,} events, {time.monotonic() - seconds:.0f} s")

    tally = replay(events_of(test), live, frozen, told=progress)
    evaluation = params.evaluation
    found = tally.report(evaluation.bootstrap, evaluation.confidence, params.workspace.seed)
    return {"log": log, "model": name, "events": test.height, "seen": evaluation.seen} | found


def fitted(name: str, store: Store, params: Params) -> Predictor:
    """The predictor as it was judged, before anything of the test window; a blend fits its parts first."""
    train, tune = Window(store, "train"), Window(store, "tune")
    mixed = params.training.mixed
    if name not in mixed:
        predictor = learners.build(name, params)
        predictor.fit(train, tune, NoTracker())
        return predictor
    parts = {part: fitted(part, store, params) for part in mixed[name].parts}
    whole = blend_of(name, parts, params, Protocol.of(params.evaluation))
    whole.fit_weights(Window(store, "blend"))
    return whole


def before_test(store: Store) -> Store:
    """Every user's events before the test window."""
    keep = np.asarray(store["window"]) < WINDOWS["test"]
    count = np.bincount(store.user[keep], minlength=store.n_users)
    return Store(
        users=store.users[count > 0],
        offsets=np.concatenate([[0], np.cumsum(count[count > 0])]).astype(np.int64),
        columns={column: np.asarray(values)[keep] for column, values in store.columns.items()},
        numbers=np.asarray(store.numbers)[keep],
        missing=np.asarray(store.missing)[keep],
        encoding=store.encoding,
    )


def champion_of(predictor: Predictor, histories: Store, params: Params) -> Champion:
    """The predictor as if it had been promoted."""
    digest = "0" * 64
    artifact = LoadedArtifact(
        folder=Path(),
        manifest=Manifest(digest, digest, {}),
        name=predictor.name,
        predictor=predictor,
        encoding=histories.encoding,
        histories=histories,
        lineage={"protocol": Protocol.of(params.evaluation).record()},
    )
    entry = Entry.model_construct(sequence=1, model=predictor.name, digest=digest)
    return Champion(entry, artifact)


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""Update against retraining: time and quality on the same new days, with replay and without.

    OMP_NUM_THREADS=1 python -m benchmarks.update --source city [--json OUT]
    OMP_NUM_THREADS=1 python -m benchmarks.update --source foursquare --path train.csv.gz [--json OUT]

The first `--known` of a log in order of time is all that the champion has seen, a tune window at its end. Then the
rest comes. A network of the same shape is trained from nothing on all that is training now; the champion is
updated, with each share of replay; and it stays as it is. All are asked the same newest window, which nobody has seen,
in `--rounds` that differ by their seeds. Differences are to the retraining, paired and drawn by user; seconds are of
the processor, fitting alone.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.machine import machine
from components.benchmark.load import Options, load_log
from components.evaluation.judge import judge
from components.evaluation.significance import Bootstrap, over_seeds
from components.features.build import frame_to_store
from components.features.pack import pack
from components.features.store import WINDOWS, Store
from components.files import write_json
from components.params import Params
from components.predictor import NoTracker, Window
from components.training.network import NetworkPredictor
from components.training.replay import Replay

_CONFIG = Path(__file__).parent / "configs" / "update.yaml"
_DRAWS = 1000
_SPANS = {"tune": "10%", "blend": "0d", "test": "10%"}
Values = NDArray[np.float64]


def network(name: str, params: Params, seed: int) -> NetworkPredictor:
    """The network of the params, unfitted."""
    return NetworkPredictor.of(name, params, seed)


def fitted(one: NetworkPredictor, store: Store) -> float:
    """Fit it; seconds of the processor."""
    begin = time.process_time()
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return time.process_time() - begin


def updated(champion: NetworkPredictor, known: Store, params: Params, share: float, seed: int) -> NetworkPredictor:
    """The champion about to learn what is new, as `chronotope update` has it learn."""
    one = network(champion.name, params, seed)
    optimiser = one.loop.optimiser.model_copy(update={"learning_rate": params.update.learning_rate})
    changed = {"epochs": params.update.epochs, "patience": params.update.epochs, "optimiser": optimiser}
    one.loop = one.loop.model_copy(update=changed)
    one.origin = champion.as_origin(known.encoding, "")
    train = np.asarray(known["window"]) == WINDOWS["train"]
    one.replay = Replay(int(np.asarray(known["time_s"])[train].max()), share)
    return one


def asked(one: NetworkPredictor, store: Store, params: Params) -> tuple[Values, NDArray[np.integer]]:
    """The primary metric of each query of the test window, and who asked it."""
    found = judge(
        one, Window(store, "test"), one.protocol, max_queries=params.evaluation.max_queries, seed=params.workspace.seed
    )
    return found.metric(params.evaluation.primary), found.user


def run(options: Options, name: str, known_share: float, shares: list[float], rounds: int) -> dict[str, Any]:
    """Everything, as it is written."""
    params, events, items, users = load_log(options, print)
    params = params.model_copy(update={"windows": params.windows.model_copy(update=_SPANS)})
    events = events.sort("timestamp", "source_seq")
    early = events[: int(known_share * len(events))]
    known, whole = (frame_to_store(part, items, users, params, "temporal") for part in (early, events))
    asked_of = {
        "retrained": whole,
        **{f"updated, replay {share:g}": whole for share in shares},
        "not updated": recoded(events, known, whole, params),
    }
    values: dict[str, list[Values]] = {way: [] for way in asked_of}
    seconds: dict[str, list[float]] = {way: [] for way in asked_of}
    learned = {"retrained": int(np.sum(np.asarray(whole["window"]) == WINDOWS["train"])), "not updated": 0}
    user: NDArray[np.integer] = np.empty(0, np.int64)
    for seed in range(rounds):
        champion = network(name, params, seed)
        fitted(champion, known)
        for way, store in asked_of.items():
            one, spent = champion, 0.0
            if way != "not updated":
                share = None if way == "retrained" else float(way.rpartition(" ")[2])
                one = network(name, params, seed) if share is None else updated(champion, known, params, share, seed)
                spent = fitted(one, whole)
            if one.replay is not None:
                counts = one.replay.counts(whole, one.network.max_history, one.seed)
                learned[way] = counts["new"] + counts["again"]
            found, user = asked(one, store, params)
            values[way].append(found)
            seconds[way].append(spent)
            print(f"round {seed + 1}, {way}: {np.nanmean(found):.4f}, {spent:.0f} s")
    bootstrap = Bootstrap(user, _DRAWS, params.evaluation.confidence, params.workspace.seed)
    return {
        "source": options.source,
        "primary": params.evaluation.primary,
        "rounds": rounds,
        "events": {"all": len(events), "known": len(early)},
        "queries": len(user),
        "rows": [_row(way, values, seconds, learned[way], bootstrap) for way in asked_of],
        "machine": machine(),
    }


def _row(
    way: str, values: dict[str, list[Values]], seconds: dict[str, list[float]], learned: int, bootstrap: Bootstrap
) -> dict[str, Any]:
    away = [one - base for one, base in zip(values[way], values["retrained"], strict=True)]
    value, difference = over_seeds(values[way], bootstrap)[0], over_seeds(away, bootstrap)[0]
    return {
        "way": way,
        "learned": learned,
        "seconds": float(np.mean(seconds[way])),
        "of_retraining": float(np.mean(seconds[way]) / np.mean(seconds["retrained"])),
        "value": value.record(),
        "difference": difference.record(),
    }


def recoded(events: pl.DataFrame, known: Store, whole: Store, params: Params) -> Store:
    """The whole log in the champion's encoding, under the same windows."""
    own = pack(events, known.encoding, params)
    return replace(own, columns={**own.columns, "window": whole["window"], "target": whole["target"]})


def main() -> None:
    """Run, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--path", type=Path, help="of the log; the simulated city has none")
    parser.add_argument("--model", default="gru")
    parser.add_argument("--config", type=Path, default=_CONFIG)
    parser.add_argument("--known", type=float, default=0.9, help="share of the events that the champion has seen")
    parser.add_argument("--replay", default="0,0.3,1", help="shares of the older events that are learned again")
    parser.add_argument("--rounds", type=int, default=1, help="trainings of each, under seeds of their own")
    parser.add_argument("--json", type=Path)
    asked_for = parser.parse_args()
    options = Options(source=asked_for.source, path=asked_for.path, params=asked_for.config)
    shares = [float(share) for share in asked_for.replay.split(",")]
    record = run(options, asked_for.model, asked_for.known, shares, asked_for.rounds)
    for row in record["rows"]:
        value, away = row["value"], row["difference"]
        print(
            f"{row['way']:20} {value['value']:.4f} ({value['low']:.4f}–{value['high']:.4f})  "
            f"{away['value']:+.4f} ({away['low']:+.4f} to {away['high']:+.4f})  {row['seconds']:.0f} s"
        )
    if asked_for.json:
        write_json(asked_for.json, record)


if __name__ == "__main__":
    main()

"""Are items that nobody has touched recommended? The same network with and without what is written about items.

    OMP_NUM_THREADS=1 python -m benchmarks.cold nyc --data DIR [--models none,words] [--json OUT]
    OMP_NUM_THREADS=1 python -m benchmarks.cold retail --data DIR [--json OUT]

DIR holds the folders of the data sets (`foursquare-nyc`, `online-retail`). The log is split in time, the test window
comes last. A tenth of the items of the training window is drawn (by the seed of the params), and their training events
are taken out; they stay in the item table, and their later events in the later windows. Items that first come after
training are not in the table: it is as it was then. All networks share seed, configuration and epochs;
`benchmarks/configs/cold_*.yaml` says how they differ. The whole table is ranked, cold items among warm ones, and
differences are paired by user. `--models` may name counters and baselines as well: they rank a cold item once somebody
has touched it, or (`content`) by its words. What is done is kept beside the JSON, and not done again.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components import learners
from components.benchmark.load import Options, load_log
from components.code import CODE, code_digest
from components.evaluation.data import data_digest, data_record
from components.evaluation.judge import judge
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol
from components.evaluation.significance import Bootstrap, paired_difference
from components.features.build import frame_to_store
from components.features.store import WINDOWS, Store
from components.features.windows import Split, edges, window_of
from components.files import digest_of, read_json, replace_folder, write_json
from components.params import Params
from components.predictor import NoTracker, Window

CONFIGS = Path(__file__).parent / "configs"
METRICS = ("hr@10", "ndcg@10")
SHARE = 0.1
Record = dict[str, Any]


def options_of(log: str, data: Path, config: Path) -> Options:
    """Where a log lies and what is asked of it."""
    found = {
        "nyc": ("foursquare", data / "foursquare-nyc" / "train.csv.gz"),
        "retail": ("online_retail", data / "online-retail"),
    }
    source, path = found[log]
    return Options(source=source, path=path, params=config)


@dataclass(frozen=True)
class Held:
    """A log without the training events of some items.

    Attributes
    ----------
    events : with a column `window`
    items : the item table as it was when training ended
    cold : ids of the items held out
    removed : training events that are gone
    """

    events: pl.DataFrame
    items: pl.DataFrame
    cold: list[str]
    removed: int


def held_out(events: pl.DataFrame, items: pl.DataFrame, params: Params) -> Held:
    """Draw the cold items and take their training events out."""
    time_s = events["timestamp"].dt.epoch("s").to_numpy()
    names = {code: name for name, code in WINDOWS.items()}
    window = pl.Series("window", [names[code] for code in window_of(time_s, edges(time_s, params.windows)).tolist()])
    log = events.with_columns(window)
    trained = log.filter(pl.col("window") == "train")["item_id"].drop_nulls().unique().sort()
    draw = np.random.default_rng(params.workspace.seed).permutation(len(trained))
    cold = trained.gather(np.sort(draw[: round(SHARE * len(trained))])).to_list()
    gone = (pl.col("window") == "train") & pl.col("item_id").is_in(cold)
    known = items.filter(pl.col("item_id").is_in(trained.to_list()))
    return Held(log.filter(~gone.fill_null(False)), known, cold, int(log.select(gone.sum()).item()))


def parts(judgement: Judgement, store: Store) -> dict[str, NDArray[np.bool_]]:
    """Name → (Q,) which questions: those whose answer is warm, or cold, and of each those new to the user who asks."""
    target = judgement.targets
    cold, warm = target >= store.encoding.n_trained, (target > 1) & (target < store.encoding.n_trained)
    new = ~judgement.table["repeat"].to_numpy()
    return {"warm": warm, "warm_new": warm & new, "cold": cold, "cold_new": cold & new}


def estimates(judgement: Judgement, store: Store, params: Params, base: Judgement | None) -> Record:
    """Part → questions, metrics and, where there is a base, differences to it."""
    found: Record = {}
    for name, asked in parts(judgement, store).items():
        users = judgement.user[asked]
        bootstrap = Bootstrap(users, params.evaluation.bootstrap, params.evaluation.confidence, params.workspace.seed)
        found[name] = {"questions": int(asked.sum()), "users": len(np.unique(users))}
        for metric in METRICS:
            own = judgement.metric(metric)[asked]
            found[name][metric] = bootstrap.mean(own).record()
            if base is not None:
                other = base.metric(metric)[asked]
                found[name][f"{metric} against none"] = paired_difference(own, other, bootstrap).record()
    return found


def judged(name: str, store: Store, params: Params, window: str) -> tuple[Judgement, float, float]:
    """A model fitted and asked: judgement, CPU seconds of fitting, and the best score of the tune window."""
    protocol = Protocol.of(params.evaluation)
    predictor, begin = learners.build(name, params), time.process_time()
    predictor.fit(Window(store, "train", protocol.history), Window(store, "tune", protocol.history), NoTracker())
    spent = time.process_time() - begin
    key = f"tune_{params.evaluation.primary}"
    tuned = [row[key] for row in getattr(predictor, "curves", []) if key in row]
    seed, asked = params.workspace.seed, Window(store, window, protocol.history)
    found = judge(predictor, asked, protocol, max_queries=params.evaluation.max_queries, seed=seed)
    return found, round(spent, 1), max(tuned, default=float("nan"))


def kept(name: str, store: Store, params: Params, window: str, folder: Path | None) -> tuple[Judgement, float, float]:
    """As `judged`, from `folder` where it was done before with the same data, params and code."""
    if folder is None:
        return judged(name, store, params, window)
    entry = params.training.models.get(name)
    plain = params.model_dump(mode="json") | {"events": None}
    plain["training"] |= {"models": None if entry is None else entry.model_dump(mode="json")}
    key = digest_of([data_digest(store), code_digest(CODE["train"]), plain, name, window])
    part = folder / f"{name}-{key[:16]}"
    if not (part / "done.json").is_file():
        found, seconds, tuned = judged(name, store, params, window)
        with replace_folder(part) as out:
            found.save(out / "judgement.parquet")
            write_json(out / "done.json", {"train_cpu_s": seconds, "tune": None if np.isnan(tuned) else tuned})
    done = read_json(part / "done.json")
    return Judgement.load(part / "judgement.parquet"), done["train_cpu_s"], done["tune"] or float("nan")


def run(log: str, options: Options, names: Sequence[str], window: str, out: Path | None) -> Record:
    """All models, one after another; the JSON is written after each."""
    params, events, items, users = load_log(options, logging.info)
    if items is None:
        raise SystemExit(f"{log} has no item table")
    held = held_out(events, items, params)
    parts_of = None if out is None else out.with_name(out.name + ".parts")
    begin = time.process_time()
    store = frame_to_store(held.events, held.items, users, params, Split("temporal"), parts_of)
    logging.info("features %.0f s of CPU; %d items cold", time.process_time() - begin, store.encoding.cold)
    data = data_record(store)
    record: Record = {
        "log": log,
        "window": window,
        "protocol": Protocol.of(params.evaluation).record(),
        "data": {name: data[name] for name in ("digest", "users", "items", "events")},
        "held_out": {"share": SHARE, "items": len(held.cold), "training_events": held.removed},
        "rows": [],
        "made_by": {"config": options.params.name if options.params else None, "code": code_digest(CODE["train"])},
    }
    base: Judgement | None = None
    for name in names:
        found, seconds, tuned = kept(name, store, params, window, parts_of)
        row = {"model": name, "log": log, "train_cpu_s": seconds} | estimates(found, store, params, base)
        base = found if base is None else base
        record["rows"].append(row)
        logging.info("%s: %.0f s of CPU, tune %.4f", name, seconds, tuned)
        for part in ("warm", "warm_new", "cold", "cold_new"):
            told = [f"{metric} {row[part][metric]['value']:.4f}" for metric in METRICS]
            logging.info("  %-9s %5d questions  %s", part, row[part]["questions"], "  ".join(told))
        if out is not None:
            write_json(out, record)
    return record


def main() -> None:
    """Train, judge, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", choices=("nyc", "retail"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets' folders")
    parser.add_argument(
        "--models", default="none,words", metavar="A,B", help="the first is what others are compared with"
    )
    parser.add_argument("--window", default="test", choices=("tune", "test"), help="tune: to choose by")
    parser.add_argument("--config", type=Path, help="default: configs/cold_LOG.yaml")
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = options_of(said.log, said.data, said.config or CONFIGS / f"cold_{said.log}.yaml")
    run(said.log, options, said.models.split(","), said.window, said.json)


if __name__ == "__main__":
    main()

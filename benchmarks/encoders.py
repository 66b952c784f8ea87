"""Does an encoder read histories? Each against its own twin, trained on histories in random order, and popularity.

    OMP_NUM_THREADS=1 python -m benchmarks.encoders ml100k --data DIR [--encoders gru,hstu] [--json OUT]
    OMP_NUM_THREADS=1 python -m benchmarks.encoders nyc --data DIR [--json OUT]

DIR holds the folders of the data sets (`ml-100k`, `foursquare-nyc`). Both are split in time, the test window comes
last; encoder and twin share seed, configuration and stopping, and are asked the same questions about the same true
histories: only the training window of the twin is shuffled (`benchmarks/shuffled.py`). Differences are paired by user.
Every training that is done is kept beside the JSON, and not done again. lm, whose passes cost far more than those of
the others, is left out where nobody names it (benchmarks/configs/lm_nyc.yaml is sized for it).
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.shuffled import shuffled
from components import learners
from components.benchmark.load import Options, load_log
from components.benchmark.paired import difference
from components.code import CODE, code_digest
from components.evaluation.data import data_digest, data_record
from components.evaluation.judge import judge
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol
from components.evaluation.significance import Bootstrap
from components.evaluation.summary import metric_names
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split
from components.files import digest_of, read_json, replace_folder, write_json
from components.models.encoders import ENCODERS
from components.params import Params
from components.predictor import NoTracker, Window

CONFIG = Path(__file__).parent / "configs" / "encoders.yaml"
Record = dict[str, Any]


def options_of(log: str, data: Path, config: Path, encoders: Sequence[str]) -> Options:
    """Where a log lies and what is asked of it."""
    found = {
        "ml100k": Options(source="recbole", path=data / "ml-100k", seen="filtered"),
        "nyc": Options(source="foursquare", path=data / "foursquare-nyc" / "train.csv.gz", seen="kept"),
    }
    return replace(found[log], protocol="temporal", target_time="hidden", params=config, models=tuple(encoders))


@dataclass(frozen=True)
class Trial:
    """One log in its true and in random order, and the rules; what is done is kept below `kept`."""

    store: Store
    twin: Store
    params: Params
    protocol: Protocol
    kept: Path | None

    def judged(self, name: str, order: str) -> tuple[Judgement, float]:
        """Judgement and CPU seconds of training of a model on histories in their `true` or in `random` order."""
        folder = None if self.kept is None else self.kept / f"{name}-{order}-{self._key(name, order)[:16]}"
        if folder is None or not (folder / "done.json").is_file():
            fitted = self._fitted(name, order)
            if folder is None:
                return fitted
            with replace_folder(folder) as out:
                fitted[0].save(out / "judgement.parquet")
                write_json(out / "done.json", {"train_seconds": fitted[1]})
        return Judgement.load(folder / "judgement.parquet"), float(read_json(folder / "done.json")["train_seconds"])

    def _fitted(self, name: str, order: str) -> tuple[Judgement, float]:
        train, history = self.store if order == "true" else self.twin, self.protocol.history
        predictor, begin = learners.build(name, self.params), time.process_time()
        predictor.fit(Window(train, "train", history), Window(self.store, "tune", history), NoTracker())
        spent = round(time.process_time() - begin, 1)
        rules = self.params.evaluation
        seed = self.params.workspace.seed
        test = Window(self.store, "test", history)
        found = judge(predictor, test, self.protocol, max_queries=rules.max_queries, seed=seed)
        value = found.metric(rules.primary).mean()
        logging.info("%s, %s order: %s %.4f, %.0f s of CPU", name, order, rules.primary, value, spent)
        return found, spent

    def _key(self, name: str, order: str) -> str:
        digests = [data_digest(self.store), data_digest(self.twin), code_digest(CODE["train"])]
        entry = self.params.training.models.get(name)
        rest = self.params.model_dump(mode="json") | {"events": None}
        rest["training"] |= {"models": None if entry is None else entry.model_dump(mode="json")}
        return digest_of([*digests, self.protocol.record(), rest, name, order])

    def row(self, name: str, popularity: Judgement, bootstrap: Bootstrap) -> Record:
        """An encoder, its twin, and how far it is ahead of that and of popularity."""
        (own, seconds), (twin, twin_seconds) = self.judged(name, "true"), self.judged(name, "random")
        primary = self.params.evaluation.primary
        values = {key: [one.metric(primary)] for key, one in (("own", own), ("twin", twin), ("count", popularity))}
        return {
            "model": name,
            "metrics": estimates(own, self.params, bootstrap),
            "twin": estimates(twin, self.params, bootstrap),
            "against_twin": difference(values["own"], values["twin"], bootstrap).record(),
            "against_popularity": difference(values["own"], values["count"], bootstrap).record(),
            "train_seconds": seconds,
            "twin_seconds": twin_seconds,
        }


def estimates(judgement: Judgement, params: Params, bootstrap: Bootstrap) -> Record:
    """Metric → value and interval."""
    names = metric_names(params.evaluation.ks)
    return {name: bootstrap.mean(judgement.metric(name)).record() for name in names}


def trial_of(options: Options, kept: Path | None) -> Trial:
    """Read and divide the log; shuffle its twin."""
    params, events, items, users = load_log(options, logging.info)
    store = frame_to_store(events, items, users, params, Split(options.protocol))
    protocol = Protocol.of(params.evaluation, options.protocol)
    return Trial(store, shuffled(store, params.workspace.seed), params, protocol, kept)


def run(trial: Trial, encoders: Sequence[str], out: Path | None, made_by: Mapping[str, Any]) -> Record:
    """All encoders, one after another; the JSON is written after each."""
    popularity, _ = trial.judged("popularity", "true")
    rules = trial.params.evaluation
    bootstrap = Bootstrap(popularity.user, rules.bootstrap, rules.confidence, trial.params.workspace.seed)
    stated = ("queries", "users_asked", "unseen_share", "targets_in_window")
    data = data_record(trial.store)
    record: Record = {
        "protocol": trial.protocol.record() | {name: popularity.about[name] for name in stated},
        "data": {name: data[name] for name in ("digest", "users", "items", "events", "ties")},
        "primary": rules.primary,
        "confidence": rules.confidence,
        "popularity": estimates(popularity, trial.params, bootstrap),
        "rows": [],
        "made_by": dict(made_by) | {"code": code_digest(CODE["train"])},
    }
    for name in encoders:
        record["rows"].append(trial.row(name, popularity, bootstrap))
        if out is not None:
            write_json(out, record)
    return record


def main() -> None:
    """Train, judge, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", choices=("ml100k", "nyc"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets' folders")
    parser.add_argument("--encoders", default=",".join(name for name in ENCODERS if name != "lm"), metavar="A,B")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    encoders = tuple(said.encoders.split(","))
    kept = None if said.json is None else said.json.with_name(said.json.name + ".parts")
    trial = trial_of(options_of(said.log, said.data, said.config, encoders), kept)
    record = run(trial, encoders, said.json, {"log": said.log, "config": said.config.name})
    for row in record["rows"]:
        found, twin = row["against_twin"], row["against_popularity"]
        print(
            f"{row['model']:12} {row['metrics'][record['primary']]['value']:.4f}"
            f"  against its twin {found['value']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
            f"  against popularity {twin['value']:+.4f} ({twin['low']:+.4f} to {twin['high']:+.4f})"
        )


if __name__ == "__main__":
    main()

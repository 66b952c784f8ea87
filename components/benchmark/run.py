"""Runs baselines and models on any supported log under any protocol, and says what came out, with intervals.

Params come from `components.presets`, cut to what the data has. Every (model, seed) that is done is kept beside the
JSON, so a run that was stopped goes on where it was. Nothing here is tuned on the test window, and no figure is
written down that was not measured in this run or in the part of it that is kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from components import learners
from components.errors import ChronotopeError, ConfigError, DataError
from components.evaluation.judge import judge
from components.evaluation.judgement import Judgement, same_queries
from components.evaluation.protocol import Protocol, Split, shuffle_ties
from components.evaluation.significance import Bootstrap, over_seeds
from components.evaluation.summary import data_record, metric_names
from components.evaluation.table import cell
from components.events.contract import SCHEMA
from components.events.load import load_frame, with_source
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split as Division
from components.files import digest_of, read_json, replace_folder, write_json
from components.params import Params, parse_params
from components.predictor import NoTracker, Predictor, Window
from components.presets import fitted_to, merged, preset
from components.ranking.blend import BlendPredictor

Say = Callable[[str], None]
Record = dict[str, Any]
#: What published benchmarks have in common: the order of the rows counts, and everybody is asked.
_PUBLISHED: Mapping[str, Any] = {
    "events": {"source": {"order": "file"}},
    "evaluation": {"max_queries": 100_000},
}
#: The rules that the command line may change, and what they may be.
RULES: Mapping[str, tuple[str, str] | tuple[str, str, str]] = {
    "target_time": ("hidden", "given"),
    "history": ("online", "train_only"),
    "seen": ("filtered", "kept"),
    "unseen": ("miss", "dropped"),
    "ties": ("source", "shuffled", "basket"),
}


@dataclass(frozen=True)
class Options:
    """What the command line may say; None = as the params say."""

    source: str
    path: Path | None = None
    train: Path | None = None
    valid: Path | None = None
    test: Path | None = None
    protocol: Split = "temporal"
    target_time: Literal["hidden", "given"] | None = None
    history: Literal["online", "train_only"] | None = None
    seen: Literal["filtered", "kept"] | None = None
    unseen: Literal["miss", "dropped"] | None = None
    ties: Literal["source", "shuffled", "basket"] | None = None
    mapping: Path | None = None
    params: Path | None = None
    models: tuple[str, ...] | None = None
    seeds: int = 1
    json: Path | None = None


@dataclass(frozen=True)
class Row:
    """One model: its judgements, one for each seed, and the seconds that fitting took in all."""

    model: str
    judgements: Sequence[Judgement]
    train_seconds: float


@dataclass(frozen=True)
class BenchmarkResult:
    """What a benchmark found."""

    protocol: Protocol
    data: Mapping[str, Any]
    rows: Sequence[Row]
    params: Params

    def record(self) -> Record:
        """The JSON of the command line: protocol, data, rows of model, metrics, seeds, train_seconds."""
        first = self.rows[0].judgements[0]
        names = metric_names(self.params.evaluation.ks)
        bootstrap = Bootstrap(
            first.user, self.params.evaluation.bootstrap, self.params.evaluation.confidence, self.params.workspace.seed
        )
        rows = []
        for row in self.rows:
            metrics = {
                name: over_seeds([one.metric(name) for one in row.judgements], bootstrap)[0].record() for name in names
            }
            seconds = round(row.train_seconds, 2)
            rows.append(
                {"model": row.model, "metrics": metrics, "seeds": len(row.judgements), "train_seconds": seconds}
            )
        stated = ("queries", "users_asked", "unseen_share", "targets_in_window")
        protocol = self.protocol.record() | {name: first.about[name] for name in stated}
        data = {name: self.data[name] for name in ("digest", "users", "items", "events", "ties")}
        return {"protocol": protocol, "data": data, "rows": rows}

    def print(self, console: Console) -> None:
        """The table, best first, under its protocol."""
        record, primary = self.record(), self.params.evaluation.primary
        wanted = (primary, "hr@10", "hr@1") if console.width < 100 else (primary, "hr@10", "hr@1", "mrr")
        names = [name for name in dict.fromkeys(wanted) if name in record["rows"][0]["metrics"]]
        table = Table(
            title=f"{record['protocol']['split']}, {record['protocol']['queries']:,} questions",
            title_justify="left",
            box=SIMPLE_HEAD,
        )
        table.add_column("model", no_wrap=True)
        for name in (*names, "seeds", "fit, s"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in sorted(record["rows"], key=lambda row: -(row["metrics"][primary]["value"] or 0.0)):
            figures = [cell(row["metrics"][name], stacked=True) for name in names]
            table.add_row(row["model"], *figures, str(row["seeds"]), f"{row['train_seconds']:,.1f}")
        console.print(table)
        rules = " · ".join(f"{name} {value}" for name, value in self.protocol.record().items())
        data = record["data"]
        console.print(
            f"{rules} · unseen {record['protocol']['unseen_share']:.1%} of answers · ties {data['ties']:.1%} of events"
            f" · {data['items']:,} items ranked · data {data['digest'][:12]}",
            style="dim",
        )


def benchmark(options: Options, say: Say = lambda _: None) -> BenchmarkResult:
    """Load, divide, fit, judge.

    Parameters
    ----------
    options : of the command line
    say : is told of the progress, line by line

    Returns
    -------
    BenchmarkResult
        One row for each baseline and model, in the order of the params; written to `options.json` where that is
        given.

    Raises
    ------
    ConfigError
        Files or models are missing or contradict each other.
    DataError
        The protocol finds nothing to ask.
    """
    params, events, items, users = _load(options, say)
    protocol = Protocol.of(params.evaluation, options.protocol)
    if protocol.ties == "shuffled":
        events = shuffle_ties(events, params.workspace.seed)
    dropped = protocol.unseen == "dropped"
    division = Division(protocol.split, min_length=3 if dropped else 2, known_only=dropped)
    store = frame_to_store(events, items, users, params, division)
    data = data_record(store)
    say(f"{data['events']:,} events, {data['users']:,} users, {data['items']:,} items, {data['ties']:.1%} ties")
    if not len(Window(store, "test").targets):
        raise DataError(
            "events to be predicted in the test window",
            found=f"none under the protocol {protocol.split}",
            do="Widen `windows.test`, or for trajectories set `features.session_gap_s`, with --params.",
        )
    names = _names(options, params, store, say)
    with tempfile.TemporaryDirectory(prefix="chronotope.") as temporary:
        kept = Path(temporary) if options.json is None else options.json.with_name(options.json.name + ".parts")
        run = _Run(store, params, protocol, kept, data["digest"], say)
        rows = [run.row(name, options.seeds) for name in names]
    result = BenchmarkResult(protocol, data, rows, params)
    if options.json is not None:
        write_json(options.json, result.record())
    return result


def _load(options: Options, say: Say) -> tuple[Params, pl.DataFrame, pl.DataFrame | None, pl.DataFrame | None]:
    """Params cut to the data, and the log under the contract's names; a column `window` where it came divided."""
    changes: Record = _yaml(options.params) if options.params else {}
    if options.mapping:
        changes = merged(changes, {"events": _mapping(_yaml(options.mapping))})
    given = {name: getattr(options, name) for name in RULES if getattr(options, name) is not None}
    record = preset(options.source, merged(merged(_PUBLISHED, changes), {"evaluation": given}))
    parts = {"train": options.train, "tune": options.valid, "test": options.test}
    divided = {name: path for name, path in parts.items() if path is not None}
    whole = options.path is not None or (options.source == "city" and not divided)
    if whole == bool(divided) or (divided and not {"train", "test"} <= set(divided)):
        named = {"path": options.path, "train": options.train, "valid": options.valid, "test": options.test}
        raise ConfigError(
            "either --path, or --train and --test (and --valid)",
            found=", ".join(f"--{name}" for name, path in named.items() if path) or "neither",
            do="Name the log whole, or all of its parts.",
        )
    sources: list[tuple[str | None, Path | None]] = [*divided.items()] if divided else [(None, options.path)]
    frames, items, users = [], None, None
    for window, path in sources:
        say(f"reading {path}" if path else f"making {options.source}")
        one = with_source(parse_params(record, "the params of the benchmark"), options.source, path)
        loaded = load_frame(one)
        items, users = (loaded.items, loaded.users) if items is None else (items, users)
        if loaded.quarantined or loaded.duplicates:
            say(f"left out: {loaded.quarantined:,} unsound rows, {loaded.duplicates:,} duplicates")
        frames.append(loaded.events.with_columns(pl.lit(window).alias("window")) if window else loaded.events)
        record["events"] = one.events.model_dump(mode="json")
    events = pl.concat(frames)
    if divided and "tune" not in divided:
        events = _tune_from_train(events)
    return fitted_to(record, events, items, f"the preset of {options.source}"), events, items, users


def _tune_from_train(events: pl.DataFrame) -> pl.DataFrame:
    """The newest tenth of the training events tunes, where no file was given for it."""
    edge = events.filter(pl.col("window") == "train")["timestamp"].quantile(0.9, "lower")
    late = (pl.col("window") == "train") & (pl.col("timestamp") > edge)
    return events.with_columns(pl.when(late).then(pl.lit("tune")).otherwise(pl.col("window")).alias("window"))


def _yaml(path: Path) -> Record:
    try:
        record = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"plain YAML in {path}", found=str(error), do="Mend the file.") from error
    if not isinstance(record, dict):
        raise ConfigError(f"a mapping in {path}", found=type(record).__name__, do="Mend the file.")
    return record


def _mapping(record: Record) -> Record:
    """A section `events` (or a part of it), or plainly contract column: column of the file."""
    if "events" in record:
        return dict(record["events"])
    return {"source": {"mapping": record}} if set(record) <= set(SCHEMA) else record


def _names(options: Options, params: Params, store: Store, say: Say) -> list[str]:
    """Who is run: baselines, then the models that were asked for, then the blend of those, if it can be fitted."""
    wanted = list(options.models) if options.models is not None else [*params.training.models, "blend"]
    blendable = len(Window(store, "blend").targets) > 0 and len(params.training.blend.parts) > 0
    if "blend" in wanted and not blendable:
        wanted.remove("blend")
        say("no blend: the protocol leaves no window to fit it on")
    for name in wanted:
        learners.build(name, params)  # a wrong name is told before anything is trained
    return list(dict.fromkeys([*params.evaluation.baselines, *wanted]))


@dataclass(frozen=True)
class _Run:
    """Fits and judges one model after another; what is done is kept below `kept`."""

    store: Store
    params: Params
    protocol: Protocol
    kept: Path
    digest: str
    say: Say

    def row(self, name: str, seeds: int) -> Row:
        """One model over its seeds; counters have nothing to draw and are fitted once."""
        found = [self._one(name, seed) for seed in range(seeds if self._draws(name) else 1)]
        for judgement, _ in found[1:]:
            if not same_queries(found[0][0], judgement):
                raise ConfigError("the same questions for every seed", found=f"others in {self.kept}", do="Remove it.")
        return Row(name, [one for one, _ in found], sum(seconds for _, seconds in found))

    def _draws(self, name: str) -> bool:
        models = self.params.training.models
        parts = self.params.training.blend.parts if name == "blend" else [name]
        return any(part in models and models[part].kind == "network" for part in parts) or ":" in name

    def _folder(self, name: str, seed: int) -> Path:
        key = digest_of([self.digest, self.protocol.record(), self.params.model_dump(mode="json"), name, seed])
        return self.kept / f"{name.replace(':', '.')}-{seed}-{key[:16]}"

    def _one(self, name: str, seed: int) -> tuple[Judgement, float]:
        """The judgement and the seconds of fitting of one (model, seed); fitted only when nothing is kept."""
        folder = self._folder(name, seed)
        if not (folder / "done.json").is_file():
            self.say(f"{name}, seed {seed}: fitting")
            with replace_folder(folder) as out:
                predictor, seconds = self._fitted(name, seed)
                if name != "blend":
                    predictor.save(out / "model")
                self._judge(predictor, f"{name}, seed {seed}").save(out / "judgement.parquet")
                write_json(out / "done.json", {"model": name, "seed": seed, "train_seconds": seconds})
        judgement, record = Judgement.load(folder / "judgement.parquet"), read_json(folder / "done.json")
        values = judgement.metric(self.params.evaluation.primary)
        value = float(np.mean(values[~np.isnan(values)])) if not np.isnan(values).all() else float("nan")
        self.say(f"{name}, seed {seed}: {self.params.evaluation.primary} {value:.4f}")
        return judgement, float(record["train_seconds"])

    def _seeded(self, seed: int) -> Params:
        workspace = self.params.workspace.model_copy(update={"seed": self.params.workspace.seed + seed})
        return self.params.model_copy(update={"workspace": workspace})

    def _fitted(self, name: str, seed: int) -> tuple[Predictor, float]:
        """The predictor and the seconds that fitting took; a blend costs its parts too."""
        history = self.protocol.history
        if name == "blend":
            wanted = self.params.training.blend
            seeds = {part: seed if self._draws(part) else 0 for part in wanted.parts}
            spent = sum(self._one(part, drawn)[1] for part, drawn in seeds.items())
            parts = {part: learners.load(self._folder(part, drawn) / "model") for part, drawn in seeds.items()}
            begin = time.monotonic()
            blend = BlendPredictor(parts, wanted, self.protocol)
            blend.fit_weights(Window(self.store, "blend", history))
            return blend, spent + time.monotonic() - begin
        predictor = learners.build(name, self._seeded(seed))
        begin = time.monotonic()
        predictor.fit(Window(self.store, "train", history), Window(self.store, "tune", history), NoTracker())
        return predictor, time.monotonic() - begin

    def _judge(self, predictor: Predictor, label: str) -> Judgement:
        last = [time.monotonic()]

        def tell(done: int, total: int) -> None:
            if time.monotonic() - last[0] > 5 or done == total:
                last[0] = time.monotonic()
                self.say(f"{label}: {done:,} of {total:,} questions")

        evaluation = self.params.evaluation
        return judge(
            predictor,
            Window(self.store, "test", self.protocol.history),
            self.protocol,
            max_queries=evaluation.max_queries,
            seed=self.params.workspace.seed,
            progress=tell,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m components.benchmark`: the same options as `chronotope benchmark`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m components.benchmark", description=__doc__)
    parser.add_argument("--source", required=True, metavar="FORMAT")
    for name in ("path", "train", "valid", "test", "mapping", "params", "json"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE")
    parser.add_argument("--protocol", choices=("temporal", "leave_one_out", "last_of_trajectory"), default="temporal")
    for name, choices in RULES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", choices=choices)
    parser.add_argument("--models", metavar="A,B", type=lambda text: tuple(text.split(",")))
    parser.add_argument("--seeds", type=int, default=1)
    console = Console(highlight=False)
    try:
        benchmark(Options(**vars(parser.parse_args(argv))), lambda line: console.print(line, style="dim")).print(
            console
        )
    except ChronotopeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

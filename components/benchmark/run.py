"""Fits and judges the models of a benchmark one after another; what is done is kept beside the JSON.

A kept part is named after everything that it depends on: the data, the protocol, its params and the code.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components import learners
from components.benchmark.load import Options, Say, load_log
from components.benchmark.result import BenchmarkResult, Row
from components.code import CODE, code_digest
from components.errors import ConfigError, DataError
from components.evaluation.data import data_record
from components.evaluation.judge import judge
from components.evaluation.judgement import Judgement, same_queries
from components.evaluation.progress import spoken
from components.evaluation.protocol import Protocol, shuffle_ties
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split as Division
from components.files import digest_of, read_json, replace_folder, write_json
from components.params import Params
from components.predictor import NoTracker, Predictor, Window
from components.ranking.stage import blend_of


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
    params, events, items, users = load_log(options, say)
    protocol = Protocol.of(params.evaluation, options.protocol)
    if protocol.ties == "shuffled":
        events = shuffle_ties(events, params.workspace.seed)
    dropped = protocol.unseen == "dropped"
    division = Division(protocol.split, min_length=3 if dropped else 2, known_only=dropped)
    beside = None if options.json is None else options.json.with_name(options.json.name + ".parts")
    store = frame_to_store(events, items, users, params, division, beside)
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
        run = _Run(store, params, protocol, beside or Path(temporary), data["digest"], say)
        rows = [run.row(name, options.seeds) for name in names]
    result = BenchmarkResult(protocol, data, rows, params, _made_by(options, params, run.code))
    if options.json is not None:
        write_json(options.json, result.record())
    return result


def _made_by(options: Options, params: Params, code: str) -> dict[str, Any]:
    """What a rerun needs to know, without where the files lie on this machine."""
    record = params.model_dump(mode="json")
    for name in ("path", "catalogue", "users"):
        del record["events"]["source"][name]
    return {"options": options.record(), "code": code, "params": digest_of(record)}


def _names(options: Options, params: Params, store: Store, say: Say) -> list[str]:
    """Who is run: baselines, then the models that were asked for, then the blend of those, if it can be fitted."""
    training = params.training
    every = [*training.models, *training.compressed, "blend", *training.ensembles, *training.rankers]
    wanted = list(options.models) if options.models is not None else every
    window = len(Window(store, "blend").targets) > 0
    given = {name for name, one in training.ensembles.items() if not one.learned}
    for name in [name for name in wanted if name == "blend" or name in training.mixed]:
        parts = _parts(name, params)
        if not parts or not (window or name in given):
            wanted.remove(name)
            say(f"no {name}: {'the protocol leaves no window to fit it on' if parts else 'it has no parts'}")
    for name in wanted:
        learners.build(name, params)  # a wrong name is told before anything is trained
    return list(dict.fromkeys([*params.evaluation.baselines, *wanted]))


def _parts(name: str, params: Params) -> list[str]:
    """What a blend or a ranker is made of; nothing for others."""
    mixed = params.training.mixed
    return mixed[name].parts if name in mixed else []


def _behind(name: str, params: Params) -> set[str]:
    """What a learner is made of, and what that is made of."""
    return {one for part in _parts(name, params) for one in (part, *_behind(part, params))}


def params_behind(params: Params, name: str) -> dict[str, Any]:
    """The params that one learner's judgement rests on, as JSON: another learner beside it changes nothing.

    Of somebody's own predictor, and of what is compressed, nobody knows what they read: all params.
    """
    record = params.model_dump(mode="json")
    training, names = record["training"], {name, *_behind(name, params)}
    if names & set(training["compressed"]) or any(":" in one for one in names):
        return record
    for section in ("models", "baselines", "ensembles", "rankers", "compressed"):
        training[section] = {one: entry for one, entry in training[section].items() if one in names}
    training["blend"] = training["blend"] if name == "blend" else None
    sections = ("workspace", "events", "features", "windows", "memory", "evaluation", "training")
    return {section: record[section] for section in sections}


@dataclass(frozen=True)
class _Run:
    """Fits and judges one model after another; what is done is kept below `kept`."""

    store: Store
    params: Params
    protocol: Protocol
    kept: Path
    digest: str
    say: Say
    code: str = field(default_factory=lambda: code_digest(CODE["blend"]))

    def row(self, name: str, seeds: int) -> Row:
        """One model over its seeds; counters have nothing to draw and are fitted once."""
        found = [self._one(name, seed) for seed in range(seeds if self._draws(name) else 1)]
        for judgement, _ in found[1:]:
            if not same_queries(found[0][0], judgement):
                raise ConfigError("the same questions for every seed", found=f"others in {self.kept}", do="Remove it.")
        return Row(name, [one for one, _ in found], sum(seconds for _, seconds in found))

    def _draws(self, name: str) -> bool:
        training = self.params.training
        trees = {one for one, ranker in training.rankers.items() if ranker.method == "trees"}
        if trees & {name, *_behind(name, self.params)}:
            return True
        parts, models = _behind(name, self.params) or {name}, training.models
        networks = {part for part, one in models.items() if one.kind == "network"} | set(training.compressed)
        return any(part in networks for part in parts) or ":" in name

    def _is_part(self, name: str) -> bool:
        """Whether others may be made of it: it is saved before it is judged, which teaches it."""
        return name != "blend" and name not in self.params.training.ensembles

    def _folder(self, name: str, seed: int) -> Path:
        key = digest_of([self.digest, self.code, self.protocol.record(), params_behind(self.params, name), name, seed])
        return self.kept / f"{name.replace(':', '.')}-{seed}-{key[:16]}"

    def _one(self, name: str, seed: int) -> tuple[Judgement, float]:
        """The judgement and the seconds of fitting of one (model, seed); fitted only when nothing is kept."""
        folder = self._folder(name, seed)
        if not (folder / "done.json").is_file():
            self.say(f"{name}, seed {seed}: fitting")
            with replace_folder(folder) as out:
                predictor, seconds = self._fitted(name, seed)
                if self._is_part(name):
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
        """The predictor and the seconds that fitting took; a blend or a ranker costs its parts too."""
        history = self.protocol.history
        wanted = _parts(name, self.params)
        if wanted:
            seeds = {part: seed if self._draws(part) else 0 for part in wanted}
            spent = sum(self._one(part, drawn)[1] for part, drawn in seeds.items())
            parts = {part: learners.load(self._folder(part, drawn) / "model") for part, drawn in seeds.items()}
            begin = time.monotonic()
            whole = blend_of(name, parts, self._seeded(seed), self.protocol)
            whole.fit_weights(Window(self.store, "blend", history))
            return whole, spent + time.monotonic() - begin
        predictor = learners.build(name, self._seeded(seed))
        begin = time.monotonic()
        predictor.fit(Window(self.store, "train", history), Window(self.store, "tune", history), NoTracker())
        return predictor, time.monotonic() - begin

    def _judge(self, predictor: Predictor, label: str) -> Judgement:
        evaluation = self.params.evaluation
        return judge(
            predictor,
            Window(self.store, "test", self.protocol.history),
            self.protocol,
            max_queries=evaluation.max_queries,
            seed=self.params.workspace.seed,
            progress=spoken(self.say, label),
        )

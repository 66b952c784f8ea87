"""The log of a benchmark, whole or in the parts that it was published in, and params that are cut to what it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import yaml

from components.errors import ConfigError
from components.evaluation.protocol import Split
from components.events.contract import SCHEMA
from components.events.load import load_frame, with_source
from components.features.windows import edges
from components.params import EventParams, Params, WindowParams, parse_params
from components.presets import fitted_to, merged, preset
from components.presets.encoders import with_encoders

Say = Callable[[str], None]
Record = dict[str, Any]
#: What published benchmarks have in common: the order of the rows counts, and everybody is asked.
_PUBLISHED: Mapping[str, Any] = {
    "events": {"source": {"order": "file"}},
    "evaluation": {
        "max_queries": 100_000,
        "baselines": ["popularity", "recent_popularity", "markov", "user_frequency"],
    },
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

    def record(self) -> Record:
        """What was said, as JSON, without where files lie on this machine and where the result goes."""
        said = {name: value for name, value in vars(self).items() if value is not None and name != "json"}
        plain = {name: value.name if isinstance(value, Path) else value for name, value in said.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


def load_log(
    options: Options, say: Say, more: Mapping[str, Any] | None = None
) -> tuple[Params, pl.DataFrame, pl.DataFrame | None, pl.DataFrame | None]:
    """Params cut to the data, and the log under the contract's names; a column `window` where it came divided."""
    changes = merged(_yaml(options.params) if options.params else {}, more or {})
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
    base = parse_params(record, "the params of the benchmark")
    found: list[EventParams] = []
    for window, path in sources:
        say(f"reading {path}" if path else f"making {options.source}")
        one = with_source(base, options.source, path)
        found.append(one.events)
        loaded = load_frame(one)
        items, users = (loaded.items, loaded.users) if items is None else (items, users)
        if loaded.quarantined or loaded.duplicates:
            say(f"left out: {loaded.quarantined:,} unsound rows, {loaded.duplicates:,} duplicates")
        frames.append(loaded.events.with_columns(pl.lit(window).alias("window")) if window else loaded.events)
    record["events"] = _of_all(found).model_dump(mode="json")
    events = pl.concat(frames)
    if divided and "tune" not in divided:
        events = _tail_of_train(events, base.windows)
    record = with_encoders(record, options.models or (), events)
    return fitted_to(record, events, items, f"the preset of {options.source}"), events, items, users


def _of_all(files: Sequence[EventParams]) -> EventParams:
    """What is true of all files of a log: every action of any; no path where there are several."""
    first, *others = files
    if not others:
        return first
    actions = list(dict.fromkeys(action for one in files for action in one.actions))
    source = first.source.model_copy(update={"path": None})
    return first.model_copy(update={"actions": actions, "source": source})


def _tail_of_train(events: pl.DataFrame, spans: WindowParams) -> pl.DataFrame:
    """Tune and blend windows from the end of the training events, as long as `windows` says; the test file stands."""
    trained = pl.col("window") == "train"
    time_s = events.filter(trained)["timestamp"].dt.epoch("s").to_numpy()
    tune_s, blend_s, _ = edges(time_s, spans.model_copy(update={"test": "0d"})).tolist()
    second = pl.col("timestamp").dt.epoch("s")
    window = pl.when(second < tune_s).then(pl.lit("train")).when(second < blend_s).then(pl.lit("tune"))
    tail = pl.when(trained).then(window.otherwise(pl.lit("blend"))).otherwise(pl.col("window"))
    return events.with_columns(tail.alias("window"))


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

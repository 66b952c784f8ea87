"""Fitted predictors from their folders, by a fixed table of kinds, and the judge's questions for those who fit.

A folder says which kind it holds; the name is looked up here and never imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.baselines.base import Rules
from components.baselines.kinds import load_baseline, make_baseline
from components.errors import IntegrityError
from components.evaluation.protocol import Protocol, make_queries
from components.files import read_json
from components.memory.predictor import CounterPredictor, MemoryPredictor
from components.memory.replay import Asker, Questions
from components.params import Params
from components.predictor import Predictor, Window

Load = Callable[[Path], Predictor]


def _network(folder: Path) -> Predictor:
    from components.training.network import NetworkPredictor  # torch takes seconds

    return NetworkPredictor.load(folder)


def _compressed(folder: Path) -> Predictor:
    from components.compression.predictor import CompressedPredictor

    return CompressedPredictor.load(folder)


def _ranker(folder: Path) -> Predictor:
    from components.ranking.ranker import RankerPredictor  # a ranker has parts of its own, which are loaded here

    return RankerPredictor.load(folder)


#: Kinds that a blend may be made of; of a ranker an ensemble alone.
KINDS: Mapping[str, Load] = {
    "memory": MemoryPredictor.load,
    "counter": CounterPredictor.load,
    "baseline": load_baseline,
    "network": _network,
    "compressed": _compressed,
    "ranker": _ranker,
}


def load_part(folder: Path, kinds: Mapping[str, Load] = KINDS) -> Predictor:
    """The predictor that was saved in `folder`.

    Raises
    ------
    IntegrityError
        Its config.json names no kind of the table, or a file is not what was saved.
    """
    record = read_json(folder / "config.json")
    kind = record.get("kind") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise IntegrityError(
            f"a predictor of a kind among {sorted(kinds)}",
            found=f"{kind!r} in {folder / 'config.json'}",
            do="Train it again, or load it with the version that wrote it.",
        )
    return kinds[kind](folder)


def simple(name: str, params: Params) -> Predictor | None:
    """The unfitted counter or baseline of that name; None where the params have none."""
    if name in params.memory.components:
        return CounterPredictor(name, params.memory)
    if name in params.training.baselines:
        rules = Rules(params.workspace.seed, params.evaluation.target_time == "given")
        return make_baseline(name, params.training.baselines[name], rules)
    return None


def judges_asker(protocol: Protocol) -> Asker:
    """What a window asks under a protocol: the judge's own questions, with time given or hidden as wanted."""

    def ask(window: Window, time_given: bool) -> Questions:
        return questions_of(window, replace(protocol, target_time="given" if time_given else "hidden"))

    return ask


def questions_of(window: Window, protocol: Protocol, rows: NDArray[np.int64] | None = None) -> Questions:
    """What a window asks under a protocol, with the window's own history; `rows` as for `make_queries`."""
    queries, targets = make_queries(window, replace(protocol, history=window.history), rows)
    return Questions(queries, targets.row, targets.item, targets.offsets)

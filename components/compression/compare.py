"""What a compressed model costs and what it loses: bytes, milliseconds and the metric, beside what it is made of.

Both are asked the same questions; differences are paired by user. Times are CPU time of one thread, so that what else
the machine does is not counted. Never decides anything: the gate does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from components.evaluation.judge import judge_by
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol, make_queries
from components.evaluation.significance import Bootstrap, paired_difference
from components.params import Params
from components.predictor import Predictor, Queries, Window
from components.workspace import Workspace

_TIMED, _WARM = 200, 20
Record = dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """What one model costs: bytes of its weights on disk, median and 99th percentile of one question in ms of CPU."""

    bytes: int
    p50_ms: float
    p99_ms: float

    def record(self) -> Record:
        """As JSON."""
        return {"bytes": self.bytes, "p50_ms": round(self.p50_ms, 3), "p99_ms": round(self.p99_ms, 3)}


def timed_queries(window: Window, protocol: Protocol) -> Queries:
    """Questions that are timed one by one, evenly spread over a window."""
    rows = window.targets
    picked = rows[np.unique(np.linspace(0, len(rows) - 1, min(_TIMED, len(rows))).astype(np.int64))]
    return make_queries(window, protocol, picked)[0]


def milliseconds(ask: Callable[[Queries], object], queries: Queries) -> tuple[float, float]:
    """Median and 99th percentile of the CPU time of one question, one thread; each counts with the better of two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for n in range(min(_WARM, len(queries))):
            ask(queries[n : n + 1])
        spent = [min(_spent_ms(ask, queries, n) for _ in range(2)) for n in range(len(queries))]
    finally:
        torch.set_num_threads(threads)
    return float(np.median(spent)), float(np.percentile(spent, 99))


def _spent_ms(ask: Callable[[Queries], object], queries: Queries, n: int) -> float:
    part = queries[n : n + 1]
    begin = time.thread_time_ns()
    ask(part)
    return (time.thread_time_ns() - begin) / 1e6


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights that were saved in a folder."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def rows_of(found: Mapping[str, tuple[Judgement, Cost]], original: str, params: Params) -> list[Record]:
    """One row for each model: metric and cost, and the difference to the original with its interval.

    Parameters
    ----------
    found : name → its judgement and cost, the original's among them; all answered the same questions
    original : the name of that
    params : `evaluation` rules and the seed of the bootstrap

    Returns
    -------
    list
        `value`, `difference` (each with `low` and `high`), `lost_percent` (of the original's metric, with its
        interval; above 0 is a loss), `bytes`, `p50_ms`, `p99_ms`, `smaller` and `faster` (ratios, above 1 is better).
    """
    rules = params.evaluation
    base, cost = found[original]
    bootstrap = Bootstrap(base.user, rules.bootstrap, rules.confidence, params.workspace.seed)
    values = base.metric(rules.primary)
    rows = []
    for name, (judgement, own) in found.items():
        metric = judgement.metric(rules.primary)
        gap = paired_difference(metric, values, bootstrap)
        row: Record = {"model": name, "value": bootstrap.mean(metric).record(), **own.record()}
        if name != original:
            mean = float(np.nanmean(values))
            lost = {"value": -gap.value, "low": -gap.high, "high": -gap.low}
            row |= {
                "difference": gap.record(),
                "lost_percent": {key: 100 * one / mean if mean else None for key, one in lost.items()},
                "smaller": cost.bytes / own.bytes,
                "faster": cost.p50_ms / own.p50_ms,
            }
        rows.append(row)
    return rows


def compare(root: Path, names: Sequence[str], params: Params, store: Any, load: Callable[[Path], Predictor]) -> Record:
    """Saved models of a workspace beside the first of them, on the blend window: the test is asked by `evaluate` alone.

    Parameters
    ----------
    root : the workspace
    names : of models below `models/`, the original first
    params, store : of the workspace
    load : reads a saved predictor
    """
    window = Window(store, "blend", params.evaluation.history)
    queries = timed_queries(window, Protocol.of(params.evaluation))
    found = {}
    for name in names:
        folder = Workspace(root).model(name)
        predictor = load(folder)
        cost = Cost(weight_bytes(folder), *milliseconds(predictor.score, queries))
        found[name] = (judge_by(params, predictor, window), cost)
    return {
        "window": "blend",
        "metric": params.evaluation.primary,
        "queries": len(next(iter(found.values()))[0]),
        "rows": rows_of(found, names[0], params),
    }

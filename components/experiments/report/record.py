"""An experiment so far as plain JSON: the same record for the command line, the page, and whoever asks.

Never here: how a figure is found (`experiments.results`, `experiments.shadow`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from components.experiments.log import Entry
from components.experiments.plan import ARMS, Plan
from components.experiments.results import Results
from components.experiments.sequential import Path
from components.experiments.shadow import Silence

_POINTS = 200  # of the interval's history


def of_results(found: Results, ended: Entry | None) -> dict[str, Any]:
    """What an A/B test has shown."""
    return _common(found.plan, ended, found.primary.path, found.primary.ripe_us) | {
        "verdict": found.verdict(),
        "warnings": list(found.warnings),
        "primary": found.plan.settings.metric,
        "arms": {arm: {"users": found.users[arm], "ripe": found.ripe[arm], "lists": found.lists[arm]} for arm in ARMS},
        "metrics": {
            name: {"champion": _now(one.champion), "challenger": _now(one.challenger), "difference": _now(one.path)}
            for name, one in found.differences.items()
        },
        "ratio": {"p_value": found.ratio.p_value, "evidence": found.ratio.evidence, "broken": found.ratio.broken},
        "misplaced": found.misplaced,
    }


def of_silence(found: Silence, ended: Entry | None) -> dict[str, Any]:
    """What a silent challenger has shown."""
    one = found.compared["ndcg"]
    return _common(found.plan, ended, one.path, found.ripe_us) | {
        "verdict": found.verdict(),
        "warnings": [],
        "primary": "ndcg",
        "asked": found.asked,
        "scored": found.scored,
        "late": found.late,
        "users": found.users,
        "overlap": _number(found.overlap),
        "metrics": {
            name: {
                "champion": {"value": _number(one.champion), "low": None, "high": None},
                "challenger": {"value": _number(one.challenger), "low": None, "high": None},
                "difference": _now(one.path),
            }
            for name, one in found.compared.items()
        },
    }


def _common(plan: Plan, ended: Entry | None, path: Path, ripe_us: np.ndarray) -> dict[str, Any]:
    return {
        "experiment": plan.model_dump(exclude={"salt"}),  # who knows the salt knows everybody's arm
        "ended": None if ended is None else {"kind": ended.kind, "reason": ended.reason, "time": ended.time},
        "path": _history(path, ripe_us),
    }


def _now(path: Path) -> dict[str, float | None]:
    return dict(zip(("value", "low", "high"), (_number(one) for one in path.last), strict=True))


def _history(path: Path, ripe_us: np.ndarray) -> dict[str, list[Any]]:
    """The interval at some moments, the newest among them; only where there is one."""
    places = np.flatnonzero(np.isfinite(path.low))
    if len(places) > _POINTS:
        places = places[np.unique(np.linspace(0, len(places) - 1, _POINTS).round().astype(np.int64))]
    figures = {name: getattr(path, name)[places].tolist() for name in ("value", "low", "high")}
    return {"users": path.n[places].tolist(), "ripe_us": ripe_us[places].tolist(), **figures}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""Small rankers on toy logs, for tests of the ranking room and of what stands on it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from components.evaluation.protocol import Protocol
from components.features.store import Store
from components.memory.predictor import MemoryPredictor
from components.params import RankerParams, load_params
from components.predictor import NoTracker, Predictor, Window
from components.presets import preset
from components.ranking.parts import judges_asker
from components.ranking.ranker import RankerPredictor
from tests.conftest import ROOT

PARAMS = load_params(ROOT / "params.yaml")
RULES = Protocol.of(PARAMS.evaluation)
SMALL = {"rounds": 20, "leaves": 7, "min_leaf": 5, "columns": 1.0, "hard": 10, "random": 5}


def ranker_params(trees: Mapping[str, Any] | None = None, **changes: Any) -> RankerParams:
    """A ranker over the memory that is grown in a blink."""
    base = copy.deepcopy(preset("city")["training"]["rankers"]["ranker"])
    base |= {"parts": ["memory"], "ablation": False, "trees": {**base["trees"], **SMALL, **(trees or {})}}
    return RankerParams.model_validate({**base, **changes})


def memory_of(store: Store, rules: Protocol = RULES) -> MemoryPredictor:
    """A memory fitted on a log."""
    memory = MemoryPredictor(PARAMS.memory, judges_asker(rules))
    memory.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return memory


def ranker_of(
    store: Store, parts: Mapping[str, Predictor] | None = None, rules: Protocol = RULES, **changes: Any
) -> RankerPredictor:
    """A ranker fitted on the blend window of a log; its parts are fitted already."""
    made = dict(parts) if parts is not None else {"memory": memory_of(store, rules)}
    params = ranker_params(**{"parts": list(made), **changes})
    ranker = RankerPredictor(made, params, rules, PARAMS.memory.max_history, 7)
    ranker.fit_weights(Window(store, "blend"))
    return ranker

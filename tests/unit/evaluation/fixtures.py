"""A fixed evaluation of a few simple predictors, as the report shows it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from components.evaluation.groups import Groups, activity, popularity
from components.evaluation.judge import judge
from components.evaluation.protocol import Protocol
from components.evaluation.summary import Judged, Kind, record_of
from components.params import load_params
from components.predictor import NoTracker, Window
from components.ranking.rules.judged import Ruled
from tests.conftest import ROOT
from tests.toy import toy_store
from tests.unit.evaluation.simple import Counts

VALIDATION = {
    "rows_in": 1210,
    "kept": 1200,
    "quarantined": 10,
    "rules": {"time_in_future": {"caught": 10}, "no_user": {"caught": 0}},
    "flags": {"bot_rate": 3},
}
PROMOTION = {
    "promote": True,
    "challenger": "habits",
    "checks": [{"passed": True, "sentence": "It is better by 0.2."}, {"passed": False, "sentence": "It is larger."}],
}


@cache
def fixed_record() -> dict[str, Any]:
    """The record of a model, two baselines and an observer on a toy log of habits."""
    store = toy_store(n_users=40, pattern="habit")
    rng = np.random.default_rng(0)
    new = rng.random(store.n_events) < 0.2
    store.columns["item"][new] = rng.integers(2, 22, int(new.sum()))
    whole = load_params(ROOT / "params.yaml")
    params, policy = whole.evaluation.model_copy(update={"bootstrap": 200}), whole.policy
    rule = policy.rules["active"].model_copy(update={"order": "diverse", "weight": 0.6})
    ruled = Ruled(policy.model_copy(update={"rules": {**policy.rules, "active": rule}}))
    people: list[tuple[Counts, Kind]] = [
        (Counts("habits", 0.9, heads=True), "model"),
        (Counts("shy_habits", 0.03), "model"),
        (Counts("popularity"), "baseline"),
        (Counts("slightly_personal", 0.01), "baseline"),
        (Counts("observer", 0.95), "observer"),
    ]
    judged = []
    for predictor, kind in people:
        predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
        window, also = Window(store, "test"), ruled if kind == "model" else None
        found = judge(predictor, window, Protocol.of(params), max_queries=1000, seed=0, also=also)
        curves = {"tune_ndcg@10": [(1.0, 0.1), (2.0, 0.3)], "loss_item": [(1.0, 3.0), (2.0, 2.0)]}
        judged.append(Judged(found, kind, curves if predictor.name == "habits" else None))
    half = np.array(["left", "right"] * 20, dtype=object)
    groups = Groups({"user half": half, "user activity": activity(store)}, {"item popularity": popularity(store)})
    return record_of(judged, store, params, seed=0, groups=groups, min_group_queries=10)

"""Does 30 % mean 30 %? Expected calibration error of networks before and after their temperatures, on the test window.

    OMP_NUM_THREADS=1 python -m benchmarks.calibration --source city [--models gru,transformer] [--json OUT]
    OMP_NUM_THREADS=1 python -m benchmarks.calibration --source foursquare --path train.csv.gz

Temperatures are fitted on the tune window (`training.loop.calibration: temperature`); before and after are one set of
weights that is asked twice about a later window, seen items kept. The error is of the likeliest item and of the
likeliest action, in ten bins of equal size; intervals draw users anew.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.benchmark.load import Options, load_log
from components.evaluation.calibration import Reliability, action_reliability, item_reliability
from components.evaluation.judge import judge
from components.evaluation.judgement import Judgement
from components.evaluation.protocol import Protocol
from components.features.build import frame_to_store
from components.features.store import Store
from components.features.windows import Split
from components.files import write_json
from components.params import Params
from components.predictor import NoTracker, Window
from components.training.network import NetworkPredictor

_DRAWS = 200
Record = dict[str, Any]
Error = Callable[[Judgement], Reliability | None]
HEADS: dict[str, Error] = {"item": item_reliability, "action": action_reliability}


def errors(before: Judgement, after: Judgement, error: Error, params: Params) -> Record | None:
    """The error before and after, and what was gained with its interval; None where the model does not answer that.

    The same draws of users for both: an error by itself is drawn too great, since noise is never negative in it.
    """
    pair = (error(before), error(after))
    if pair[0] is None or pair[1] is None:
        return None
    names, group = np.unique(before.user, return_inverse=True)
    of_user = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    rng = np.random.default_rng(params.workspace.seed)
    drawn = []
    for _ in range(_DRAWS):
        rows = np.concatenate([of_user[u] for u in rng.integers(0, len(names), len(names))])
        found = [error(replace(one, table=one.table[rows])) for one in (before, after)]
        drawn.append(sum(sign * one.error for sign, one in zip((1, -1), found, strict=True) if one))
    low, high = np.percentile(drawn, [2.5, 97.5])
    gained = {"value": pair[0].error - pair[1].error, "low": float(low), "high": float(high)}
    return {"before": pair[0].error, "after": pair[1].error, "gained": gained}


def rows_of(name: str, store: Store, params: Params) -> list[Record]:
    """Each head of one network, before and after."""
    network = NetworkPredictor.of(name, params)
    network.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    fitted, rules, asked = network.temperatures, params.evaluation, Protocol.of(params.evaluation)
    found = {}
    for when, temperatures in (("before", {}), ("after", fitted)):
        network.temperatures = temperatures
        test = Window(store, "test")
        found[when] = judge(network, test, asked, max_queries=rules.max_queries, seed=params.workspace.seed)
    rows = []
    for head, error in HEADS.items():
        figures = errors(found["before"], found["after"], error, params)
        if head in fitted and figures:
            rows.append({"model": name, "head": head, "temperature": fitted[head], **figures})
            logging.info("%s", rows[-1])
    return rows


def main() -> None:
    """Train, ask twice, say, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True)
    parser.add_argument("--path", type=Path)
    parser.add_argument("--models", default="gru,transformer", metavar="A,B")
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    names = tuple(said.models.split(","))
    params, events, items, users = load_log(
        Options(source=said.source, path=said.path, seen="kept", models=names), logging.info
    )
    store = frame_to_store(events, items, users, params, Split("temporal"))
    record = {
        "source": said.source,
        "events": store.n_events,
        "rows": [row for n in names for row in rows_of(n, store, params)],
    }
    if said.json:
        write_json(said.json, record)


if __name__ == "__main__":
    main()

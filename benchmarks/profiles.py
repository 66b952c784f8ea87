"""How good the map of users' weeks is: in weeks it was fitted to and in others, beside k-means and figures dealt anew.

    OMP_NUM_THREADS=1 python -m benchmarks.profiles [--users 520] [--days 182] [--seeds 5] [--workspace NAME=DIR …]
        [--json OUT]

Of each seed the quiet city of `benchmarks.planted`, and the features of the workspaces that are named (New York's
check-ins, made as docs/evolution.md says). Figures of several seeds are means.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.machine import machine
from benchmarks.planted import asked
from components.events.simulator import catalogue, rules, simulate
from components.evolution.log import Log
from components.evolution.profiles.report import profile_report
from components.features.store import Store
from components.files import write_json
from components.params import Params, load_params

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]


def city(users: int, days: int, seed: int) -> Log:
    """The log of a quiet city."""
    of = asked(users, days, quiet=True)
    events = pl.concat(list(simulate(of, seed, of.start, of.start + dt.timedelta(days=days - 1))))
    return Log.of_frame(events, catalogue(of, seed)[0], rules.TIMEZONE)


def measure(name: str, log: Log, params: Params) -> list[Record]:
    """A row for each way to make units."""
    found = profile_report(log, params.evolve.profiles, params.workspace.seed)
    quality = found["quality"]
    return [
        one | {"log": name, "users": found["users"], "p_later": quality["p_later"] if one["way"] == "map" else None,
               "by_chance": quality["topographic_by_chance"] if one["way"] == "map" else None}
        for one in quality["ways"]
    ]  # fmt: skip


def pooled(rows: list[Record]) -> list[Record]:
    """Rows of one log and way, averaged; the largest p."""
    answer = []
    for log, way in dict.fromkeys((row["log"], row["way"]) for row in rows):
        mine = [row for row in rows if (row["log"], row["way"]) == (log, way)]
        figures: Record = {}
        for name in ("users", "units", "quantisation_error", "explained", "explained_later", "topographic_error",
                     "by_chance"):  # fmt: skip
            known = [row[name] for row in mine if row[name] is not None]
            figures[name] = float(np.mean(known)) if known else None
        p = [row["p_later"] for row in mine if row["p_later"] is not None]
        answer.append({"log": log, "way": way, **figures, "p_later": max(p) if p else None})
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=520)
    parser.add_argument("--days", type=int, default=182)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workspace", nargs="*", default=[], help="NAME=DIR of workspaces with features")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    params = load_params(ROOT / "params.yaml")
    rows: list[Record] = []
    for seed in range(options.seeds):
        rows += measure(f"city, {options.seeds} seeds", city(options.users, options.days, seed), params)
    for named in options.workspace:
        name, _, folder = named.partition("=")
        log = Log.of_store(Store.load(Path(folder) / "data" / "features", verify=False))
        rows += measure(name, log, params)
    for row in pooled(rows):
        print(row)
    if options.json:
        write_json(options.json, {"machine": machine(), "rows": pooled(rows)})


if __name__ == "__main__":
    main()

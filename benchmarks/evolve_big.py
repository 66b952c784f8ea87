"""Seconds and peak memory of `chronotope evolve` on a large log, with its default analyses.

    OMP_NUM_THREADS=1 python -m benchmarks.evolve_big [--users 43000] [--days 190] [--folder DIR] [--json OUT]

The log is the simulated city, by default about ten million events; `evolve` runs in a process of its own, whose peak
resident memory and seconds of CPU the kernel tells. DIR keeps the log and its features, so that a second call measures
alone. Seconds of making the log and its features are told beside, and count for nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from benchmarks.machine import machine
from components.events.simulator import catalogue, simulate
from components.features.build import build
from components.features.store import Store
from components.files import read_json, write_json
from components.params import SimulationParams, load_params
from components.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
SEED = 7
RUN = """
import json, resource, sys, time
from pathlib import Path
from components.evolve import evolve
from components.params import load_params
root, begun, parts = Path(sys.argv[1]), time.monotonic(), []
def tell(name):
    used = resource.getrusage(resource.RUSAGE_SELF)
    parts.append([name, time.monotonic() - begun, used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime])
    print(*parts[-1], file=sys.stderr, flush=True)
evolve(root, load_params(root / "params.yaml"), tell)
tell("end")
Path(sys.argv[2]).write_text(json.dumps(parts))
"""


def make(root: Path, users: int, days: int, items: int) -> dict[str, float]:
    """A workspace with the features of a city's log; nothing where it is there already."""
    space = Workspace(root)
    times = {}
    if not (root / "data" / "features" / "store.json").is_file():
        city = SimulationParams(
            users=users, items=items, start=dt.date(2025, 1, 6), days=days, events_per_user_day=1.8, drift=0.2,
            widening=0.3, bots=0.001, duplicates=0.0, dirty=0.0,
        )  # fmt: skip
        for folder in (space.validated, space.catalogue):
            folder.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        last = city.start + dt.timedelta(days=days - 1)
        pl.concat(list(simulate(city, SEED, city.start, last))).write_parquet(space.validated / "events.parquet")
        catalogue(city, SEED)[0].write_parquet(space.catalogue / "items.parquet")
        times["simulate_s"] = time.monotonic() - begun
    record = yaml.safe_load((ROOT / "params.yaml").read_text())
    record["evolve"] = yaml.safe_load((ROOT / "components" / "presets" / "default.yaml").read_text())["evolve"]
    space.params.write_text(yaml.safe_dump(record, sort_keys=False))
    if times:
        begun = time.monotonic()
        build(root, load_params(space.params))
        times["features_s"] = time.monotonic() - begun
    return times


def measure(root: Path) -> dict[str, Any]:
    """Seconds and peak memory of `evolve` in a process of its own, whole and part by part."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "parts.json"
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", RUN, str(root), str(out)], check=True, cwd=ROOT)
        seconds, parts = time.monotonic() - begun, read_json(out)
    return {
        "seconds": seconds,
        "cpu_s": parts[-1][3],
        "peak_gib": parts[-1][2],
        "parts": [
            {"part": name, "seconds": after - before, "cpu_s": used - used_before, "peak_gib_so_far": peak}
            for (name, before, _, used_before), (_, after, peak, used) in pairwise(parts)
        ]
        + [{"part": "all, start included", "seconds": seconds, "cpu_s": parts[-1][3], "peak_gib_so_far": parts[-1][2]}],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=43_000)
    parser.add_argument("--days", type=int, default=190)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = options.folder or Path(scratch)
        made = make(root, options.users, options.days, options.items)
        store = Store.load(root / "data" / "features", verify=False)
        sizes = {"events": store.n_events, "users": store.n_users}
        record = {"machine": machine(), **sizes, **made, **measure(root)}
    print(record)
    if options.json:
        write_json(options.json, record)


if __name__ == "__main__":
    main()

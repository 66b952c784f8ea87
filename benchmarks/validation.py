"""Seconds and memory of validation: `python -m benchmarks.validation [--rows N] [--days N] [--json OUT]`.

Makes its own log with numpy (clean but for a share of dirty rows), writes it as day files into a temporary workspace,
and runs the whole stage: columnar checks on all rows, quarantine, flags, Great Expectations on at most
`validation.gx_rows` of them, Data Docs, report. The imports are timed apart, by an empty first run. The peak is of the
process, log making excluded (it runs in a child).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from components.events.contract import SCHEMA
from components.events.validation import validate
from components.params import Params, load_params

FIRST = dt.date(2025, 1, 6)
ACTIONS = ("view", "like", "cart", "purchase", "checkin")


def make_log(root: Path, rows: int, days: int, dirty: float, seed: int = 0) -> None:
    """Write `rows` events of `rows / 50` users over `days` days; a share `dirty` has a latitude of 95 degrees."""
    rng = np.random.default_rng(seed)
    start_us = int(dt.datetime.combine(FIRST, dt.time(), dt.UTC).timestamp()) * 1_000_000
    time_us = np.sort(rng.integers(0, days * 86_400_000_000, rows)) + start_us
    users = np.array([f"user-{u:07d}" for u in range(max(rows // 50, 1))], object)
    items = np.array([f"item-{i:06d}" for i in range(20_000)], object)
    latitude = rng.uniform(48.80, 48.90, rows)
    latitude[rng.random(rows) < dirty] = 95.0
    table = pl.DataFrame(
        {
            "user_id": pl.Series(users).gather(rng.integers(0, len(users), rows)),
            "item_id": pl.Series(items).gather(rng.integers(0, len(items), rows)),
            "action": pl.Series(ACTIONS).gather(rng.choice(5, rows, p=[0.5, 0.2, 0.1, 0.1, 0.1])),
            "timestamp": pl.Series(time_us).cast(SCHEMA["timestamp"]),
            "source_seq": np.arange(rows),
            "utc_offset_min": np.full(rows, 60),
            "latitude": latitude,
            "longitude": rng.uniform(2.30, 2.40, rows),
            "duration_s": rng.lognormal(4, 0.5, rows),
            "value": pl.Series(np.where(rng.random(rows) < 0.3, rng.lognormal(3, 0.5, rows), np.nan)).fill_nan(None),
            "device": pl.Series(["phone", "web"]).gather(rng.integers(0, 2, rows)),
            "session_id": pl.repeat(None, rows, dtype=pl.String, eager=True),
            "text": pl.repeat(None, rows, dtype=pl.String, eager=True),
            "event_id": pl.repeat(None, rows, dtype=pl.String, eager=True),
            "event_key": rng.integers(0, 2**63, rows).astype(np.uint64),
        },
        schema=dict(SCHEMA),
    )
    folder = root / "data" / "events"
    folder.mkdir(parents=True)
    for (day,), part in table.with_columns(pl.col("timestamp").dt.date().alias("_day")).group_by("_day"):
        part.drop("_day").write_parquet(folder / f"day={day}.parquet")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _made(root: Path, rows: int, days: int, dirty: float) -> None:
    child = multiprocessing.get_context("spawn").Process(target=make_log, args=(root, rows, days, dirty))
    child.start()
    child.join()
    if child.exitcode != 0:
        sys.exit("the log could not be made")


def measure(rows: int, days: int, dirty: float, params: Params) -> dict[str, float | int]:
    """Seconds, peak memory and counts of one validation of `rows` rows."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        _made(small, 5000, 30, dirty)
        started = time.perf_counter()
        validate(small, params)
        first_s, before_mb = time.perf_counter() - started, _peak_mb()
        _made(large, rows, days, dirty)
        started, cpu_started = time.perf_counter(), time.process_time()
        report = validate(large, params)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    return {
        "rows": report.rows_in,
        "quarantined": report.quarantined,
        "expectations": report.expectations["evaluated"],
        "great_expectations_rows": report.expectations["rows"],
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_s, 2),
        "load_average": round(os.getloadavg()[0], 1),
        "rows_per_s": round(rows / seconds),
        "first_run_with_imports_s": round(first_s, 2),
        "peak_mb": round(_peak_mb()),
        "peak_before_mb": round(before_mb),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validation", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=70)
    parser.add_argument("--dirty", type=float, default=0.01)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.rows, options.days, options.dirty, load_params(options.params))
    for name, value in result.items():
        print(f"{name:>26} {value:>14,}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

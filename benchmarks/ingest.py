"""Rows per second and peak memory of ingest: Parquet of the contract's columns → conformed, de-duplicated day files.

    python -m benchmarks.ingest --rows 10000000 --days 365 [--json OUT]

The log is random (numpy, seeded): users, items and actions as text, times spread over the days in time order, places,
durations and values. Peak memory is the largest resident size of the process, the making of the log not included.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components.events.contract import conform
from components.events.ingest import ingest
from components.files import write_json
from components.params import Params, load_params

_START_US = 1_704_067_200_000_000  # 2024-01-01
_ROWS = 1_000_000


def write_log(folder: Path, rows: int, days: int, users: int = 200_000, items: int = 20_000) -> None:
    """Parquet files of a million rows each, oldest first."""
    rng = np.random.default_rng(7)
    actions = np.array(["view", "like", "cart", "purchase", "checkin"], dtype=object)
    devices = np.array(["phone", "web", "tablet"], dtype=object)
    span = days * 86_400_000_000
    for number, first in enumerate(range(0, rows, _ROWS)):
        n = min(_ROWS, rows - first)
        times = _START_US + np.sort(rng.integers(first * span // rows, (first + n) * span // rows, n))
        pl.DataFrame(
            {
                "user_id": "u" + pl.Series(rng.integers(0, users, n)).cast(pl.String),
                "item_id": "i" + pl.Series(rng.integers(0, items, n)).cast(pl.String),
                "action": pl.Series(actions[rng.integers(0, 5, n)], dtype=pl.String),
                "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
                "latitude": rng.uniform(48.6, 49.1, n),
                "longitude": rng.uniform(1.9, 2.8, n),
                "duration_s": rng.exponential(60, n).round(1),
                "value": rng.exponential(20, n).round(2),
                "device": pl.Series(devices[rng.integers(0, 3, n)], dtype=pl.String),
                "session_id": "s" + pl.Series(rng.integers(0, rows // 4, n)).cast(pl.String),
            }
        ).write_parquet(folder / f"part-{number:04d}.parquet")


def parquet_params(folder: Path) -> Params:
    """The repository's params, reading the folder."""
    params = load_params(Path(__file__).parents[1] / "params.yaml")
    source = params.events.source.model_copy(update={"format": "parquet", "path": str(folder)})
    return params.model_copy(update={"events": params.events.model_copy(update={"source": source})})


def measure(folder: Path) -> dict[str, Any]:
    """Conform one file, then ingest all, twice, and print."""
    found: dict[str, Any] = {}
    params = parquet_params(folder)
    chunk = pl.read_parquet(folder / "part-0000.parquet")
    begin = time.perf_counter()
    conform(chunk, params.events, dt.datetime.now(dt.UTC))
    found["conform"] = {"rows_per_s": chunk.height / (time.perf_counter() - begin)}
    print(f"conform  {found['conform']['rows_per_s']:12,.0f} rows/s")
    del chunk
    with tempfile.TemporaryDirectory() as workspace:
        for name in ("ingest", "again"):
            begin, busy = time.perf_counter(), time.process_time()
            report = ingest(Path(workspace), params)
            seconds, cpu = time.perf_counter() - begin, time.process_time() - busy
            rate = report.rows_in / seconds
            found[name] = {"rows": report.rows_in, "rows_per_s": rate, "seconds": seconds, "cpu_s": cpu}
            print(f"{name:8} {rate:12,.0f} rows/s  {seconds:6.2f} s wall  {cpu:6.2f} s CPU  {report.kept:,} kept")
        size = sum(path.stat().st_size for path in Path(workspace, "data/events").iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak     {peak / 2**30:8.2f} GiB  day files {size / 2**20:,.0f} MiB")
    return found | {"peak_gib": peak / 2**30, "day_files_mib": size / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--log", type=Path, help="measure a log that is there")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.log:
        found = measure(arguments.log)
        if arguments.json:
            write_json(arguments.json, found)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder), arguments.rows, arguments.days)
        os.sync()  # writing the log is not part of what is measured
        out = [] if arguments.json is None else ["--json", str(arguments.json)]
        subprocess.run([sys.executable, __file__, "--log", folder, *out], check=True)


if __name__ == "__main__":
    main()

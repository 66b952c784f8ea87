"""Speed and memory of the features stage at ten million events, beside the same columns in plain pandas.

    python benchmarks/features.py [--rows 10000000] [--pandas-rows 1000000] [--places venues|fixes] [--json OUT]

Makes a log (200,000 users at 20,000 venues over 70 days), writes it as the validate stage would, and builds the
packed store in a process of its own, whose peak resident memory is what the table shows. `--places fixes` moves
every event a few metres, so that no two share their coordinates. It never touches a workspace.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
START_S, DAYS = 1_736_121_600, 70


def write_log(root: Path, n: int, places: str) -> None:
    """Write n events sorted by time to `root`/data/validated/events.parquet, in slices of two million."""
    rng = np.random.default_rng(0)
    users = pl.Series([f"user{u:07d}" for u in range(200_000)])
    venues = pl.Series([f"venue{v:06d}" for v in range(20_000)])
    lat, lon = rng.uniform(48.6, 49.1, 20_000), rng.uniform(1.9, 2.8, 20_000)
    actions, devices = pl.Series(["view", "like", "cart", "purchase", "checkin"]), pl.Series(["phone", "web", "tv"])
    frames, step = [], 2_000_000
    for low in range(0, n, step):
        m = min(step, n - low)
        edge = START_S + np.array([low, low + m]) / n * DAYS * 86_400
        micros = np.sort(rng.uniform(*edge, m) * 1e6).astype(np.int64)
        venue = np.minimum(rng.zipf(1.3, m) - 1, 19_999)
        drift = rng.normal(0, 2e-4, (2, m)) if places == "fixes" else np.zeros((2, m))
        frames.append(
            pl.DataFrame(
                {
                    "user_id": users.gather(rng.integers(0, 200_000, m)),
                    "item_id": venues.gather(venue),
                    "action": actions.gather(rng.integers(0, 5, m)),
                    "timestamp": pl.Series(micros).cast(pl.Datetime("us", "UTC")),
                    "source_seq": np.arange(low, low + m),
                    "latitude": lat[venue] + drift[0],
                    "longitude": lon[venue] + drift[1],
                    "duration_s": rng.exponential(60, m),
                    "value": pl.Series(np.where(rng.random(m) < 0.7, np.nan, rng.exponential(20, m))).fill_nan(None),
                    "device": devices.gather(rng.integers(0, 3, m)),
                    "event_key": rng.integers(0, 2**63, m).astype(np.uint64),
                }
            )
        )
    path = root / "data/validated/events.parquet"
    path.parent.mkdir(parents=True)
    pl.concat(frames).write_parquet(path)


def measured(body: str, *arguments: str) -> dict[str, float]:
    """Run Python code in its own process: seconds by the clock and of the processor, and peak memory."""
    report = "used = resource.getrusage(resource.RUSAGE_SELF); print(json.dumps([seconds, cpu, used.ru_maxrss]))"
    clock = "start, start_cpu = time.perf_counter(), time.process_time()"
    ends = "seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu"
    head = "import json, resource, sys, time; from pathlib import Path"
    code = "\n".join([head, body.replace("START", clock), ends, report])
    out = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True, cwd=ROOT)
    seconds, cpu, peak_kb = json.loads(out.stdout.splitlines()[-1])
    return {"seconds": seconds, "cpu": cpu, "peak_bytes": peak_kb * 1024}


OURS = """
from components.features.build import build
from components.params import load_params
params = load_params(Path("params.yaml"))
START
build(Path(sys.argv[1]), params)
"""

PANDAS = """
import h3, holidays, numpy as np, pandas as pd
START
frame = pd.read_parquet(Path(sys.argv[1]) / "data/validated/events.parquet").head(int(sys.argv[2]))
frame = frame.sort_values(["user_id", "timestamp", "source_seq"], kind="stable").reset_index(drop=True)
for name in ("user_id", "item_id", "action", "device"):
    frame[name] = frame[name].astype("category").cat.codes
by_user = frame.groupby("user_id", sort=False)
frame["gap_s"] = by_user["timestamp"].diff().dt.total_seconds()
frame["session"] = (frame["gap_s"] > 1800).groupby(frame["user_id"]).cumsum()
local = frame["timestamp"].dt.tz_convert("Europe/Paris")
frame["hour"], frame["weekday"] = local.dt.hour, local.dt.weekday
days = local.dt.date
free = holidays.country_holidays("FR", years=[2025])
frame["holiday"] = days.map({day: day in free for day in days.unique()})
a, b = np.radians(frame["latitude"]), np.radians(frame["longitude"])
pa, pb = np.radians(by_user["latitude"].shift()), np.radians(by_user["longitude"].shift())
x = np.sin((a - pa) / 2) ** 2 + np.cos(a) * np.cos(pa) * np.sin((b - pb) / 2) ** 2
frame["distance_km"] = 2 * 6371.007 * np.arcsin(np.sqrt(x))
frame["speed_kmh"] = frame["distance_km"] / (frame["gap_s"].clip(lower=1) / 3600)
places = frame[["latitude", "longitude"]].drop_duplicates()
for r in (6, 8):
    places[f"cell_{r}"] = [h3.latlng_to_cell(p, q, r) for p, q in zip(places["latitude"], places["longitude"])]
frame = frame.merge(places, on=["latitude", "longitude"], how="left")
for name in ("gap_s", "distance_km", "speed_kmh", "duration_s", "value"):
    x = np.log1p(frame[name].fillna(frame[name].median()))
    frame[name + "_scaled"] = ((x - x.mean()) / x.std()).astype("float32")
frame.to_parquet(Path(sys.argv[1]) / "pandas.parquet")
"""


def main() -> None:
    """Print one line per engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pandas-rows", type=int, default=1_000_000)
    parser.add_argument("--places", choices=["venues", "fixes"], default="venues")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    record: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder), options.rows, options.places)
        os.sync()  # writing the log is not part of what is measured
        runs = [("chronotope", OURS, options.rows)]
        if options.pandas_rows:
            runs.append(("pandas", PANDAS, options.pandas_rows))
        for name, body, rows in runs:
            found = measured(body, folder, str(rows))
            rate, peak = rows / found["seconds"], found["peak_bytes"] / rows
            print(
                f"{name:12s} {rows:>12,} rows {found['seconds']:7.2f} s {rate / 1e6:6.2f} M rows/s "
                f"{rows / found['cpu'] / 1e6:6.2f} M rows a CPU second {peak:7.0f} B/row"
            )
            record[name] = {"rows": rows, **found, "rows_per_s": rate, "bytes_a_row": peak}
    if options.json:
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

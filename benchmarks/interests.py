"""Next month's mix of interests of every user, beside "as last month", by log-loss per event.

    OMP_NUM_THREADS=1 python -m benchmarks.interests --data DIR [--json OUT]

DIR holds `foursquare-nyc` and `ml-100k`. How fast the past fades and how much everybody's mix counts is chosen on
earlier months; the last ones are scored once. Intervals are from drawing users anew, gains are paired by user.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from components.benchmark.load import Options, load_log
from components.evolution.interests.forecast import forecast
from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.sequences import months, sequences
from components.files import write_json

HALF_LIVES, PRIORS, SCORED = (0.5, 1.0, 2.0, 4.0), (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0), 2
LOGS = {
    "New York, venue categories": ("foursquare", "foursquare-nyc/train.csv.gz"),
    "MovieLens 100K, first genre": ("recbole", "ml-100k"),
}


def rows(name: str, source: str, path: Path) -> list[dict[str, Any]]:
    """One line for each way to forecast."""
    params, events, items, _ = load_log(Options(source=source, path=path), print)
    log = Log.of_frame(events, items, params.events.timezone)
    found = sequences(log, log.category, len(log.categories), None)
    told = forecast(found, months(found), HALF_LIVES, PRIORS, SCORED, 1000, 0.95, 0)
    return [
        {
            "log": name,
            "way": one.name + (" (chosen)" if one.name == told.chosen else ""),
            "users": int(told.units.sum()),
            "labels": int(np.unique(found.label).size),
            "prior": one.prior,
            "loss": one.loss,
            "gain": one.gain,
        }
        for one in told.scores
    ]


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = [one for name, (source, path) in LOGS.items() for one in rows(name, source, args.data / path)]
    record = plain({"scored_months": SCORED, "half_lives": list(HALF_LIVES), "priors": list(PRIORS), "rows": found})
    print(json.dumps(record, indent=2))
    if args.json:
        write_json(args.json, record)


if __name__ == "__main__":
    main()

"""Keeps what a workspace's last run found as a result of the benchmark page.

    python -m benchmarks.keep WORKSPACE --json benchmarks/results/NAME.json

Reads reports/evaluation.json, drops what the page does not show (slices, curves, calibration), and adds nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from components.files import read_json, write_json

Record = dict[str, Any]


def kept(evaluation: Record) -> Record:
    """An evaluation in the shape of a benchmark's JSON; of the paired differences it has those to the best baseline."""
    data, rules = evaluation["data"], evaluation["protocol"]
    stated = ("queries", "users_asked", "unseen_share", "targets_in_window")
    rows = [
        {"model": row["model"], "kind": row["kind"], "metrics": row["metrics"], "seeds": 1}
        for row in evaluation["models"]
    ]
    differences = {row["model"]: row.get("difference") for row in evaluation["models"]}
    return {
        "protocol": {name: value for name, value in rules.items() if name != "window"}
        | {name: data[name] for name in stated},
        "data": {name: data[name] for name in ("digest", "users", "items", "events", "ties")},
        "primary": evaluation["primary"],
        "confidence": evaluation["confidence"],
        "rows": rows,
        "paired": {
            model: {found["to"]: {name: found[name] for name in ("value", "low", "high")}}
            for model, found in differences.items()
            if found
        },
    }


def main() -> None:
    """Read, cut, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    said = parser.parse_args()
    write_json(said.json, kept(read_json(said.workspace / "reports" / "evaluation.json")))


if __name__ == "__main__":
    main()

"""One measurement over several seeds of the simulated city: its options, and the rows of all seeds, kept as they come.

Seeds that ran elsewhere are joined by their rows. Never here: what is measured, and how rows become a table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.files import read_json, write_json

Record = dict[str, Any]


def parser_of(about: str | None, days: int) -> argparse.ArgumentParser:
    """Options of a benchmark: `users`, `days`, `seeds`, `first`, `join`, `rows`, `json`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=520)
    parser.add_argument("--days", type=int, default=days)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--join", type=Path, nargs="*", default=[], help="rows of other seeds, as --rows wrote them")
    parser.add_argument("--rows", type=Path, help="where the rows of single seeds go")
    parser.add_argument("--json", type=Path)
    return parser


def over(options: argparse.Namespace, measure: Callable[[int], list[Record]]) -> list[Record]:
    """Rows of every seed that is asked for, and of those that are joined; each says its `seed`."""
    rows: list[Record] = [row for path in options.join for row in read_json(path)]
    for seed in range(options.first, options.first + options.seeds):
        rows += measure(seed)
        if options.rows:
            write_json(options.rows, rows)
    return rows

"""The curves of a training as a table: `curves.csv`, one row for each step that was reported. Free of clocks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

#: Name of a curve → its (step, value) points, oldest first.
Points = dict[str, list[tuple[int, float]]]
_PLACE = ("step", "epoch")


def curves_csv(curves: Sequence[dict[str, float]]) -> str:
    """Rows of metrics by step as CSV; what a row does not have is empty."""
    names = sorted({name for row in curves for name in row} - set(_PLACE))
    out = io.StringIO()
    writer = csv.DictWriter(out, [*_PLACE, *names], lineterminator="\n")
    writer.writeheader()
    for row in curves:
        writer.writerow({name: f"{value:.7g}" for name, value in row.items()})
    return out.getvalue()


def read_curves(path: Path) -> Points:
    """What `curves_csv` wrote: each curve at the steps at which it was reported; empty where there is no such file."""
    if not path.is_file():
        return {}
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in (rows[0] if rows else {}) if name not in _PLACE]
    found = {name: [(int(float(row["step"])), float(row[name])) for row in rows if row[name]] for name in names}
    return {name: points for name, points in found.items() if points}

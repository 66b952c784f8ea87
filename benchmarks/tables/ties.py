"""What the order of tied events was worth: one log judged as its file has it, and with ties in random order."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.suite import Source, Table
from benchmarks.tables.ranking import Stored, name_of, value_of, with_kinds
from benchmarks.tables.text import NOTHING, estimate, markdown, metric_name


def render(table: Table, stored: Stored, _sources: Mapping[str, Source]) -> list[str]:
    """Blocks of Markdown: how much is tied, and each row under both orders; nothing while one of them is missing."""
    first, second = stored(table.result), stored(table.against or "")
    if first is None or second is None:
        return []
    given, random = with_kinds(first), with_kinds(second)
    primary, other = given["primary"], {row["model"]: row for row in random["rows"]}
    rows = []
    for row in given["rows"]:
        twin = other.get(row["model"])
        if twin is None or (table.rows and row["model"] not in table.rows):
            continue
        a, b = value_of(row, primary), value_of(twin, primary)
        share = NOTHING if not a or b is None else f"{1 - b / a:.0%}"
        cells = [estimate(one["metrics"].get(primary)) for one in (row, twin)]
        rows.append((-(a or 0.0), [name_of(row["model"]), *cells, share]))
    tied = given["data"].get("tied_targets")
    says = f"{given['data']['ties']:.1%} of the events share their time with the one before them"
    says += "." if tied is None else f", and {tied:.1%} of the answers."
    head = ["model", f"{metric_name(primary)}, order of the file", "tied days shuffled", "share that was order"]
    return [says, markdown(head, [cells for _, cells in sorted(rows, key=lambda one: one[0])])]

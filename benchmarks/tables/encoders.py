"""Encoders beside their twins: the JSON of benchmarks/encoders.py as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.suite import Source, Table
from benchmarks.tables.ranking import AHEAD, Stored, name_of, protocol_line, value_of
from benchmarks.tables.text import best_in_bold, estimate, gap, markdown, metric_name


def render(table: Table, stored: Stored, _sources: Mapping[str, Source]) -> list[str]:
    """Blocks of Markdown: each encoder, its twin and the differences; the rules."""
    record = stored(table.result)
    if record is None:
        return []
    primary = record["primary"]
    rows, values = [], []
    for row in sorted(record["rows"], key=lambda row: -(value_of(row, primary) or 0.0)):
        against = [row["against_twin"], row["against_popularity"]]
        ahead = all(one["low"] is not None and one["low"] > 0 for one in against)
        twin = estimate(row["twin"][primary])
        label = f"{name_of(row['model'])}{f' {AHEAD}' if ahead else ''}"
        rows.append([label, estimate(row["metrics"][primary]), twin, *(gap(one) for one in against)])
        values.append([value_of(row, primary)])
    head = ["encoder", metric_name(primary), "its twin", "against its twin", "against popularity"]
    popularity = f"Popularity: {estimate(record['popularity'][primary])}."
    marked = f"{AHEAD} ahead of both, each lower bound above zero."
    return [markdown(head, best_in_bold(rows, values, 1)), f"{popularity} {marked}", protocol_line(record)]

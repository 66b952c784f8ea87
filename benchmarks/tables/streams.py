"""Marked event streams: the JSON of benchmarks/streams.py as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.suite import Published, Source, Table
from benchmarks.tables.ranking import Stored, source_of
from benchmarks.tables.text import NOTHING, markdown, number

#: Name in the JSON → title, decimal places.
FIGURES = {
    "type_error_percent": ("type error, %", 2),
    "log_likelihood": ("log-likelihood", 3),
    "log_likelihood_time": ("of the time", 3),
    "log_likelihood_type": ("of the type", 3),
    "mae_median": ("MAE of the median", 4),
    "coverage_80": ("80 % coverage", 3),
}
#: Constants of the JSON → label, the figure that they are measured in.
CONSTANTS = {
    "type_error_majority_percent": ("always the commonest type", "type_error_percent"),
    "type_error_last_again_percent": ("the last type again", "type_error_percent"),
    "mae_constant_median": ("always the median gap", "mae_median"),
}
LABELS = {
    "gru": "GRU with a log-normal mixture",
    "blend": "GRU, LSTM and CNN-RNN, each with a log-normal mixture, blended",
}


def render(table: Table, stored: Stored, sources: Mapping[str, Source]) -> list[str]:
    """Blocks of Markdown: the models with the range of their seeds, published recipes, and constants."""
    record = stored(table.result)
    found = [one for one in (record, stored(table.against) if table.against else None) if one is not None]
    rows = [_own(one) for one in found]
    rows += [_published(one, sources) for one in table.published]
    for name, (label, figure) in CONSTANTS.items() if record is not None else ():
        value = record["constants"][name]
        rows.append(
            [label, "constant", *(number(value, places) if key == figure else NOTHING for key, places in _places())]
        )
    head = ["model", "from", *(title for title, _ in FIGURES.values())]
    told = (
        []
        if record is None
        else [f"{record['rows'][0]['events']:,} events are asked for; one unit of the file is an hour."]
    )
    if record is not None and len(record["rows"]) > 1:
        told.append("In parentheses stand the least and the greatest of the seeds here, not an interval.")
    differs = "\n".join(f"- {one.model}: {one.why}" for one in table.published if one.why)
    return [markdown(head, rows, left=2) if rows else "", *told, differs]


def _places() -> list[tuple[str, int]]:
    return [(name, places) for name, (_, places) in FIGURES.items()]


def _own(record: dict[str, Any]) -> list[str]:
    cells = []
    for name, places in _places():
        seeds = [row[name] for row in record["rows"]]
        span = f" ({number(min(seeds), places)} to {number(max(seeds), places)})" if len(seeds) > 1 else ""
        cells.append(f"**{number(record['mean'][name], places)}**{span}")
    count = len(record["rows"])
    label = LABELS[record.get("model", "gru")]  # older results are all of one GRU
    return [f"**{label}**", f"this project, {count} seed{'s' if count > 1 else ''}", *cells]


def _published(row: Published, sources: Mapping[str, Source]) -> list[str]:
    cells = [number(row.values.get(name), places) for name, places in _places()]
    return [row.model, source_of(row, sources), *cells]

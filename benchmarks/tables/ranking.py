"""Models, baselines and what others published in one table: the JSON of `chronotope benchmark` as Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from benchmarks.suite import Published, Source, Table
from benchmarks.tables.text import NOTHING, best_in_bold, estimate, gap, markdown, metric_name, number
from components.benchmark.__main__ import options_of
from components.benchmark.paired import ahead_of_baselines
from components.presets import preset

Record = dict[str, Any]
#: Name of a stored file → what it holds, or None where it is not stored.
Stored = Callable[[str], Record | None]
METRICS = ("ndcg@10", "hr@10", "hr@1", "mrr")
AHEAD, ROUGHLY = "▲", "≈"
_WRITTEN = {"markov": "Markov", "transformer": "Transformer", "knn": "kNN"}
_SHORT = {"rnn", "lstm", "gru", "cnn", "st", "hstu", "bert", "svm"}


def render(table: Table, stored: Stored, sources: Mapping[str, Source]) -> list[str]:
    """Blocks of Markdown: the table, how the models compare, the rules, and what is not comparable."""
    found = stored(table.result)
    record = None if found is None else with_kinds(found)
    columns = [str(one) for one in table.columns] or list(METRICS)
    blocks = [_together(table, record, columns, sources)]
    if record is not None:
        blocks += [
            _against_each_other(table, record),
            _seeds(table, record),
            protocol_line(record),
            _unlike(table, record),
        ]
    return [*blocks, _remarks(table.published), _apart(table.published, columns, sources)]


def with_kinds(record: Record) -> Record:
    """The record with what every row is; one of old does not say so, but counters have names of their own."""
    baselines = _baselines()
    rows = [{"kind": "baseline" if row["model"] in baselines else "model"} | row for row in record["rows"]]
    return record | {"rows": rows, "primary": record.get("primary", "ndcg@10")}


@cache
def _baselines() -> frozenset[str]:
    record = preset("default")
    return frozenset(record["memory"]["components"]) | frozenset(record["training"]["baselines"])


def shown(table: Table, record: Record) -> list[Record]:
    """Rows of the record that the table shows."""
    return [row for row in record["rows"] if not table.rows or row["model"] in table.rows]


def value_of(row: Record, metric: str) -> float | None:
    """A metric of a row; None where it has none."""
    return (row["metrics"].get(metric) or {}).get("value")


def best_baseline(record: Record) -> Record | None:
    """The baseline that is best in the primary metric, shown or not."""
    rows = [row for row in record["rows"] if row["kind"] == "baseline"]
    return max(rows, key=lambda row: value_of(row, record["primary"]) or 0.0, default=None)


def paired(record: Record, model: str, other: str) -> Record | None:
    """Stored difference of two rows."""
    return record.get("paired", {}).get(model, {}).get(other)


def name_of(model: str) -> str:
    """A model as people write it.

    Examples
    --------
    >>> name_of("user_markov"), name_of("st_lstm"), name_of("session_knn")
    ('user Markov', 'ST LSTM', 'session kNN')
    """
    return " ".join(_WRITTEN.get(word, word.upper() if word in _SHORT else word) for word in model.split("_"))


def source_of(row: Published, sources: Mapping[str, Source]) -> str:
    """Where a published row was read."""
    source = sources[row.source]
    text = source.name if source.url is None else f"[{source.name}]({source.url})"
    return f"quoted in {text}" if row.quoted else text


def _together(table: Table, record: Record | None, columns: Sequence[str], sources: Mapping[str, Source]) -> str:
    """Own rows and those that can be set beside them, best first."""
    head = ["model", "from", *(metric_name(name) for name in columns)]
    lines: list[tuple[list[str], list[float | None]]] = []
    base = best_baseline(record) if record is not None and record.get("paired") else None
    for row in [] if record is None else shown(table, record):
        cells = [_label(row, record), _origin(row), *(estimate(row["metrics"].get(name)) for name in columns)]
        between = [gap(paired(record, row["model"], base["model"]))] if base is not None else []
        lines.append(([*cells, *between], [value_of(row, name) for name in columns]))
    if base is not None:
        head.append(f"against {name_of(base['model'])}")
    for one in table.published:
        if one.comparable != "not":
            mark = f"{ROUGHLY} " if one.comparable == "partly" else ""
            cells = [f"{mark}{one.model}", source_of(one, sources), *(number(one.values.get(name)) for name in columns)]
            lines.append((cells if base is None else [*cells, NOTHING], [one.values.get(name) for name in columns]))
    if not lines:
        return ""
    lead = columns.index(record["primary"]) if record is not None and record["primary"] in columns else 0
    lines.sort(key=lambda line: -(line[1][lead] or 0.0))
    return markdown(head, best_in_bold([cells for cells, _ in lines], [values for _, values in lines], 2), left=2)


def _label(row: Record, record: Record) -> str:
    if row["kind"] == "baseline":
        return name_of(row["model"])
    return f"**{name_of(row['model'])}**{f' {AHEAD}' if ahead_of_baselines(record, row['model']) else ''}"


def _origin(row: Record) -> str:
    if row["kind"] != "model":
        return str(row["kind"])
    if row["model"] == "memory":
        return "this project"  # it draws nothing
    return f"this project, {row['seeds']} seed{'s' if row['seeds'] > 1 else ''}"


def _against_each_other(table: Table, record: Record) -> str:
    """Paired differences between the models, the better first."""
    models = [row for row in shown(table, record) if row["kind"] == "model"]
    models.sort(key=lambda row: -(value_of(row, record["primary"]) or 0.0))
    told = []
    for i, better in enumerate(models):
        for worse in models[i + 1 :]:
            found = paired(record, better["model"], worse["model"])
            if found is not None:
                told.append(f"{name_of(better['model'])} − {name_of(worse['model'])} {gap(found)}")
    return f"Models against each other, {metric_name(record['primary'])}: {'; '.join(told)}." if told else ""


def _seeds(table: Table, record: Record) -> str:
    """The mean of each seed, where there are several."""
    rows = [row for row in shown(table, record) if len(row.get("seed_means") or []) > 1]
    told = [f"{name_of(row['model'])} {', '.join(number(one) for one in row['seed_means'])}" for row in rows]
    return f"Seed by seed, {metric_name(record['primary'])}: {'; '.join(told)}." if told else ""


def _remarks(published: Sequence[Published]) -> str:
    """What is to be known of the rows that stand among ours; rows with one reason are told together."""
    rows: dict[str, list[str]] = {}
    for row in published:
        if row.why and row.comparable != "not":
            rows.setdefault(row.why, []).append(f"{f'{ROUGHLY} ' if row.comparable == 'partly' else ''}{row.model}")
    return "\n".join(f"- {'; '.join(models)}: {why}." for why, models in rows.items())


def _unlike(table: Table, record: Record) -> str:
    """Where a stored result was made otherwise than the command says that stands above it."""
    if not table.command or not table.command[0].startswith("chronotope benchmark "):
        return ""
    asked = options_of(shlex.split(table.command[0])[2:]).record()
    known = record.get("made_by", {}).get("options")
    if known is None:  # one of old
        asked, known = {"seeds": asked["seeds"]}, {"seeds": max(row["seeds"] for row in record["rows"])}
    names = [name for name in sorted({*asked, *known}) if asked.get(name) != known.get(name)]
    told = [
        f"{name.replace('_', ' ')} {_said(known.get(name))} (the command: {_said(asked.get(name))})" for name in names
    ]
    return f"*The stored result was made with {'; '.join(told)}.*" if told else ""


def _said(value: Any) -> str:
    return "left out" if value is None else ",".join(value) if isinstance(value, list) else str(value)


def protocol_line(record: Record) -> str:
    """Everything that must be known to compare a figure with another."""
    rules, data = record["protocol"], record["data"]
    tied = data.get("tied_targets")
    parts = [
        f"split {rules['split']}",
        f"target time {rules['target_time']}",
        f"history {rules['history']}",
        f"seen {rules['seen']}",
        f"unseen {rules['unseen']} ({rules['unseen_share']:.1%} of answers)",
        f"ties {rules['ties']} ({data['ties']:.1%} of events{'' if tied is None else f', {tied:.1%} of answers'})",
        f"{rules['queries']:,} questions of {rules['users_asked']:,} users",
        f"{data['items']:,} items ranked",
        f"data {data['digest'][:12]}",
    ]
    code = record.get("made_by", {}).get("code")
    return " · ".join([*parts, f"code {code[:12]}"] if code else parts)


def _apart(published: Sequence[Published], columns: Sequence[str], sources: Mapping[str, Source]) -> str:
    """What others report under other rules: told, and set against nothing."""
    rows = [row for row in published if row.comparable == "not"]
    if not rows:
        return ""
    named = dict.fromkeys([*columns, *(key for row in rows for key in row.values)])
    used = [name for name in named if any(name in row.values for row in rows)]
    rows.sort(key=lambda row: [-row.values.get(name, 0.0) for name in used])
    cells = [
        [row.model, source_of(row, sources), row.why, *(number(row.values.get(name)) for name in used)] for row in rows
    ]
    head = ["published, not comparable in number", "from", "why not", *(metric_name(name) for name in used)]
    return markdown(head, cells, left=3)

"""The model card: what a model is for, what it was made from, how good it is, and where it is not.

Written from the records of the evaluation and the lineage alone: every figure in it is theirs.
Form: Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from components.evaluation.table import cell, difference, markdown

Record = Mapping[str, Any]


def _day(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%Y-%m-%d")


def _find(evaluation: Record, model: str) -> Record | None:
    return next((row for row in evaluation["models"] if row["model"] == model), None)


def card(workspace: str, model: str, kind: str, evaluation: Record, lineage: Record) -> str:
    """The card as Markdown.

    Parameters
    ----------
    workspace : its name
    model : name of the candidate model
    kind : one sentence on what it is
    evaluation : reports/evaluation.json
    lineage : record of `registry.lineage`
    """
    row = _find(evaluation, model)
    parts = [
        f"# {model} ({workspace})",
        "## What it is for\n\n"
        f"{kind} It ranks the whole catalogue by the probability of being what a user does next"
        f"{_heads(row)}. It is meant for ranking and planning on the log that it was trained on; it is not meant to "
        "judge people, to decide about credit, work, health or law, or to tell one person's whereabouts to another.",
        f"## Data\n\n{_data(evaluation, lineage)}",
        f"## How good it is\n\n{evaluation['verdict']['headline']}\n\n{markdown(evaluation_for_card(evaluation))}",
    ]
    if row is not None:
        parts += [f"## Groups\n\n{_slices(row, evaluation['primary'])}", f"## Calibration and range\n\n{_range(row)}"]
    parts += [f"## Limits\n\n{_limits(row, evaluation)}", f"## Lineage\n\n{_lineage(lineage)}"]
    return "\n\n".join(parts) + "\n"


def evaluation_for_card(evaluation: Record) -> dict[str, Any]:
    """The record without observers: they know what no model can."""
    return {**evaluation, "models": [row for row in evaluation["models"] if row["kind"] != "observer"]}


def _heads(row: Record | None) -> str:
    if row is None:
        return ""
    names = {"action": "which action it is", "time": "when it comes", "place": "where"}
    told = [text for name, text in names.items() if row.get(name)]
    return f", and says {', '.join(told)}" if told else ""


def _data(evaluation: Record, lineage: Record) -> str:
    data = evaluation["data"]
    rows = [
        f"- {name}: {_day(one['start_s'])} to {_day(one['stop_s'])}, {one['events']:,} events"
        for name, one in lineage["windows"].items()
        if name != "rest"
    ]
    return (
        f"{data['events']:,} events of {data['users']:,} users on {data['items']:,} items; digest "
        f"`{str(lineage['data'])[:16]}`. What each part of it was used for:\n\n" + "\n".join(rows)
    )


def _slices(row: Record, primary: str) -> str:
    lines = [f"| group | queries | {primary} |", "| --- | --- | --- |"]
    for dimension, parts in row["slices"].items():
        lines += [f"| {dimension}: {one['name']} | {one['queries']:,} | {cell(one)} |" for one in parts]
    return "\n".join(lines)


def _range(row: Record) -> str:
    ece, lists = row["calibration"]["item"]["ece"], row["lists"]
    shown = {
        "expected calibration error of the first item": ece,
        f"share of the catalogue in some first {lists['k']}": lists["coverage"],
        "Gini of the items shown": lists["gini"],
        "popularity of what is shown over what is chosen": lists["popularity_lift"],
    }
    return "\n".join(f"- {name}: {value:.3f}" for name, value in shown.items() if value is not None)


def _limits(row: Record | None, evaluation: Record) -> str:
    lines = [
        "- Every figure is of one log and one window; another city, season or audience may differ.",
        f"- {evaluation['data']['unseen_share']:.1%} of the answers in the window were never seen in training.",
        "- What was never shown to a user was never chosen: the log knows nothing of it.",
    ]
    if row is None:
        return "\n".join(["- It was not judged in the report of its run.", *lines])
    if row.get("difference"):
        lines.insert(0, f"- Against the best baseline, {row['difference']['to']}: {difference(dict(row))}.")
    if row["gaps"]:
        lines.append(f"- Largest gap between declared groups: {_gap(row['gaps'][0])}.")
    weak = _weakest([one for parts in row["slices"].values() for one in parts])
    return "\n".join([*lines, f"- Weakest group: {weak}." if weak else "- No groups were told apart."])


def _gap(one: Record) -> str:
    told = f"{one['dimension']}, {one['best']} {one['best_value']:.3f}, {one['worst']} {one['worst_value']:.3f}"
    return told if one["low"] is None else f"{told} (difference {one['low']:+.3f} to {one['high']:+.3f})"


def _weakest(slices: Sequence[Record]) -> str | None:
    known = [one for one in slices if one["value"] is not None and one["queries"] >= 30]
    if not known:
        return None
    worst = min(known, key=lambda one: float(one["value"]))
    return f"{worst['name']}, {worst['value']:.3f} over {worst['queries']:,} queries"


def _lineage(lineage: Record) -> str:
    names = ("git_sha", "code", "dvc_lock", "params", "data", "environment", "run_id")
    return "\n".join(f"- {name.replace('_', ' ')}: `{lineage[name]}`" for name in names)

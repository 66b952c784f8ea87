"""Models beside each other on one axis: over all, against the best baseline, by slice, by group, by what each adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.evaluation.report.charts import Axis, Dot, number, scale, strip
from components.evaluation.report.words import count

Record = dict[str, Any]


def comparison(rows: list[Record], primary: str) -> Record:
    """The primary metric of every model, with its interval."""
    found = [row["metrics"][primary] for row in rows]
    ends = [one[key] for one in found for key in ("low", "high", "value") if one[key] is not None]
    axis = Axis.over(ends, zero=True)
    strips = []
    for row, one in zip(rows, found, strict=True):
        label = (
            f"{row['label']}: {primary} {number(one['value'])}, interval {number(one['low'])} to {number(one['high'])}"
        )
        picture = strip(axis, [Dot(one["value"], one["low"], one["high"], row["kind"])], label)
        strips.append({"row": row, "picture": picture, "value": number(one["value"])})
    return {"strips": strips, "scale": scale(axis)}


def differences(rows: list[Record]) -> Record | None:
    """Paired differences to the best baseline; None where there are none."""
    found = [(row, row["difference"]) for row in rows if row["kind"] != "baseline" and row.get("difference")]
    found = [(row, one) for row, one in found if one["low"] is not None]
    if not found:
        return None
    axis = Axis.over([one[key] for _, one in found for key in ("low", "high")], zero=True)
    strips = []
    for row, one in found:
        sure = "ahead" if one["low"] > 0 else "behind" if one["high"] < 0 else "undecided"
        label = f"{row['label']}: {number(one['value'])}, {number(one['low'])} to {number(one['high'])}, {sure}"
        picture = strip(axis, [Dot(one["value"], one["low"], one["high"], row["kind"])], label, zero=0.0)
        sign = "+" if one["value"] >= 0 else ""
        strips.append({"row": row, "picture": picture, "value": sign + number(one["value"]), "sure": sure})
    return {"strips": strips, "scale": scale(axis), "to": str(found[0][1]["to"]).replace("_", " ")}


def slices(pair: list[Record]) -> list[Record]:
    """One figure per dimension: the winner and the best baseline in each slice."""
    figures = []
    for dimension, parts in pair[0]["slices"].items():
        lines = [[row["slices"][dimension][i] for row in pair] for i in range(len(parts))]
        ends = [one[key] for line in lines for one in line for key in ("low", "high", "value") if one[key] is not None]
        axis = Axis.over(ends, zero=True)
        strips = []
        for line in lines:
            dots = [
                Dot(one["value"], one["low"], one["high"], row["kind"]) for row, one in zip(pair, line, strict=True)
            ]
            label = f"{line[0]['name']}: " + "; ".join(
                f"{row['label']} {number(one['value'])} ({number(one['low'])} to {number(one['high'])})"
                for row, one in zip(pair, line, strict=True)
            )
            strips.append({"parts": line, "picture": strip(axis, dots, label), "name": line[0]["name"]})
        figures.append({"dimension": dimension, "strips": strips, "scale": scale(axis)})
    return figures


def gaps(pair: list[Record]) -> Record | None:
    """The largest gap of each declared dimension: the winner's, and the best baseline's beside it."""
    if not pair[0]["gaps"]:
        return None
    lines = []
    for one in pair[0]["gaps"]:
        other = [gap for row in pair[1:] for gap in row["gaps"] if gap["dimension"] == one["dimension"]]
        lines.append([one, *other])
    ends = [gap[key] for line in lines for gap in line for key in ("low", "high", "value") if gap[key] is not None]
    axis = Axis.over(ends, zero=True)
    strips = []
    for line in lines:
        dots = [Dot(gap["value"], gap["low"], gap["high"], row["kind"]) for row, gap in zip(pair, line, strict=False)]
        label = f"{line[0]['dimension']}: " + "; ".join(
            f"{row['label']}, {gap['best']} before {gap['worst']} by {number(gap['value'])} "
            f"({number(gap['low'])} to {number(gap['high'])})"
            for row, gap in zip(pair, line, strict=False)
        )
        sure = line[0]["low"] is not None and line[0]["low"] > 0
        strips.append({"gap": line[0], "picture": strip(axis, dots, label, zero=0.0), "sure": sure})
    return {"strips": strips, "scale": scale(axis)}


def added(rows: list[Record]) -> list[Record]:
    """For each model that is made of learners, a figure of what each adds, and one for each learner by slices."""
    found = []
    for row in (row for row in rows if row.get("adds")):
        learners = row["adds"]["learners"]
        every = [one["adds"] for one in learners] + [part for one in learners for part in one["slices"]]
        axis = Axis.over(
            [one[key] for one in every for key in ("low", "high", "value") if one[key] is not None], zero=True
        )
        whole = [_adds(axis, one["name"], one["adds"], f"alone {number(one['alone'])}") for one in learners]
        parts = [
            {
                "name": one["name"],
                "strips": [
                    _adds(axis, part["name"], part, f"{count(part['queries'])} questions") for part in one["slices"]
                ],
            }
            for one in learners
        ]
        found.append({"row": row, "adds": row["adds"], "whole": whole, "parts": parts, "scale": scale(axis)})
    return found


def _adds(axis: Axis, name: str, one: Mapping[str, Any], more: str) -> Record:
    label = f"{name} adds {number(one['value'])}, interval {number(one['low'])} to {number(one['high'])}"
    picture = strip(axis, [Dot(one["value"], one["low"], one["high"], "model")], label, zero=0.0)
    sign = "+" if one["value"] is not None and one["value"] >= 0 else ""
    return {"name": name, "more": more, "picture": picture, "value": sign + number(one["value"])}

"""How a model learned, and whether it is as sure as it may be: training curves and reliability."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from components.evaluation.report.charts import Line, number, plot

Record = dict[str, Any]
#: What the numbers of a training curve are, by the first word of its name.
_CURVES = {"loss": "training loss", "tune": "tuning window"}


def reliability(pair: list[Record]) -> list[Record]:
    """Of the first item: the winner and the best baseline."""
    return [
        {
            "row": row,
            "ece": row["calibration"]["item"]["ece"],
            "picture": _reliability_plot(
                row["calibration"]["item"]["bins"], f"first item, {row['label']}", row["kind"]
            ),
        }
        for row in pair
        if row["calibration"]["item"]["bins"]
    ]


def action_reliability(rows: list[Record]) -> list[Record]:
    """Of the likeliest action, for every model that names one."""
    found = [row for row in rows if row["kind"] == "model" and row["calibration"].get("action", {}).get("bins")]
    return [
        {
            "row": row,
            "ece": row["calibration"]["action"]["ece"],
            "picture": _reliability_plot(row["calibration"]["action"]["bins"], f"action, {row['label']}", "model"),
        }
        for row in found
    ]


def _reliability_plot(bins: list[Record], what: str, kind: str) -> Markup:
    line = Line([(one["said"], one["came"]) for one in bins], kind, dots=True)
    label = f"Reliability of the {what}: probability said against share that came true, {len(bins)} bins"
    return plot([line], label, diagonal=True, x_title="probability said", y_title="share that came true")


def all_curves(rows: list[Record]) -> list[Record]:
    """Training curves of every model."""
    figures = []
    for row in rows:
        for name, points in sorted(row["curves"].items(), key=lambda item: (item[0].split("_")[0] != "tune", item[0])):
            first, _, rest = name.partition("_")
            if first in _CURVES and len(points) > 1:
                label = (
                    f"{row['label']}: {_CURVES[first]}, {rest}, from {number(points[0][1])} to {number(points[-1][1])}"
                )
                line = Line([(x, y) for x, y in points], "model", dots=first == "tune")
                title = f"{_CURVES[first]}: {rest.upper() if first == 'tune' else rest}"
                figures.append({"row": row, "title": title, "picture": plot([line], label, x_title="step")})
    return figures

"""The lists that people see: what the rules on them cost and gain, and how much of the catalogue they show."""

from __future__ import annotations

from typing import Any

from components.evaluation.costs import LESS_IS_BETTER
from components.evaluation.report.charts import Axis, Dot, bars, number, scale, strip
from components.evaluation.report.words import share

Record = dict[str, Any]
#: Figures of lists: their words, and whether they are shares that one axis can hold.
_FIGURES = {
    "ndcg": ("NDCG within the list", True),
    "hr": ("right item within the list", True),
    "mrr": ("reciprocal rank within the list", True),
    "diversity": ("diversity: pairs of different categories", True),
    "coverage": ("share of the catalogue that anybody is shown", True),
    "off_taste": ("distance from the user's own categories, nats", False),
}


def rules(best: Record) -> Record | None:
    """What the policy's rules cost and gain, figure by figure and segment by segment."""
    found = best["rules"]
    if found is None:
        return None
    axis = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
    rows = []
    for name, one in found["figures"].items():
        words, share_of = _FIGURES[name.partition("@")[0]]
        before, after, change = one["before"], one["after"], one["difference"]
        less = name in LESS_IS_BETTER
        sure = (change["low"] is not None and change["low"] > 0) - (change["high"] is not None and change["high"] < 0)
        label = f"{words}: {number(before['value'])} before the rules, {number(after['value'])} after"
        dots = [
            Dot(before["value"], before["low"], before["high"], "baseline"),
            Dot(after["value"], after["low"], after["high"], "model"),
        ]
        rows.append(
            {
                "words": words, "before": before, "after": after, "change": change,
                "sure": ("", "ahead", "behind")[-sure if less else sure],
                "picture": strip(axis, dots, label) if share_of else None,
            }
        )  # fmt: skip
    return {"k": found["k"], "rows": rows, "segments": found["segments"], "scale": scale(axis)}


def lists(rows: list[Record]) -> list[Record]:
    """How much of the catalogue each model shows."""
    axis = Axis(0.0, 1.0, (0.0, 0.5, 1.0))
    found = []
    for row in rows:
        covered = row["lists"]["coverage"] or 0.0
        label = f"{row['label']} shows {share(covered)} of the catalogue"
        found.append({"row": row, "lists": row["lists"], "picture": bars([(0.0, covered, row["kind"])], axis, label)})
    return found

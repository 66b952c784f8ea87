"""Puts the record of an evaluation into the page's template: what is shown where, and in which words.

Everything on the page comes from the record, from the record of validation and from that of the promotion; nothing
is computed here but places in pictures.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from components.evaluation.costs import LESS_IS_BETTER
from components.evaluation.report.charts import Axis, Dot, Line, bars, number, plot, scale, strip
from components.evaluation.table import shown_metrics

Record = dict[str, Any]
#: What the numbers of a training curve are, by the first word of its name.
_CURVES = {"loss": "training loss", "tune": "tuning window"}


def render(
    record: Record, *, validation: Mapping[str, Any] | None = None, promotion: Mapping[str, Any] | None = None
) -> str:
    """The page as text.

    Parameters
    ----------
    record : as `summary.record_of` makes it
    validation : `reports/validation.json`, where there is one
    promotion : the gate's decision as a record (`promote`, `challenger`, `checks` of `passed` and `sentence`), once
        there is one; the page says so without it

    Returns
    -------
    str
        HTML that loads nothing; the same records give the same bytes.
    """
    rows = [_named(row) for row in record["models"]]
    best = next((row for row in rows if row["model"] == record["verdict"]["winner"]), rows[0])
    base = next((row for row in rows if row["model"] == record["verdict"]["baseline"]), None)
    pair = [row for row in (best, base) if row is not None and (row is best or row["model"] != best["model"])]
    return _template().render(
        record=record,
        data=record["data"],
        protocol=record["protocol"],
        verdict=record["verdict"],
        primary=record["primary"],
        confidence=f"{record['confidence']:.0%}",
        rows=rows,
        best=best,
        base=base,
        shown=shown_metrics(record),
        tiles=_tiles(record, best),
        comparison=_comparison(rows, record["primary"]),
        differences=_differences(rows),
        slices=_slices(pair),
        gaps=_gaps(pair),
        rules=_rules(best),
        reliability=_reliability(pair),
        actions=_action_reliability(rows),
        curves=_all_curves(rows),
        added=_added(rows),
        lists=_lists(rows),
        windows=_windows(record["data"]),
        validation=validation,
        caught=_caught(validation),
        promotion=promotion,
    )


@cache
def _template() -> jinja2.Template:
    home = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    home.filters |= {"number": number, "share": share, "count": count, "hours": hours}
    text = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    return home.from_string(text)


def share(value: float | None, digits: int = 1) -> str:
    """A share as per cent."""
    return "–" if value is None else f"{number(100 * value, digits)}%"


def count(value: int) -> str:
    """A count with separators."""
    return f"{value:,}"


def hours(value: float | None) -> str:
    """A length of time given in hours, in the unit that reads best."""
    if value is None:
        return "–"
    if value < 1:
        return f"{number(60 * value, 0)} min"
    return f"{number(value, 1)} h" if value < 72 else f"{number(value / 24, 1)} days"


def _named(row: Record) -> Record:
    return row | {"label": str(row["model"]).replace("_", " ")}


def _tiles(record: Record, best: Record) -> list[tuple[str, str, str]]:
    """(figure, what it is, its interval) of the winner."""
    tiles = []
    for name in [record["primary"], *(n for n in ("hr@1", "hr@10") if n in best["metrics"])]:
        found = best["metrics"][name]
        value = share(found["value"]) if name.startswith("hr") else number(found["value"])
        low, high = (share(found[k]) if name.startswith("hr") else number(found[k]) for k in ("low", "high"))
        tiles.append((value, _words(name), f"{low} to {high}"))
    difference = best.get("difference")
    if difference and difference["value"] is not None:
        sign = "+" if difference["value"] >= 0 else ""
        low, high = number(difference["low"]), number(difference["high"])
        to = str(difference["to"]).replace("_", " ")
        tiles.append(
            (sign + number(difference["value"]), f"{record['primary'].upper()} against {to}", f"{low} to {high}")
        )
    return tiles


def _words(name: str) -> str:
    if name == "hr@1":
        return "right at the first guess"
    if name.startswith("hr@"):
        return f"right within the first {name[3:]}"
    return name.upper()


def _comparison(rows: list[Record], primary: str) -> Record:
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


def _differences(rows: list[Record]) -> Record | None:
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


def _slices(pair: list[Record]) -> list[Record]:
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


def _gaps(pair: list[Record]) -> Record | None:
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


#: Figures of lists: their words, and whether they are shares that one axis can hold.
_FIGURES = {
    "ndcg": ("NDCG within the list", True),
    "hr": ("right item within the list", True),
    "mrr": ("reciprocal rank within the list", True),
    "diversity": ("diversity: pairs of different categories", True),
    "coverage": ("share of the catalogue that anybody is shown", True),
    "off_taste": ("distance from the user's own categories, nats", False),
}


def _rules(best: Record) -> Record | None:
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


def _reliability(pair: list[Record]) -> list[Record]:
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


def _action_reliability(rows: list[Record]) -> list[Record]:
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


def _all_curves(rows: list[Record]) -> list[Record]:
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


def _added(rows: list[Record]) -> list[Record]:
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


def _lists(rows: list[Record]) -> list[Record]:
    axis = Axis(0.0, 1.0, (0.0, 0.5, 1.0))
    found = []
    for row in rows:
        covered = row["lists"]["coverage"] or 0.0
        label = f"{row['label']} shows {share(covered)} of the catalogue"
        found.append({"row": row, "lists": row["lists"], "picture": bars([(0.0, covered, row["kind"])], axis, label)})
    return found


def _windows(data: Record) -> Record:
    """A bar per window over the time of the log; without dates where the log has only an order."""
    spans = [span for span in data["windows"] if span["name"] != "rest"]
    low, high = min(span["first_s"] for span in spans), max(span["last_s"] for span in spans)
    axis = Axis(float(low), float(max(high, low + 1)), ())
    lines = []
    for span in spans:
        dates = f"{_day(span['first_s'])} to {_day(span['last_s'])}" if data["time_kind"] != "ordinal" else "by order"
        picture = bars([(span["first_s"], span["last_s"], span["name"])], axis, f"{span['name']}: {dates}")
        lines.append({"span": span, "dates": dates, "picture": picture})
    return {"lines": lines}


def _day(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).date().isoformat()


def _caught(validation: Mapping[str, Any] | None) -> list[tuple[str, int]]:
    """Rules that sent rows to quarantine, most first."""
    rules = (validation or {}).get("rules", {})
    caught = [(name, int(rule.get("caught", 0))) for name, rule in rules.items()]
    return sorted(((name, n) for name, n in caught if n), key=lambda pair: (-pair[1], pair[0]))

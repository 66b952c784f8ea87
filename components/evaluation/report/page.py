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

from components.evaluation.report import comparisons, learning, lists
from components.evaluation.report.charts import Axis, bars, number
from components.evaluation.report.words import count, hours, metric_words, share
from components.evaluation.table import shown_metrics

Record = dict[str, Any]


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
        comparison=comparisons.comparison(rows, record["primary"]),
        differences=comparisons.differences(rows),
        slices=comparisons.slices(pair),
        gaps=comparisons.gaps(pair),
        rules=lists.rules(best),
        reliability=learning.reliability(pair),
        actions=learning.action_reliability(rows),
        curves=learning.all_curves(rows),
        added=comparisons.added(rows),
        lists=lists.lists(rows),
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


def _named(row: Record) -> Record:
    return row | {"label": str(row["model"]).replace("_", " ")}


def _tiles(record: Record, best: Record) -> list[tuple[str, str, str]]:
    """(figure, what it is, its interval) of the winner."""
    tiles = []
    for name in [record["primary"], *(n for n in ("hr@1", "hr@10") if n in best["metrics"])]:
        found = best["metrics"][name]
        value = share(found["value"]) if name.startswith("hr") else number(found["value"])
        low, high = (share(found[k]) if name.startswith("hr") else number(found[k]) for k in ("low", "high"))
        tiles.append((value, metric_words(name), f"{low} to {high}"))
    difference = best.get("difference")
    if difference and difference["value"] is not None:
        sign = "+" if difference["value"] >= 0 else ""
        low, high = number(difference["low"]), number(difference["high"])
        to = str(difference["to"]).replace("_", " ")
        tiles.append(
            (sign + number(difference["value"]), f"{record['primary'].upper()} against {to}", f"{low} to {high}")
        )
    return tiles


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

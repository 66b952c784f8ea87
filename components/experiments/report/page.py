"""The page of an experiment: what it says, how the interval closed in, each arm, and what was agreed before it began.

One HTML file that loads nothing; the same record gives the same bytes. Never here: how a figure is found.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from components.evaluation.report.charts import Axis, Dot, Line, number, plot, scale, strip
from components.evaluation.report.words import count, share

Record = dict[str, Any]


def render(record: Record) -> str:
    """The page as text.

    Parameters
    ----------
    record : of `report.record`
    """
    settings = record["experiment"]["settings"]
    guard = -settings["guard"] if record["experiment"]["mode"] == "ab" else None
    return _template().render(
        record=record,
        plan=record["experiment"],
        settings=settings,
        guard=guard,
        began=dt.datetime.fromtimestamp(record["experiment"]["start_us"] / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M"),
        words=_words,
        picture=_picture(record["path"], guard),
        differences=_differences(record),
        good=_sign(record["metrics"][record["primary"]]["difference"]),
    )


@cache
def _template() -> jinja2.Template:
    home = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    home.filters |= {"number": number, "share": share, "count": count}
    return home.from_string(resources.files(__package__).joinpath("page.html").read_text("utf-8"))


def _words(name: str) -> str:
    """A metric's name for people."""
    return {"ndcg": "NDCG", "mrr": "MRR"}.get(name, name.replace("_", " "))


def _sign(difference: Record) -> str:
    """good, bad, or nothing: which side of 0 the whole interval lies on."""
    if difference["low"] is None or difference["low"] <= 0 <= difference["high"]:
        return ""
    return "good" if difference["low"] > 0 else "bad"


def _picture(path: Record, guard: float | None) -> Markup | None:
    """How the interval closed in, user by user; None where there is none yet."""
    users = path["users"]
    if len(users) < 2:
        return None
    lines = [Line([(users[0], 0.0), (users[-1], 0.0)], "zero")]
    if guard:
        lines.append(Line([(users[0], guard), (users[-1], guard)], "guard"))
    lines += [Line(list(zip(users, path[edge], strict=True)), "edge") for edge in ("low", "high")]
    lines.append(Line(list(zip(users, path["value"], strict=True)), "model"))
    last = f"{path['value'][-1]:+.4f}, from {path['low'][-1]:+.4f} to {path['high'][-1]:+.4f}"
    return plot(
        lines, f"The difference after each user; the last is {last}", x_title="ripe users", y_title="difference"
    )


def _differences(record: Record) -> Record | None:
    """A strip for each metric whose difference has an interval."""
    rows = [(name, one["difference"]) for name, one in record["metrics"].items()]
    rows = [(name, one) for name, one in rows if one["low"] is not None]
    if not rows:
        return None
    axis = Axis.over([edge for _, one in rows for edge in (one["low"], one["high"], 0.0)])
    strips = [
        {
            "name": _words(name),
            "value": f"{'+' if one['value'] >= 0 else ''}{number(one['value'], 4)}",
            "sure": {"good": "ahead", "bad": "behind"}.get(_sign(one), ""),
            "picture": strip(axis, [Dot(one["value"], one["low"], one["high"], "model")], _words(name), zero=0.0),
        }
        for name, one in rows
    ]
    return {"strips": strips, "scale": scale(axis)}

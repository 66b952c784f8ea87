"""The findings in short, as the service tells them and as the next report compares itself with.

Made of the guarded tables alone, so nothing that the page hides is here. Never here: a figure that no table has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

Record = dict[str, Any]
Tables = Mapping[str, pl.DataFrame]
FORMAT = 1
_DIGITS = 6
_STEPS = ("hour", "day", "week")
_MOST = {"forecasts": 40, "unusual": 60, "changes": 60, "hot_spots": 400, "patterns": 60, "areas": 40, "profiles": 100}


def summary(log: Record, tables: Tables, made_of: str) -> Record:
    """Forecasts, unusual days, changes of level, states of life, interests of segments, hot spots, patterns.

    Parameters
    ----------
    log : what the log held: users, events, first and last day
    tables : by name, guarded; those that are not there leave their part empty
    made_of : digest of everything that the findings rest on

    Returns
    -------
    dict without number and what changed, which the history of reports tells; lists have an upper bound each, the
    first ones are kept
    """
    return {
        "format": FORMAT,
        "version": made_of[:12],
        "made_of": made_of,
        "log": {name: log[name] for name in ("users", "events", "first", "last")},
        "forecasts": _forecasts(tables)[: _MOST["forecasts"]],
        "unusual": _rows(tables, "trends_unusual", ("by", "value", "first", "last", "actual", "usual", "p"))[
            : _MOST["unusual"]
        ],
        "changes": _rows(tables, "trends_changes", ("by", "value", "at", "before", "after"))[: _MOST["changes"]],
        "states": _states(tables),
        "segments": _segments(tables),
        "hot_spots": _rows(tables, "space_cells", ("cell", "kind", "class", "latitude", "longitude"))[
            : _MOST["hot_spots"]
        ],
        "areas": _rows(
            tables, "space_areas", ("density", "latitude", "longitude", "radius_km", "events", "share", "users")
        )[: _MOST["areas"]],
        "profiles": _rows(
            tables,
            "profiles_units",
            ("unit", "users", "share", "what", "what_share", "what_all", "when", "when_share", "when_all"),
        )[: _MOST["profiles"]],
        "patterns": _rows(
            tables,
            "patterns",
            ("name", "where", "place", "when", "who", "users", "regulars", "visits", "ratio", "p", "weeks_share"),
        )[: _MOST["patterns"]],
    }


def _rows(tables: Tables, name: str, columns: tuple[str, ...]) -> list[Record]:
    if name not in tables:
        return []
    table = tables[name]
    return [
        {column: _rounded(row.get(column)) for column in columns}
        for row in table.select(one for one in columns if one in table.columns).to_dicts()
    ]


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value


def _forecasts(tables: Tables) -> list[Record]:
    """Every series' forecast, the total first in each step: its begins, points, and the outermost quantiles."""
    found: list[Record] = []
    for step in _STEPS:
        table = tables.get(f"trends_forecast_{step}")
        if table is None:
            continue
        quantiles = sorted((one for one in table.columns if one.startswith("q")), key=lambda one: int(one[1:]))
        low, high = quantiles[0], quantiles[-1]
        known = table.filter(pl.all_horizontal(pl.col("point", low, high).is_not_null()))
        for part in known.partition_by("by", "value", maintain_order=True):
            found.append(
                {
                    "step": step,
                    "by": part["by"][0],
                    "value": part["value"][0],
                    "interval": (int(high[1:]) - int(low[1:])) / 100,
                    "begins": part["begin"].to_list(),
                    **{
                        name: [_rounded(one) for one in part[column].to_list()]
                        for name, column in (("point", "point"), ("low", low), ("high", high))
                    },
                }
            )
    order = {step: place for place, step in enumerate(reversed(_STEPS))}
    return sorted(found, key=lambda one: (one["by"] != "all", order[one["step"]]))


def _states(tables: Tables) -> Record | None:
    """Users of each state of life at the last moment, and what is forecast for later ones; a hidden one is null."""
    if "lifecycle_states" not in tables:
        return None
    table = tables["lifecycle_states"]
    last = table.filter(pl.col("moment") == pl.col("moment").max())
    answer: Record = {
        "moment": f"{last['moment'][0]:%Y-%m-%d}",
        "now": [
            {"state": row["state"], "users": row["users"], "share": _rounded(row["share"])} for row in last.to_dicts()
        ],
        "forecast": [],
    }
    if "lifecycle_forecast" in tables:
        answer["forecast"] = [
            {"moment": f"{row['moment']:%Y-%m-%d}", "state": row["state"], "users": _rounded(_float(row["users"]))}
            for row in tables["lifecycle_forecast"].filter(pl.col("step") > 0).to_dicts()
        ]
    return answer


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _segments(tables: Tables) -> list[Record]:
    """Interests of each segment, and whether its mix drifts or widens."""
    if "interests_mix" not in tables:
        return []
    moves = {
        row["segment"]: {name: _rounded(row[name]) for name in ("slope", "slope_q", "drift_q")}
        for row in (tables["interests_segments"].to_dicts() if "interests_segments" in tables else [])
    }
    return [
        {
            "segment": part["segment"][0],
            "users": part["users"][0],
            **moves.get(part["segment"][0], dict.fromkeys(("slope", "slope_q", "drift_q"))),
            "interests": [
                {
                    "category": row["category"],
                    "share": _rounded(row["share"]),
                    "low": _rounded(row["share_low"]),
                    "high": _rounded(row["share_high"]),
                    "before": _rounded(row["before"]),
                }
                for row in part.to_dicts()
            ],
        }
        for part in tables["interests_mix"].partition_by("segment", maintain_order=True)
    ]

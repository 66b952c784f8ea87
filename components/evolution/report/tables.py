"""The findings as tables, one CSV each: what sentences and pictures of the page are made of.

Never here: a figure that is not already found, or a row about fewer users than may be shown.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import h3
import polars as pl

from components.evolution.lifecycle import Lifecycle
from components.evolution.report.traces import trace_rows
from components.evolution.report.trends import trend_rows

Record = dict[str, Any]
Rows = list[Record]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH = dt.datetime(1970, 1, 1)  # local time of users
_OF_PEOPLE = {"users", "notes"}  # of a Lifecycle: single people, and words


def tables(found: Record, life: Lifecycle | None) -> dict[str, pl.DataFrame]:
    """Tables by name; those without rows are left out.

    Parameters
    ----------
    found : guarded findings by room (`guard.guarded`)
    life : the life cycle's own tables, None where there is none
    """
    rows: dict[str, Rows] = {}
    for room, make in (
        ("space", _space),
        ("interests", _interests),
        ("habits", _habits),
        ("trends", trend_rows),
        ("patterns", _patterns),
        ("anomalies", _anomalies),
        ("traces", trace_rows),
        ("profiles", _profiles),
    ):
        if "missing" not in found.get(room, {"missing": ""}):
            rows |= make(found[room])
    made = {name: pl.DataFrame(part, infer_schema_length=None) for name, part in rows.items() if part}
    if life is not None:
        fields = [field.name for field in dataclasses.fields(life) if field.name not in _OF_PEOPLE]
        made |= {f"lifecycle_{name}": getattr(life, name) for name in fields if getattr(life, name).height}
    return made


def date_of(start_s: int) -> str:
    """The day of a time on the users' clocks."""
    return (_EPOCH + dt.timedelta(seconds=start_s)).date().isoformat()


def _space(found: Record) -> dict[str, Rows]:
    surface, mobility = found["surface"], found["mobility"]
    return {
        "space_autocorrelation": [{"statistic": name, **surface[name]} for name in ("morans_i", "gearys_c")],
        "space_periods": [
            {"start": date_of(start), "hot_cells": hot, "cold_cells": cold}
            for start, hot, cold in zip(surface["starts_s"], surface["hot"], surface["cold"], strict=True)
        ],
        "space_cells": [
            dict(zip(("latitude", "longitude"), h3.cell_to_latlng(cell), strict=True))
            | {"cell": cell, "kind": kind, "class": name}
            for kind in ("hot", "cold")
            for cell, name in surface.get(f"{kind}_cells", {}).items()
        ],
        "space_map": [
            {"start": date_of(row["start_s"])}
            | dict(zip(("latitude", "longitude"), h3.cell_to_latlng(row["cell"]), strict=True))
            | {name: row[name] for name in ("cell", "z", "state")}
            for row in surface.get("map", [])
        ],
        "space_interaction": _interaction(found["interaction"]),
        "space_leads": found["leads"]["pairs"],
        "space_beside": found["kinds"]["pairs"],
        "space_followed": found["kinds"]["space_time"],
        "space_lagged": found["kinds"]["lagged"],
        "space_information": [{"between": name, **one} for name, one in found["information"].items()],
        "space_flows": found["flows"]["largest"],
        "space_areas": found["areas"]["largest"],
        "space_courses": [] if "missing" in found["courses"] else _measures(found["courses"], ""),
        "space_mobility": _measures(mobility["radius_km"], "radius_km_") + _measures(mobility, ""),
    }


def _interaction(found: Record) -> Rows:
    return [
        {"times_shuffled": name, "distance_km": distance, "span_h": span}
        | {column: found[name][column][i][j] for column in ("pairs", "expected", "ratio", "p", "p_family")}
        for name in ("all", "between_users")
        for i, distance in enumerate(found["distances_km"])
        for j, span in enumerate(found["spans_h"])
    ]


def _interests(found: Record) -> dict[str, Rows]:
    return {
        "interests_changes": [{"measure": name, "value": value} for name, value in found["users"].items()],
        "interests_segments": found["segments"],
        "interests_mix": [_flat(row) for row in found["mix"]],
        "interests_breadth": [_dated(row) for row in found["breadth"]],
        "interests_persistence": [_flat(row) for row in found["persistence"]],
        "interests_forecast": [_flat(row) for row in found["forecast"].get("ways", [])],
        "interests_popularity": [_dated(row) for row in found["popularity"]],
    }


def _habits(found: Record) -> dict[str, Rows]:
    limits = found["predictability"]
    return {
        "habits_week": [
            {"weekday": DAYS[hour // 24], "hour": hour % 24, "share": share}
            for hour, share in enumerate(found["profile"])
        ],
        "habits_measures": _measures(found, ""),
        "habits_predictability": [] if "missing" in limits else _measures(limits, ""),
        "habits_shifts": [found["shifts"]],
        "habits_cohorts": [
            {"cohort": cohort["month"], "users": cohort["size"], "months_later": age}
            | (one or dict.fromkeys(("value", "low", "high")))
            for cohort in found["cohorts"]
            for age, one in enumerate(cohort["retention"])
        ],
    }


def _patterns(found: Record) -> dict[str, Rows]:
    return {
        "patterns": found["patterns"],
        "patterns_hours": [row | {"weekday": DAYS[row["weekday"]]} for row in found["hours"]],
    }


def _profiles(found: Record) -> dict[str, Rows]:
    return {
        "profiles_units": found["units"],
        "profiles_hours": [row | {"weekday": DAYS[row["weekday"]]} for row in found["hours"]],
        "profiles_categories": found["categories"],
        "profiles_quality": found["quality"].get("ways", []),
    }


def _anomalies(found: Record) -> dict[str, Rows]:
    return {
        "anomalies_reasons": found["reasons"],
        "anomalies_figures": found["figures"],
        "anomalies_days": found["days"],
        "anomalies_named": found["named"],
    }


def _measures(found: Record, before: str) -> Rows:
    """Single figures and estimates of a record, one a row; what has parts of its own is left to its own table."""
    return [
        {"measure": before + name, **_estimate(value)}
        for name, value in found.items()
        if _is_estimate(value) or not isinstance(value, dict | list | str)
    ]


def _estimate(value: Any) -> Record:
    whole = value if _is_estimate(value) else {"value": value, "low": None, "high": None}
    return {name: None if whole[name] is None else float(whole[name]) for name in ("value", "low", "high")}


def _is_estimate(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"value", "low", "high"}


def _flat(row: Record) -> Record:
    """Estimates as three columns."""
    flat: Record = {}
    for name, value in row.items():
        if _is_estimate(value):
            flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        else:
            flat[name] = value
    return flat


def _dated(row: Record) -> Record:
    return {"start": date_of(row["start_s"])} | _flat({name: one for name, one in row.items() if name != "start_s"})

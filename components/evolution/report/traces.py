"""Findings of raw traces as rows of tables.

Never here: a figure that is not already found.
"""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
Rows = list[Record]


def trace_rows(found: Record) -> dict[str, Rows]:
    """Rows by table: single figures, hours of trips, flows, places, venues."""
    trips, courses = found["trips"], found["courses"]
    parts = {"stay_minutes": found["stay_minutes"], "radius_km": found["radius_km"],
             "commute_km": found["anchors"]["commute_km"]}  # fmt: skip
    single = {name: found[name] for name in ("positions", "dropped", "users", "stays")}
    single |= {name: value for name, value in found["anchors"].items() if name != "commute_km"}
    single |= {"stays_at_venues": found["venues"]["share"]}
    if "missing" not in trips:
        parts |= {"trip_km": trips["km"], "trip_minutes": trips["minutes"]}
        single |= {
            "trips": trips["trips"],
            "users_with_trips": trips["users"],
            "mean_trip_km": trips["mean_km"]["value"],
        }
    if "missing" not in courses:
        single |= {f"courses_{name}": value for name, value in courses.items()}
    single |= {f"{name}_{at}": value for name, part in parts.items() for at, value in part.items()}
    return {
        "traces_measures": [
            {"measure": name, "value": None if value is None else float(value)} for name, value in single.items()
        ],
        "traces_hours": [{"hour": hour, "share": share} for hour, share in enumerate(trips.get("hours", []))],
        "traces_flows": found["flows"],
        "traces_places": found["places"],
        "traces_venues": found["venues"]["categories"],
    }

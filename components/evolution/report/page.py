"""The page: sentences, then pictures, of each room; the same findings give the same bytes.

Never here: how a figure is found or said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from components.evolution.lifecycle import Lifecycle
from components.evolution.report import (
    map_pictures,
    pair_pictures,
    pattern_pictures,
    pictures,
    profile_pictures,
    sentences,
    stream_pictures,
    trend_pictures,
)
from components.evolution.report.sentences import Sentence
from components.evolution.report.words import count
from components.params import EvolveParams

Record = dict[str, Any]


def render(
    found: Record,
    life: Lifecycle | None,
    tables: Mapping[str, pl.DataFrame],
    params: EvolveParams,
    changed: Sequence[Sentence] = (),
) -> str:
    """One HTML file that is read offline, in light and dark, on paper and on a phone.

    Parameters
    ----------
    found : guarded findings by room, and `log` with users, events, first and last day
    life : the life cycle's tables, None where there is none
    tables : what lies beside the page as CSV, by name
    params : what was asked
    changed : since the report before; none where there is none
    """
    rooms = [
        *([{"name": "changed", "title": "Since the last report", "missing": None, "sentences": changed, "notes": []}]
          if changed else []),
        _room("trends", "Trends", found, lambda: sentences.trend_sentences(found["trends"], params)),
        _room("lifecycle", "Life cycle", found, lambda: _told(life, params)),
        _room("interests", "Interests", found, lambda: sentences.interest_sentences(found["interests"], params)),
        _room("habits", "Habits", found, lambda: sentences.habit_sentences(found["habits"], params)),
        _room("profiles", "Kinds of users", found, lambda: sentences.profile_sentences(found["profiles"], params)),
        _room("anomalies", "Strange users", found, lambda: sentences.anomaly_sentences(found["anomalies"], params)),
        *([_room("traces", "Traces", found, lambda: sentences.trace_sentences(found["traces"], params))]
          if "traces" in found else []),
        _room("patterns", "What recurs", found, lambda: sentences.pattern_sentences(found["patterns"], params)),
        _room("space", "Space", found, lambda: sentences.space_sentences(found["space"], params)),
    ]  # fmt: skip
    drawn = _pictures(tables)
    for room in rooms:
        room["pictures"] = [one for one in drawn if one["csv"].startswith(room["name"])]
        room["csv"] = sorted(name for name in tables if name.startswith(room["name"]))
    return _template().render(log=found["log"], rooms=rooms, states=pictures.STATES, hues=range(stream_pictures.HUES))


def _told(life: Lifecycle | None, params: EvolveParams) -> list[Sentence]:
    return [] if life is None else sentences.lifecycle_sentences(life, params)


def _room(name: str, title: str, found: Record, say: Any) -> Record:
    missing = found[name].get("missing")
    return {
        "name": name,
        "title": title,
        "missing": missing,
        "sentences": [] if missing else say(),
        "notes": found[name].get("notes", []),
    }


def _pictures(tables: Mapping[str, pl.DataFrame]) -> list[dict[str, str | Markup]]:
    made = {
        "trends_counts_day": ("Events of each day; the fuller the colour, the more", trend_pictures.calendar),
        "trends_counts_week": ("What users are interested in, week by week", stream_pictures.stream),
        "lifecycle_states": ("Where users stand, moment by moment", pictures.state_shares),
        "lifecycle_transitions": ("From one moment to the next: who goes where", stream_pictures.life_flow),
        "habits_week": ("Events by hour of the week; the fuller the colour, the more", pictures.week),
        "habits_cohorts": (
            "Users still active, %, by the month they were first seen and months later",
            pictures.retention,
        ),
        "profiles_units": (
            "Kinds of users, alike ones beside each other: what they do more than others, when, and how many they are",
            lambda _: profile_pictures.units(tables),
        ),
        "patterns_hours": (
            "What recurs, by hour of the week, Monday to Sunday; the fuller the colour, the more",
            pattern_pictures.strips,
        ),
        "space_cells": ("Hot and cold cells by their history", map_pictures.cells),
        "space_map": ("Where it was busy, period by period", map_pictures.in_time),
        "space_areas": ("Dense areas; each circle holds half of the places of one", map_pictures.areas),
        "space_flows": ("The largest flows between cells; the wider, the more", map_pictures.flows),
        "space_beside": (
            "Which behaviour lies beside which; above the diagonal beyond how busy a cell is with all else",
            pair_pictures.beside,
        ),
        "traces_hours": ("Trips by the hour in which they begin", stream_pictures.hours),
        "traces_flows": ("The largest flows of trips between cells; the wider, the more", map_pictures.flows),
    }
    also = {"profiles_units": "profiles_hours"}  # what a picture shows of a second table
    fans = [
        {"csv": f"trends_forecast_{step}", "also": f"trends_counts_{step}",
         "title": f"What comes next, {step} by {step}, and how sure it is",
         "picture": trend_pictures.fan(tables[f"trends_counts_{step}"], tables[f"trends_forecast_{step}"])}
        for step in ("week", "day", "hour")
        if f"trends_forecast_{step}" in tables
    ]  # fmt: skip
    return fans + [
        {"csv": name, "also": also[name] if also.get(name, "") in tables else "", "title": title,
         "picture": draw(tables[name])}
        for name, (title, draw) in made.items()
        if name in tables and (name != "trends_counts_week" or stream_pictures.has_stream(tables[name]))
    ]  # fmt: skip


@cache
def _template() -> jinja2.Template:
    home = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    home.filters |= {"count": count}
    return home.from_string(resources.files(__package__).joinpath("page.html").read_text("utf-8"))

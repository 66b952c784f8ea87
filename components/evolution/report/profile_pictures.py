"""The map of users' weeks: hexagons filled by their users, each with what its users do more than others, and its week.

Never here: numbers that are not in the CSV.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl
from markupsafe import Markup, escape

from components.evolution.report.pictures import WIDTH, depth, svg
from components.evolution.report.tables import DAYS
from components.evolution.report.words import count, share

_PARTS = 8  # of a day
_LETTERS = 11  # that fit into a hexagon


def units(tables: Mapping[str, pl.DataFrame]) -> Markup:
    """One hexagon a unit: fill = users; word = what; small week, Monday on top = when; hidden ones are dashed."""
    found, hours = tables["profiles_units"].to_dicts(), tables.get("profiles_hours")
    columns = max(one["column"] for one in found) + 1
    wide = WIDTH / (columns + 0.5 * (max(one["row"] for one in found) > 0))
    radius = wide / math.sqrt(3)
    most = max((one["users"] or 0 for one in found), default=0) or 1
    week = {} if hours is None else {part["unit"][0]: part["share"].to_list()
                                     for part in hours.partition_by("unit", maintain_order=True)}  # fmt: skip
    deepest = max((one for part in week.values() for one in part if one is not None), default=0.0) or 1.0
    parts, lowest = [], 0.0
    for one in found:
        x = wide * (one["column"] + 0.5 + 0.5 * (one["row"] % 2))
        y = radius * (1 + 1.5 * one["row"])
        lowest = max(lowest, y + radius)
        if one["users"] is None:
            parts.append(f'<polygon class="hidden" points="{_hexagon(x, y, radius - 1.5)}"/>')
            continue
        told = _told(one)
        parts += [
            f'<polygon class="heat" points="{_hexagon(x, y, radius - 1.5)}" '
            f'fill-opacity="{depth(0.3 * one["users"] / most)}"><title>{told}</title></polygon>',
            _line(x, y - 0.52 * radius, one["what"]),
            *_small_week(x, y, radius, week.get(one["unit"], []), deepest, told),
            _line(x, y + 0.74 * radius, count(one["users"])),
        ]
    return svg(parts, lowest + 2, "Kinds of users, one hexagon each")


def _told(one: Mapping[str, object]) -> str:
    words = "; ".join(
        f"more {escape(str(one[name]))}: {share(float(str(one[f'{name}_share'])))} of what they do, of all "
        f"{share(float(str(one[f'{name}_all'])))}"
        for name in ("what", "when")
        if one[name] is not None
    )
    return f"{one['unit']}: {one['users']} users" + (f"; {words}" if words else "")


def _line(x: float, y: float, text: object) -> str:
    words = "" if text is None else str(text)
    short = words if len(words) <= _LETTERS else words[: _LETTERS - 1] + "…"
    return f'<text class="small" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(short)}</text>'


def _small_week(x: float, y: float, radius: float, week: list[float | None], deepest: float, told: str) -> list[str]:
    """Seven rows of eight squares: the darker, the more of what the unit's users do is then."""
    wide, tall = 1.15 * radius / _PARTS, 0.85 * radius / len(DAYS)
    left, top = x - 0.575 * radius, y - 0.4 * radius
    frame = (
        f'<rect class="frame" x="{left - 1:.2f}" y="{top - 1:.2f}" width="{wide * _PARTS + 1.6:.2f}" '
        f'height="{tall * len(DAYS) + 1.6:.2f}"/>'
    )
    return [frame] * bool(week) + [
        f'<rect class="heat" x="{left + wide * (part % _PARTS):.2f}" y="{top + tall * (part // _PARTS):.2f}" '
        f'width="{wide - 0.4:.2f}" height="{tall - 0.4:.2f}" fill-opacity="{depth(value / deepest)}">'
        f"<title>{told}</title></rect>"
        for part, value in enumerate(week)
        if value
    ]


def _hexagon(x: float, y: float, radius: float) -> str:
    corners = [math.radians(60 * corner - 90) for corner in range(6)]
    return " ".join(f"{x + radius * math.cos(one):.1f},{y + radius * math.sin(one):.1f}" for one in corners)

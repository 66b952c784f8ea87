"""Pictures of trends: a calendar of days, and fans of what comes next; SVG in the page's own colours.

Never here: numbers that are not in the CSV which the caption names.
"""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
from markupsafe import Markup

from components.evolution.report.pictures import WIDTH, depth, svg
from components.evolution.report.words import count
from components.evolution.trends.series import TOTAL

_WEEKS = 53  # of a row of the calendar
_PAST = 4  # horizons of the past beside a fan, at most


def calendar(counts: pl.DataFrame) -> Markup:
    """Events of every day: weeks from left to right, Monday on top; unusual days are framed."""
    rows = counts.filter(pl.col("by") == TOTAL).sort("begin").to_dicts()
    first = dt.date.fromisoformat(rows[0]["begin"])
    monday = first - dt.timedelta(days=first.weekday())
    weeks = (dt.date.fromisoformat(rows[-1]["begin"]) - monday).days // 7 + 1
    a_row = min(weeks, _WEEKS)
    left, top = 34.0, 14.0
    side = min((WIDTH - left) / a_row, 22.0)
    tall = 7 * side + 22
    most = max((row["events"] or 0 for row in rows), default=0) or 1
    parts, named = [], ""
    for row in rows:
        day = dt.date.fromisoformat(row["begin"])
        week, weekday = divmod((day - monday).days, 7)
        line, place = divmod(week, a_row)
        x, y = left + side * place, top + tall * line + side * weekday
        if f"{day:%b %y}" != named and (day.day <= 7 or not named) and place <= a_row - 3:
            if day.month % math.ceil(a_row / 14) == 0 or not named:
                parts.append(f'<text class="tick" x="{x:.1f}" y="{top + tall * line - 4:.1f}">{day:%b %y}</text>')
            named = f"{day:%b %y}"
        gap = 0.12 * side
        box = f'x="{x:.2f}" y="{y:.2f}" width="{side - gap:.2f}" height="{side - gap:.2f}" rx="1.5"'
        if row["events"] is None:
            parts.append(f'<rect class="hidden" {box}/>')
            continue
        told = f"{day}: {count(row['events'])} events"
        parts.append(
            f'<rect class="heat" {box} fill-opacity="{depth(row["events"] / most)}"><title>{told}</title></rect>'
        )
        if row["unusual"]:
            parts.append(f'<rect class="mark" {box}/>')
    lines = math.ceil(weeks / a_row)
    for line in range(lines):
        for weekday, name in ((0, "Mon"), (3, "Thu"), (6, "Sun")):
            y = top + tall * line + side * (weekday + 0.5) + 4
            parts.append(f'<text class="tick" x="{left - 5}" y="{y:.1f}" text-anchor="end">{name}</text>')
    return svg(parts, top + tall * lines - 14, "Events of each day")


def fan(counts: pl.DataFrame, forecast: pl.DataFrame) -> Markup:
    """The total's last steps and what comes next, with bands between each two quantiles alike far from the middle."""
    ahead = forecast.filter(pl.col("by") == TOTAL)
    past = counts.filter(pl.col("by") == TOTAL).sort("begin").tail(_PAST * len(ahead))
    known = [(place, value) for place, value in enumerate(past["events"].to_list()) if value is not None]
    begins = [*past["begin"].to_list(), *ahead["begin"].to_list()]
    names = [name for name in ahead.columns if name.startswith("q")]
    peak = max([value for _, value in known] + [float(ahead[names[-1]].max() or 0)] + [1.0])  # type: ignore[arg-type]
    left, top, height = 44.0, 8.0, 150.0
    step = (WIDTH - left) / max(len(begins) - 1, 1)

    def at(place: float, value: float) -> str:
        return f"{left + step * place:.1f},{top + height * (1 - value / peak):.1f}"

    parts = [
        f'<line class="grid" x1="{left}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{_short(level * peak)}</text>'
        for level in (0, 0.5, 1)
        for y in [top + height * (1 - level)]
    ]
    origin = len(past)
    for low, high in zip(names, reversed(names), strict=True):
        if low >= high:
            break
        upper = [at(origin + place, value) for place, value in enumerate(ahead[high].to_list())]
        lower = [at(origin + place, value) for place, value in enumerate(ahead[low].to_list())]
        parts.append(f'<polygon class="band" points="{" ".join(upper + lower[::-1])}"/>')
    parts.append(f'<polyline class="past" points="{" ".join(at(place, value) for place, value in known)}"/>')
    middle = [at(origin + place, value) for place, value in enumerate(ahead["point"].to_list())]
    parts.append(f'<polyline class="ahead" points="{" ".join(middle)}"/>')
    for place in (0, origin, len(begins) - 1):
        anchor = "start" if place == 0 else "end" if place == len(begins) - 1 else "middle"
        if place == origin and (len(begins) - 1 - origin) * step < 70:
            continue
        at_edge = f'x="{left + step * place:.1f}" y="{top + height + 16}" text-anchor="{anchor}"'
        parts.append(f'<text class="tick" {at_edge}>{_when(begins[place])}</text>')
    return svg(parts, top + height + 22, "The last steps and what comes next")


def _when(begin: str) -> str:
    moment = dt.datetime.fromisoformat(begin)
    return f"{moment:%d %b %H:%M}" if moment.hour else f"{moment:%d %b %Y}"


def _short(value: float) -> str:
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}k" if value >= 1e4 else f"{value:,.0f}"

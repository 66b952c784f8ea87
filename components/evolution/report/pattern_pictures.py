"""Patterns as strips: one line for each place, a square for each hour of the week.

Never here: numbers that are not in the CSV.
"""

from __future__ import annotations

import polars as pl
from markupsafe import Markup, escape

from components.evolution.report.pictures import WIDTH, depth, svg
from components.evolution.report.tables import DAYS

_MOST = 12
_TALL, _GAP = 12.0, 30.0


def strips(hours: pl.DataFrame) -> Markup:
    """Where people are, hour by hour of the week; an hour of too few users stays empty."""
    wide = WIDTH / 168
    parts = [
        f'<text class="tick" x="{24 * wide * (day + 0.5):.1f}" y="11" text-anchor="middle">{name[:3]}</text>'
        for day, name in enumerate(DAYS)
    ]
    for line, part in enumerate(hours.partition_by("where", maintain_order=True)[:_MOST]):
        y = 20 + _GAP * line
        share = part["share"].to_list()
        most = max((one for one in share if one is not None), default=0.0) or 1.0
        where = escape(part["where"][0])
        parts.append(f'<text class="cell" x="0" y="{y + 10:.1f}">{where}</text>')
        for hour, value in enumerate(share):
            if value:
                told = f"{where}, {DAYS[hour // 24]} {hour % 24}:00: {100 * value:.2f}% of its events"
                parts.append(
                    f'<rect class="heat" x="{wide * hour:.2f}" y="{y + 13:.1f}" width="{wide:.2f}" height="{_TALL}" '
                    f'fill-opacity="{depth(value / most)}"><title>{told}</title></rect>'
                )
    lines = min(hours["where"].n_unique(), _MOST)
    return svg(parts, 20 + _GAP * lines, "Events of each place by hour of the week")

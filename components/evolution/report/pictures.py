"""Small SVG pictures in the page's own colours, from the tables alone; no script, no library, nothing fetched.

Never here: numbers that are not in the CSV which the caption names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl
from markupsafe import Markup, escape

from components.evolution.report.tables import DAYS

WIDTH = 360.0  # of every picture, in units that are about a pixel on a phone
STATES = ("new", "active", "returning", "lapsing", "dormant", "churned")  # from those who come to those who are gone


def state_shares(states: pl.DataFrame) -> Markup:
    """Shares of the life-cycle states at each moment, as bars that stand on each other; a gap is not shown."""
    moments = states["moment"].unique().sort().to_list()
    share = {(row["moment"], row["state"]): row["share"] for row in states.to_dicts()}
    left, top, height = 34.0, 6.0, 150.0
    step = (WIDTH - left) / len(moments)
    parts = [
        f'<line class="grid" x1="{left}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{round(100 * level)}%</text>'
        for level in (0, 0.5, 1)
        for y in [top + height * (1 - level)]
    ]
    every = math.ceil(len(moments) / 4)
    for place, moment in enumerate(moments):
        x, below = left + step * place, 0.0
        for state in STATES:
            value = share.get((moment, state)) or 0.0
            y = top + height * (1 - below - value)
            told = f"{moment:%Y-%m-%d}: {state} {100 * value:.1f}%"
            parts.append(
                f'<rect class="state-{state}" x="{x + 1:.1f}" y="{y:.2f}" width="{max(step - 2, 1):.1f}" '
                f'height="{height * value:.2f}"><title>{told}</title></rect>'
            )
            below += value
        if place % every == 0:
            text = f"{moment:%d %b %Y}" if every * step > 70 else f"{moment:%b %y}"
            parts.append(f'<text class="tick" x="{x + 1:.1f}" y="{top + height + 16}">{text}</text>')
    return svg(parts, top + height + 22, "Shares of the life-cycle states at each moment")


def week(profile: pl.DataFrame) -> Markup:
    """Share of the events in each local hour of the week, as a heat map; the darkest hour is the busiest."""
    share = profile["share"].to_list()
    most = max(share)
    left, top, side = 34.0, 16.0, (WIDTH - 34.0) / 24
    parts = [f'<text class="tick" x="{left + side * hour:.1f}" y="11">{hour}:00</text>' for hour in range(0, 24, 6)]
    for day, name in enumerate(DAYS):
        y = top + day * (side + 2)
        parts.append(f'<text class="tick" x="{left - 5}" y="{y + 11}" text-anchor="end">{name[:3]}</text>')
        for hour in range(24):
            value = share[day * 24 + hour]
            parts.append(
                f'<rect class="heat" x="{left + side * hour:.2f}" y="{y:.2f}" width="{side - 1:.2f}" '
                f'height="{side:.2f}" rx="1.5" fill-opacity="{depth(value / most)}">'
                f"<title>{name} {hour}:00: {100 * value:.2f}% of the events</title></rect>"
            )
    return svg(parts, top + 7 * (side + 2), "Share of the events in each hour of the week")


def retention(cohorts: pl.DataFrame) -> Markup:
    """Share of each monthly cohort that is active so many months later; an empty square is not shown or not known."""
    names = cohorts["cohort"].unique(maintain_order=True).to_list()
    ages = int(cohorts["months_later"].max() or 0) + 1  # type: ignore[arg-type]
    left, top, tall = 56.0, 16.0, 22.0
    wide = min((WIDTH - left) / ages, 60.0)
    parts = [
        f'<text class="tick" x="{left + wide * (age + 0.5):.1f}" y="11" text-anchor="middle">{age}</text>'
        for age in range(ages)
        if age % math.ceil(ages / 12) == 0
    ]
    for row in cohorts.to_dicts():
        y = top + tall * names.index(row["cohort"])
        x, value = left + wide * row["months_later"], row["value"]
        if row["months_later"] == 0:
            parts.append(f'<text class="tick" x="{left - 6}" y="{y + 15}" text-anchor="end">{row["cohort"]}</text>')
        if value is None:
            parts.append(
                f'<rect class="hidden" x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" height="{tall - 2}"/>'
            )
            continue
        told = f"{row['cohort']}, {row['months_later']} months later: {100 * value:.0f}% of {row['users']} users"
        parts.append(
            f'<rect class="heat" x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" height="{tall - 2}" rx="2" '
            f'fill-opacity="{depth(0.5 * value)}"><title>{told}</title></rect>'
        )
        if wide >= 26:
            parts.append(
                f'<text class="cell" x="{x + wide / 2:.1f}" y="{y + 15}" text-anchor="middle">{100 * value:.0f}</text>'
            )
    return svg(parts, top + tall * len(names) + 2, "Retention of monthly cohorts, per cent")


def depth(share: float) -> str:
    """Opacity of a share of the most, 0..1."""
    return f"{0.06 + 0.94 * share:.3f}"


def svg(parts: Sequence[str], height: float, label: str) -> Markup:
    """One picture of the page's width."""
    return Markup(
        f'<svg viewBox="0 0 {WIDTH:g} {height:.0f}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def with_key(picture: Markup, key: Sequence[tuple[str, str]]) -> Markup:
    """A picture, and below it what its colours mean: class and words of each."""
    lines = "".join(f'<li><i class="{name}"></i>{escape(words)}</li>' for name, words in key)
    return picture + Markup(f'<ul class="key" aria-hidden="true">{lines}</ul>')

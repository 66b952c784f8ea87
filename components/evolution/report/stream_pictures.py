"""Pictures of what flows: interests week by week, users from state to state, hours in which trips begin.

Never here: numbers that are not in the CSV which the caption names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl
from markupsafe import Markup, escape

from components.evolution.report.pictures import STATES, WIDTH, svg, with_key
from components.evolution.report.words import count, share
from components.evolution.trends.counts import OTHER

HUES = 7  # the last one for all others
_SPLIT = "category"


def has_stream(counts: pl.DataFrame) -> bool:
    """Whether weeks are told by category."""
    return counts.filter(pl.col("by") == _SPLIT)["value"].n_unique() > 1


def stream(counts: pl.DataFrame) -> Markup:
    """Share of each category in the events of every week, on each other; the rest, and what is hidden, on top."""
    of = counts.filter(pl.col("by") == _SPLIT)
    begins = of["begin"].unique().sort().to_list()
    total = of.group_by("begin").agg(pl.col("events").sum())
    whole = dict(total.iter_rows())
    names = of["value"].unique(maintain_order=True).to_list()
    left, top, height = 34.0, 6.0, 170.0
    step = (WIDTH - left) / max(len(begins) - 1, 1)
    below, parts, key = [0.0] * len(begins), [], []
    for level in (0, 0.5, 1):
        y = top + height * (1 - level)
        parts.append(
            f'<line class="grid" x1="{left}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{round(100 * level)}%</text>'
        )
    for place, name in enumerate(names):
        mine = dict(of.filter(pl.col("value") == name).select("begin", "events").iter_rows())
        value = [(mine.get(one) or 0) / max(whole[one] or 0, 1) for one in begins]
        above = [low + more for low, more in zip(below, value, strict=True)]
        hue = f"hue-{HUES - 1 if name == OTHER else place % (HUES - 1)}"
        told = f"{escape(name)}: {share(value[0])} in the first week, {share(value[-1])} in the last"
        line = [f"{left + step * at:.1f},{top + height * (1 - one):.1f}" for at, one in enumerate(above)]
        back = [f"{left + step * at:.1f},{top + height * (1 - one):.1f}" for at, one in enumerate(below)]
        parts.append(
            f'<polygon class="{hue} edge" points="{" ".join(line + back[::-1])}"><title>{told}</title></polygon>'
        )
        key.append((hue, name))
        below = above
    parts += _dates(begins, left, step, top + height + 16)
    return with_key(svg(parts, top + height + 22, "Shares of categories, week by week"), key)


def _dates(begins: Sequence[str], left: float, step: float, y: float) -> list[str]:
    """The first, the middle and the last begin."""
    places = sorted({0, (len(begins) - 1) // 2, len(begins) - 1})
    anchors = {0: "start", len(begins) - 1: "end"}
    return [
        f'<text class="tick" x="{left + step * place:.1f}" y="{y:.1f}" text-anchor="{anchors.get(place, "middle")}">'
        f"{dt.datetime.fromisoformat(begins[place]):%d %b %Y}</text>"
        for place in places
    ]


def life_flow(moves: pl.DataFrame) -> Markup:
    """Users from their state at one moment (left) to the next (right); the wider, the more; what is hidden is a gap."""
    rows = {(row["from"], row["to"]): row["moves"] or 0 for row in moves.to_dicts()}
    whole = sum(rows.values()) or 1
    height, gap, bar, top = 210.0, 6.0, 10.0, 6.0
    room = height - gap * (len(STATES) - 1)
    left, right = 70.0, WIDTH - 70.0
    leaving = {one: sum(rows.get((one, other), 0) for other in STATES) for one in STATES}
    coming = {one: sum(rows.get((other, one), 0) for other in STATES) for one in STATES}
    sides = [leaving, coming]
    begins = [_stacked(side, room / whole, gap, top) for side in sides]
    parts: list[str] = []
    filled: list[dict[str, float]] = [dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, 0.0)]
    for origin in STATES:
        for target in STATES:
            n = rows.get((origin, target), 0)
            if not n:
                continue
            wide = n * room / whole
            y, v = begins[0][origin] + filled[0][origin], begins[1][target] + filled[1][target]
            filled[0][origin] += wide
            filled[1][target] += wide
            half = (left + right) / 2
            part = share(n / max(leaving[origin], 1))
            told = f"{origin} to {target}: {count(n)} moves, {part} of those who were {origin}"
            parts.append(
                f'<path class="state-{origin} ribbon" d="M{left + bar},{y:.2f} C{half},{y:.2f} {half},{v:.2f} '
                f"{right - bar},{v:.2f} V{v + wide:.2f} C{half},{v + wide:.2f} {half},{y + wide:.2f} "
                f'{left + bar},{y + wide:.2f} Z"><title>{told}</title></path>'
            )
    for side, x, text_x, anchor in ((0, left, left - 6, "end"), (1, right - bar, right + 6, "start")):
        for state in STATES:
            tall = sides[side][state] * room / whole
            y = begins[side][state]
            parts.append(
                f'<rect class="state-{state}" x="{x}" y="{y:.2f}" width="{bar}" height="{max(tall, 0.5):.2f}"/>'
            )
            parts.append(
                f'<text class="tick" x="{text_x}" y="{y + tall / 2 + 4:.1f}" text-anchor="{anchor}">{state}</text>'
            )
    return svg(parts, top + height + 14, "Users from state to state")


def _stacked(sizes: dict[str, int], scale: float, gap: float, top: float) -> dict[str, float]:
    """Where each state's bar begins; a bar has room for its name."""
    found, y = {}, top
    for state, size in sizes.items():
        found[state] = y
        y += size * scale + gap
    return found


def hours(found: pl.DataFrame) -> Markup:
    """Share of the trips that begin in each hour, as bars; an hour of too few users is empty."""
    left, top, height = 34.0, 6.0, 110.0
    step = (WIDTH - left) / 24
    most = max((one for one in found["share"].to_list() if one is not None), default=0.0) or 1.0
    parts = [f'<line class="grid" x1="{left}" x2="{WIDTH}" y1="{top + height}" y2="{top + height}"/>']
    parts.append(f'<text class="tick" x="{left - 5}" y="{top + 8}" text-anchor="end">{round(100 * most)}%</text>')
    for row in found.to_dicts():
        if row["hour"] % 6 == 0:
            parts.append(f'<text class="tick" x="{left + step * row["hour"]:.1f}" y="{top + height + 15}">'
                         f"{row['hour']}:00</text>")  # fmt: skip
        if row["share"]:
            tall = height * row["share"] / most
            parts.append(
                f'<rect class="heat" x="{left + step * row["hour"] + 1:.1f}" y="{top + height - tall:.1f}" '
                f'width="{step - 2:.1f}" height="{tall:.1f}">'
                f"<title>{row['hour']}:00: {share(row['share'])}</title></rect>"
            )
    return svg(parts, top + height + 22, "Trips by the hour in which they begin")

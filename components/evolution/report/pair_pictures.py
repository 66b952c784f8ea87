"""Squares for pairs: which kinds of behaviour have maps that are alike.

Never here: numbers that are not in the CSV which the caption names.
"""

from __future__ import annotations

import polars as pl
from markupsafe import Markup, escape

from components.evolution.report.pictures import WIDTH, depth, svg, with_key
from components.evolution.report.words import number, p_words

_LETTERS = 12


def beside(found: pl.DataFrame) -> Markup:
    """Moran's I of every pair: below the diagonal as it is, above it beyond how busy cells are; bold: surely so."""
    names = list(dict.fromkeys([*found["first"].to_list(), *found["second"].to_list()]))
    left, top = 78.0, 16.0
    side = min((WIDTH - left) / len(names), 48.0)
    place = {name: at for at, name in enumerate(names)}
    most = max(
        (abs(row[one]) for row in found.to_dicts() for one in ("value", "beyond_value") if row[one]), default=1.0
    )
    parts = []
    for name, at in place.items():
        short = escape(name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…")
        parts.append(
            f'<text class="tick" x="{left - 5}" y="{top + side * (at + 0.5) + 4:.1f}" text-anchor="end">{short}</text>'
        )
        across = escape(name if len(name) * 6 <= side else name[: max(int(side / 6.5) - 1, 1)] + "…")
        parts.append(
            f'<text class="tick" x="{left + side * (at + 0.5):.1f}" y="{top - 5}" text-anchor="middle">{across}</text>'
        )
    for row in found.to_dicts():
        a, b = sorted((place[row["first"]], place[row["second"]]))
        for name, line, column in (("", b, a), ("beyond_", a, b)):
            value, q = row[f"{name}value"], row[f"{name}q"]
            if value is None:
                continue
            x, y = left + side * column, top + side * line
            sure = q is not None and q <= 0.05
            told = f"{row['first']} and {row['second']}{', beyond all else' if name else ''}: I = {number(value)}, "
            parts.append(
                f'<rect class="{"heat-hot" if value > 0 else "heat"}" x="{x + 1:.1f}" y="{y + 1:.1f}" rx="2" '
                f'width="{side - 2:.1f}" height="{side - 2:.1f}" fill-opacity="{depth(0.6 * abs(value) / most)}">'
                f"<title>{escape(told)}{p_words(row[f'{name}p'])}</title></rect>"
                f'<text class="{"cell bold" if sure else "tick"}" x="{x + side / 2:.1f}" y="{y + side / 2 + 4:.1f}" '
                f'text-anchor="middle">{value:.2f}</text>'.replace(">-", ">−")
            )
    picture = svg(parts, top + side * len(names) + 4, "Moran's I of every pair of kinds")
    return with_key(picture, [("hot", "beside each other"), ("heat-key", "apart; in bold what is beyond chance")])

"""Small SVG pictures in the page's own colours; no script, no library, nothing fetched.

Strips use per cent for their horizontal places, so that they stretch with the page while dots stay round and text
keeps its size. Colours are classes of the page's style sheet. Nothing here knows what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_STRIP = 28  # height of a strip in pixels


@dataclass(frozen=True)
class Axis:
    """A linear axis and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], *, zero: bool = False, wanted: int = 4) -> Axis:
        """An axis that holds the values, ending on round ticks."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        low = min(low, 0.0) if zero else low
        if high - low < 1e-12:
            high = low + (abs(low) or 1.0) * 0.1
        raw = (high - low) / wanted
        size = 10.0 ** math.floor(math.log10(raw))
        step = size * min((factor for factor in (1, 2, 2.5, 5, 10) if factor * size >= raw), default=10)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(round(step * index, 12) for index in range(first, last + 1))
        return cls(ticks[0], ticks[-1], ticks)

    def at(self, value: float) -> float:
        """Where a value lies, 0 … 100 per cent."""
        return 100 * (value - self.low) / (self.high - self.low)


def number(value: float | None, digits: int = 3) -> str:
    """A figure for people: enough digits, a true minus, a dash for nothing."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Dot:
    """One figure of a strip with its interval; kind is a class of the style sheet: model, baseline, observer."""

    value: float | None
    low: float | None
    high: float | None
    kind: str


def strip(axis: Axis, dots: Sequence[Dot], label: str, zero: float | None = None) -> Markup:
    """Dots with whiskers on one line.

    Parameters
    ----------
    axis : common to all strips of a figure
    dots : drawn in order, each a little below the one before
    label : what it says, for those who cannot see it
    zero : where a reference line is drawn
    """
    parts = [_line(axis.at(tick), "grid") for tick in axis.ticks]
    if zero is not None and axis.low <= zero <= axis.high:
        parts.append(_line(axis.at(zero), "zero"))
    shift = 8.0 if len(dots) > 1 else 0.0
    for place, dot in enumerate(dots):
        y = _STRIP / 2 + shift * (place - (len(dots) - 1) / 2)
        parts.append(_dot(axis, dot, y))
    return _svg("".join(parts), label, _STRIP)


def _line(x: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.2f}%" x2="{x:.2f}%" y1="-5" y2="{_STRIP + 5}"/>'


def _dot(axis: Axis, dot: Dot, y: float) -> str:
    if dot.value is None:
        return ""
    x = axis.at(dot.value)
    text = ""
    if dot.low is not None and dot.high is not None:
        a, b = axis.at(dot.low), axis.at(dot.high)
        text = f'<line class="whisker {dot.kind}" x1="{a:.2f}%" x2="{b:.2f}%" y1="{y:g}" y2="{y:g}"/>'
    radius = 5.5 if dot.kind == "model" else 4.5
    return text + f'<circle class="dot {dot.kind}" cx="{x:.2f}%" cy="{y:g}" r="{radius}"/>'


def scale(axis: Axis, digits: int = 2) -> Markup:
    """The numbers below the strips of a figure."""
    digits = max(digits, _digits(axis))
    texts = []
    for tick in axis.ticks:
        x = axis.at(tick)
        texts.append(f'<text class="tick" x="{x:.2f}%" y="12" text-anchor="middle">{number(tick, digits)}</text>')
    return Markup(f'<svg class="strip" width="100%" height="16" aria-hidden="true">{"".join(texts)}</svg>')


def _digits(axis: Axis) -> int:
    step = axis.ticks[1] - axis.ticks[0] if len(axis.ticks) > 1 else 1.0
    return next((digits for digits in range(6) if abs(round(step, digits) - step) < 1e-9), 6)


def bars(spans: Sequence[tuple[float, float, str]], axis: Axis, label: str, height: int = 22) -> Markup:
    """Bars from, to (in the axis' units), each of its own class."""
    parts = []
    for low, high, kind in spans:
        a = axis.at(low)
        parts.append(
            f'<rect class="bar {kind}" x="{a:.2f}%" y="4" width="{max(axis.at(high) - a, 0.6):.2f}%" '
            f'height="{height - 8}" rx="3"/>'
        )
    return _svg("".join(parts), label, height)


def _svg(inside: str, label: str, height: int) -> Markup:
    return Markup(
        f'<svg class="strip" width="100%" height="{height}" role="img" aria-label="{escape(label)}">{inside}</svg>'
    )


@dataclass(frozen=True)
class Line:
    """Points joined by a line; kind is a class of the style sheet."""

    points: Sequence[tuple[float, float]]
    kind: str
    dots: bool = False


def plot(lines: Sequence[Line], label: str, *, diagonal: bool = False, x_title: str = "", y_title: str = "") -> Markup:
    """A small x–y picture; with `diagonal` both axes are the same and start at 0."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x_axis = Axis.over([*xs, *ys] if diagonal else xs, zero=diagonal)
    y_axis = x_axis if diagonal else Axis.over(ys)
    left, top, width, height = 46.0, 8.0, 260.0, 168.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + width * x_axis.at(x) / 100, top + height * (1 - y_axis.at(y) / 100)

    parts = []
    for tick in y_axis.ticks:
        _, y = at(x_axis.low, tick)
        parts.append(f'<line class="grid" x1="{left:g}" x2="{left + width:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = number(tick, _digits(y_axis))
        parts.append(f'<text class="tick" x="{left - 6:g}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>')
    for tick in x_axis.ticks:
        x, _ = at(tick, y_axis.low)
        text = number(tick, _digits(x_axis))
        parts.append(f'<text class="tick" x="{x:.1f}" y="{top + height + 16:g}" text-anchor="middle">{text}</text>')
    if diagonal:
        (x1, y1), (x2, y2) = at(x_axis.low, x_axis.low), at(x_axis.high, x_axis.high)
        parts.append(f'<line class="zero" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    for line in lines:
        places = [at(x, y) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {line.kind}" points="{path}"/>')
        if line.dots:
            parts += [f'<circle class="dot {line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
    middle = left + width / 2
    parts.append(f'<text class="title" x="{middle:g}" y="214" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(
        f'<text class="title" transform="translate(9 {top + height / 2:g}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text>"
    )
    return Markup(
        f'<svg class="plot" viewBox="0 0 320 220" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )

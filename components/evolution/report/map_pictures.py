"""Maps without a background: cells, how hot they were in time, dense areas, flows; a kilometre as long both ways.

Never here: numbers that are not in the CSV which the caption names, or anything that is fetched.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import h3
import polars as pl
from markupsafe import Markup

from components.evolution.report.pictures import WIDTH, depth, svg, with_key
from components.evolution.report.words import count, number, share

_PANELS = 6  # of a map in time, the newest periods
_A_ROW = 3
_SURE = 4.0  # standard scores at which a colour is full
_ARROWS = 15
_KM = math.pi * 6371.0088 / 180  # of a degree of latitude


@dataclass(frozen=True)
class Frame:
    """A piece of the map on the page.

    Attributes
    ----------
    west, north : degrees of its corner
    squeeze : length of a degree of longitude over one of latitude
    scale : units of the page for a degree of latitude
    left, top, wide, tall : of the page
    """

    west: float
    north: float
    squeeze: float
    scale: float
    left: float
    top: float
    wide: float
    tall: float

    @classmethod
    def around(
        cls, latitude: Sequence[float], longitude: Sequence[float], left: float, top: float, wide: float, tall: float
    ) -> Frame:
        """The frame of some points, as large as fits into a box."""
        south, north = _margin(latitude)
        west, east = _margin(longitude)
        squeeze = max(math.cos(math.radians((south + north) / 2)), 0.05)
        scale = min(wide / ((east - west) * squeeze), tall / (north - south))
        return cls(west, north, squeeze, scale, left, top, (east - west) * squeeze * scale, (north - south) * scale)

    def at(self, latitude: float, longitude: float) -> tuple[float, float]:
        """Where a point lies on the page."""
        x = self.left + (longitude - self.west) * self.squeeze * self.scale
        return x, self.top + (self.north - latitude) * self.scale

    def moved(self, left: float, top: float) -> Frame:
        """The same piece elsewhere on the page."""
        return Frame(self.west, self.north, self.squeeze, self.scale, left, top, self.wide, self.tall)

    def drawn(self, ticks: bool = True) -> list[str]:
        """Its border, and two degrees on each side."""
        parts = [
            f'<rect class="frame" x="{self.left:.1f}" y="{self.top:.1f}" width="{self.wide:.1f}" '
            f'height="{self.tall:.1f}"/>'
        ]
        for part in (0.1, 0.9) if ticks else ():
            x, y = self.left + part * self.wide, self.top + (1 - part) * self.tall
            lon = self.west + part * self.wide / (self.squeeze * self.scale)
            lat = self.north - (1 - part) * self.tall / self.scale
            parts += [
                f'<text class="tick" x="{x:.1f}" y="{self.top + self.tall + 15:.1f}" text-anchor="middle">'
                f"{lon:.2f}°</text>",
                f'<text class="tick" x="{self.left - 5}" y="{y + 4:.1f}" text-anchor="end">{lat:.2f}°</text>',
            ]
        return parts


def _margin(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    more = 0.08 * (high - low) or 0.01
    return low - more, high + more


def _whole(latitude: Sequence[float], longitude: Sequence[float]) -> Frame:
    return Frame.around(latitude, longitude, 46.0, 8.0, WIDTH - 54.0, 260.0)


def cells(found: pl.DataFrame) -> Markup:
    """Hot and cold cells as dots."""
    frame = _whole(found["latitude"].to_list(), found["longitude"].to_list())
    parts = frame.drawn()
    for row in found.sort("kind").to_dicts():  # the cold ones first, so that they hide nothing
        x, y = frame.at(row["latitude"], row["longitude"])
        parts.append(
            f'<circle class="{row["kind"]}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{row["kind"]}, {row["class"]}: '
            f"{row['latitude']:.4f}°, {row['longitude']:.4f}°</title></circle>"
        )
    picture = svg(parts, frame.top + frame.tall + 22, "Hot and cold cells by longitude and latitude")
    return with_key(picture, [("hot", "hot"), ("cold", "cold")])


def in_time(found: pl.DataFrame) -> Markup:
    """One small map a period: busier than by chance in one colour, emptier in the other; ringed where surely so."""
    periods = found["start"].unique().sort().to_list()[-_PANELS:]
    wide = (WIDTH - 8.0 * (_A_ROW - 1)) / _A_ROW
    frame = Frame.around(found["latitude"].to_list(), found["longitude"].to_list(), 0.0, 0.0, wide, 1.3 * wide)
    size = _cell_size(found, frame)
    parts: list[str] = []
    for place, period in enumerate(periods):
        line, column = divmod(place, _A_ROW)
        here = frame.moved((wide + 8.0) * column, 16.0 + (frame.tall + 24.0) * line)
        parts.append(f'<text class="tick" x="{here.left:.1f}" y="{here.top - 4:.1f}">{_day(period)}</text>')
        parts += here.drawn(ticks=False)
        for row in found.filter(pl.col("start") == period).sort("z").to_dicts():
            x, y = here.at(row["latitude"], row["longitude"])
            side = "heat" if row["z"] < 0 else "heat-hot"
            ring = "" if row["state"] == "neither" else " ringed"
            parts.append(
                f'<circle class="{side}{ring}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" '
                f'fill-opacity="{depth(min(abs(row["z"]) / _SURE, 1.0))}"><title>{period}: {row["z"]:.1f} standard '
                f"scores, {row['state']}</title></circle>"
            )
    lines = math.ceil(len(periods) / _A_ROW)
    picture = svg(parts, (frame.tall + 24.0) * lines, "How hot cells were, period by period")
    return with_key(picture, [("hot", "busier than by chance"), ("heat-key", "emptier"), ("ring-key", "surely so")])


def _cell_size(found: pl.DataFrame, frame: Frame) -> float:
    """Half of the way between the centres of two cells that touch, on the page."""
    edge_km = h3.average_hexagon_edge_length(h3.get_resolution(found["cell"][0]), unit="km")
    return max(edge_km * math.sqrt(3) / 2 / _KM * frame.scale, 1.2)


def _day(date: str) -> str:
    return f"{dt.date.fromisoformat(date):%d %b %y}"


def areas(found: pl.DataFrame) -> Markup:
    """Dense areas as circles that hold half of their places; the fuller the colour, the more events."""
    frame = _whole(found["latitude"].to_list(), found["longitude"].to_list())
    most = found.group_by("density").agg(pl.col("share").max()).rows()
    of = {density: value or 1.0 for density, value in most}
    parts = frame.drawn()
    for row in found.sort("radius_km", descending=True).to_dicts():
        x, y = frame.at(row["latitude"], row["longitude"])
        radius = min(max(row["radius_km"] / _KM * frame.scale, 3.5), frame.tall / 2)
        told = (
            f"{row['latitude']:.4f}°, {row['longitude']:.4f}°: {share(row['share'])} of the events, "
            f"{row['users']} users, half within {number(row['radius_km'])} km"
        )
        style = (
            f'class="{"heat ringed" if row["density"] == "stated" else "heat-hot ringed"}" '
            f'fill-opacity="{depth(0.5 * row["share"] / of[row["density"]])}"'
        )
        parts.append(f'<circle {style} cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{told}</title></circle>')
    picture = svg(parts, frame.top + frame.tall + 22, "Dense areas by longitude and latitude")
    return with_key(picture, [("heat-key", "of one density"), ("hot", "of their own densities")])


def flows(found: pl.DataFrame) -> Markup:
    """The largest flows between cells, as arrows; the wider, the more."""
    what = "steps" if "steps" in found.columns else "trips"
    rows = found.head(_ARROWS).to_dicts()
    ends = [(h3.cell_to_latlng(row["origin"]), h3.cell_to_latlng(row["destination"])) for row in rows]
    points = [point for pair in ends for point in pair]
    frame = _whole([one[0] for one in points], [one[1] for one in points])
    most = max(row[what] for row in rows)
    parts = frame.drawn()
    for row, (origin, destination) in reversed(list(zip(rows, ends, strict=True))):
        width = 0.8 + 3.2 * row[what] / most
        line = _bent(frame.at(*origin), frame.at(*destination))
        parts.append(
            f'<path class="flow" d="{line}" stroke-width="{width:.1f}"><title>{row["origin"]} to {row["destination"]}: '
            f"{count(row[what])} {what} of {count(row['users'])} users</title></path>"
        )
    for x, y in {frame.at(*pair[1]) for pair in ends} | {frame.at(*pair[0]) for pair in ends}:
        parts.append(f'<circle class="stop" cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>')
    picture = svg(sorted(parts, key=_order), frame.top + frame.tall + 22, "The largest flows between cells")
    return with_key(picture, [("heat-key", "each bends to the left as it goes")])


def _order(part: str) -> int:
    """Frames below, then arrows, then stops."""
    return 2 if 'class="stop"' in part else 1 if 'class="flow"' in part else 0


def _bent(origin: tuple[float, float], destination: tuple[float, float]) -> str:
    """A curve to the left of the way from one point to the other, so that the way back is another line."""
    (x, y), (u, v) = origin, destination
    middle = (x + u) / 2 + 0.18 * (v - y), (y + v) / 2 - 0.18 * (u - x)
    return f"M{x:.1f},{y:.1f} Q{middle[0]:.1f},{middle[1]:.1f} {u:.1f},{v:.1f}"

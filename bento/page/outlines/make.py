"""`python bento/page/outlines/make.py countries-10m.json`: the coasts and borders of the live page, in `world.json`.

The input is that file of the npm package `world-atlas` 2.0.2 (`npm pack world-atlas@2.0.2`): Natural Earth 1:10m,
which is in the public domain, as TopoJSON. Every arc is simplified once, so that neighbours go on sharing it, and
written as text: differences of whole units, zigzag, five bits to a letter, the sixth says that more follow.
It is run by hand when the outlines are to change; the page needs nothing but what it wrote.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
UNIT_DEG = 0.002
#: How far a simplified line may lie from the true one: near a city, elsewhere, beyond 60° of latitude.
NEAR_DEG, FAR_DEG, POLAR_DEG = 0.003, 0.03, 0.08
REACH_DEG = 0.8  # how far a city reaches
LEAST_DEG2 = 0.02  # area of an island that is kept where no city is, about 250 km² at the equator
#: Latitude and longitude of large cities, where a map is looked at from near: most are on a coast or a border.
CITIES = (
    (40.7, -74.0), (42.3, -71.0), (38.9, -77.0), (25.8, -80.2), (29.8, -95.3), (34.0, -118.3), (37.7, -122.4),
    (47.6, -122.4), (49.3, -123.1), (43.7, -79.4), (45.5, -73.6), (41.8, -87.6), (32.7, -117.1), (42.3, -83.0),
    (23.1, -82.4), (-12.0, -77.0), (-34.6, -58.4), (-34.9, -56.2), (-22.9, -43.2), (-23.9, -46.3), (-12.9, -38.5),
    (10.5, -66.9), (9.0, -79.5), (51.5, -0.1), (53.4, -3.0), (53.3, -6.3), (48.9, 2.3), (52.3, 4.8), (51.9, 4.4),
    (51.2, 4.4), (53.5, 10.0), (55.7, 12.6), (59.3, 18.1), (59.9, 10.7), (60.2, 24.9), (59.4, 24.8), (59.9, 30.3),
    (41.4, 2.2), (38.7, -9.2), (43.3, 5.4), (40.8, 14.3), (41.9, 12.4), (45.4, 12.3), (46.2, 6.1), (37.9, 23.7),
    (41.0, 29.0), (38.4, 27.1), (32.1, 34.8), (31.2, 29.9), (30.0, 31.2), (36.8, 10.2), (36.8, 3.1), (33.6, -7.6),
    (14.7, -17.4), (6.5, 3.4), (5.6, -0.2), (5.3, -4.0), (-33.9, 18.5), (-29.9, 31.0), (-6.8, 39.3), (25.2, 55.3),
    (26.2, 50.5), (29.4, 48.0), (21.5, 39.2), (24.9, 67.0), (19.0, 72.9), (13.1, 80.3), (22.5, 88.3), (23.7, 90.4),
    (6.9, 79.9), (1.3, 103.8), (-6.2, 106.8), (13.7, 100.5), (10.8, 106.7), (14.6, 121.0), (22.3, 114.1),
    (23.1, 113.3), (31.2, 121.5), (25.0, 121.5), (39.0, 117.7), (37.5, 126.8), (35.2, 129.0), (35.6, 139.8),
    (34.7, 135.4), (35.1, 136.9), (43.1, 131.9), (-33.9, 151.2), (-37.8, 144.9), (-27.5, 153.0), (-31.9, 115.9),
    (-36.8, 174.8), (-41.3, 174.8), (21.3, -157.9),
)  # fmt: skip
OUT = Path(__file__).with_name("world.json")


def tolerances(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a simplified line may lie from each point (N, 2), in degrees (N,)."""
    longitude, latitude = line.T
    allowed = np.where(np.abs(latitude) > 60, POLAR_DEG, FAR_DEG)
    for at_latitude, at_longitude in CITIES:
        near = (
            np.hypot(latitude - at_latitude, (longitude - at_longitude) * np.cos(np.radians(at_latitude))) < REACH_DEG
        )
        allowed[near] = NEAR_DEG
    return allowed


def simplified(line: NDArray[np.float64], tolerance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a line (N, 2) that keep it within each point's tolerance (N,): Douglas and Peucker (1973)."""
    keep = np.zeros(len(line), bool)
    keep[[0, -1]] = True
    open_ = [(0, len(line) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        between, ahead = line[first + 1 : last] - line[first], line[last] - line[first]
        squared = float(ahead @ ahead)
        along = np.clip(between @ ahead / squared, 0, 1) if squared else np.zeros(len(between))
        away = np.hypot(*(between - along[:, None] * ahead).T)
        excess = away / tolerance[first + 1 : last]
        far = int(excess.argmax())
        if excess[far] > 1:
            keep[first + 1 + far] = True
            open_ += [(first, first + 1 + far), (first + 1 + far, last)]
    return line[keep]


def text(units: NDArray[np.int64]) -> str:
    """A line of whole units (N, 2) as letters; the first point counts from (0, 0)."""
    steps = np.diff(units, axis=0, prepend=np.zeros((1, 2), np.int64))
    letters = []
    for step in steps.ravel().tolist():
        value = step << 1 if step >= 0 else (-step << 1) - 1
        while value > 31:
            letters.append(LETTERS[32 | value & 31])
            value >>= 5
        letters.append(LETTERS[value])
    return "".join(letters)


def arcs_of(topology: dict[str, Any]) -> list[NDArray[np.float64]]:
    """Every arc in degrees (N, 2): longitude, latitude."""
    scale, origin = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    return [np.cumsum(np.array(arc), axis=0) * scale + origin for arc in topology["arcs"]]


def rings_of(topology: dict[str, Any]) -> list[list[int]]:
    """Every ring of every country as numbers of arcs; ~n is arc n backwards."""
    rings: list[list[int]] = []
    for country in topology["objects"]["countries"]["geometries"]:
        shapes = {"Polygon": [country.get("arcs")], "MultiPolygon": country.get("arcs")}.get(country["type"], [])
        rings += [ring for polygon in shapes or [] for ring in polygon]
    return rings


def _area(ring: Sequence[int], arcs: Sequence[NDArray[np.float64]]) -> float:
    points = np.concatenate([arcs[n] if n >= 0 else arcs[~n][::-1] for n in ring])
    x, y = points[:, 0] * np.cos(np.radians(points[:, 1].mean())), points[:, 1]
    return abs(float(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1)))) / 2


def _counts(ring: Sequence[int], arcs: Sequence[NDArray[np.float64]]) -> bool:
    """Whether an island is drawn: a large one, or one near a city."""
    area = _area(ring, arcs)
    return area >= LEAST_DEG2 or (
        area >= LEAST_DEG2 / 100 and bool((tolerances(arcs[max(ring[0], ~ring[0])]) == NEAR_DEG).any())
    )


def made(topology: dict[str, Any]) -> dict[str, Any]:
    """What the page draws: arcs as letters, rings of land, and which arcs are borders."""
    arcs = arcs_of(topology)
    rings = [ring for ring in rings_of(topology) if len(ring) > 1 or _counts(ring, arcs)]
    uses: Counter[int] = Counter(n if n >= 0 else ~n for ring in rings for n in ring)
    number = {arc: place for place, arc in enumerate(sorted(uses))}
    lines = [np.rint(simplified(arcs[arc], tolerances(arcs[arc])) / UNIT_DEG).astype(np.int64) for arc in number]
    borders = [place for arc, place in number.items() if uses[arc] > 1]
    return {
        "source": "Natural Earth 1:10m (public domain), from npm world-atlas 2.0.2, simplified by make.py",
        "unit": UNIT_DEG,
        "arcs": [text(_without_repeats(line)) for line in lines],
        "land": [[number[n] if n >= 0 else ~number[~n] for n in ring] for ring in rings],
        "borders": borders,
    }


def _without_repeats(units: NDArray[np.int64]) -> NDArray[np.int64]:
    fresh = np.append(True, (np.diff(units, axis=0) != 0).any(axis=1))
    fresh[-1] = True
    return units[fresh]


def main(words: Iterable[str]) -> int:
    """Write `world.json` beside this file."""
    (path,) = words
    OUT.write_text(json.dumps(made(json.loads(Path(path).read_text("utf-8"))), separators=(",", ":")) + "\n", "utf-8")
    sys.stdout.write(f"{OUT.name}: {OUT.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

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
UNIT_DEG = 0.006
TOLERANCE_DEG = 0.025  # how far a simplified line may lie from the true one
LEAST_DEG2 = 0.01  # area of an island that is kept, about 120 km² at the equator
OUT = Path(__file__).with_name("world.json")


def simplified(line: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Points of a line (N, 2) that keep it within the tolerance: Douglas and Peucker (1973)."""
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
        far = int(away.argmax())
        if away[far] > tolerance:
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


def made(topology: dict[str, Any]) -> dict[str, Any]:
    """What the page draws: arcs as letters, rings of land, and which arcs are borders."""
    arcs = arcs_of(topology)
    rings = [ring for ring in rings_of(topology) if len(ring) > 1 or _area(ring, arcs) >= LEAST_DEG2]
    uses: Counter[int] = Counter(n if n >= 0 else ~n for ring in rings for n in ring)
    number = {arc: place for place, arc in enumerate(sorted(uses))}
    lines = [np.rint(simplified(arcs[arc], TOLERANCE_DEG) / UNIT_DEG).astype(np.int64) for arc in number]
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

"""Where it happens: events per H3 cell and action, at the finest resolution at which the cells stay few.

When more cells than `MOST` are in use, their parents take their place, counts added: memory is bounded, nothing is
left out. The shape of a cell is worked out here, so that the page needs no geometry of its own.
"""

from __future__ import annotations

from functools import lru_cache

import h3

from components.serving.pulse.rolling import Table, Windows

FINEST = 8  # edges of about 500 m
MOST = 320
_E5 = 100_000
_LETTERS = 16  # of a cell as text: 64 bits


@lru_cache(maxsize=4096)
def shape(cell: str) -> tuple[int, ...]:
    """The corners of a cell in 1e-5 degrees: latitude and longitude of the first, then steps to each next one.

    Raises
    ------
    ValueError
        It is no H3 cell.
    """
    if len(cell) > _LETTERS or not h3.is_valid_cell(cell):  # h3 takes no longer one
        raise ValueError("no H3 cell")
    corners = h3.cell_to_boundary(cell)
    east = corners[0][1]
    flat: list[int] = []
    before = (0, 0)
    for latitude, longitude in corners:
        near = longitude + 360 * round((east - longitude) / 360)  # a cell on the date line stays in one piece
        point = (round(latitude * _E5), round(near * _E5))
        flat += [point[0] - before[0], point[1] - before[1]]
        before = point
    return tuple(flat)


class Cells:
    """Counts of (cell, action).

    Attributes
    ----------
    resolution : of the cells that are counted now
    """

    def __init__(self) -> None:
        self.resolution = FINEST
        self.counts: Windows[tuple[str, str]] = Windows()
        self._used: set[str] = set()

    def add(self, latitude: float, longitude: float, action: str, time_s: float) -> str:
        """Count an event; its cell."""
        cell = str(h3.latlng_to_cell(latitude, longitude, self.resolution))
        self.counts.add((cell, action), time_s)
        if cell not in self._used:
            self._used.add(cell)
            if len(self._used) > MOST:
                self._bound()
        return str(h3.cell_to_parent(cell, self.resolution))

    def move(self, now_s: float) -> None:
        """Let what is old leave; an empty map begins at the finest resolution again."""
        self.counts.move(now_s)
        if self._used and not self.counts.keys():
            self._used, self.resolution = set(), FINEST

    def _bound(self) -> None:
        self._used = {cell for cell, _ in self.counts.keys()}  # noqa: SIM118, of Windows, no dictionary
        while len(self._used) > MOST:
            self.resolution -= 1
            coarse = {cell: str(h3.cell_to_parent(cell, self.resolution)) for cell in self._used}
            self.counts = self.counts.renamed(lambda key, coarse=coarse: (coarse[key[0]], key[1]))  # type: ignore[misc]
            self._used = set(coarse.values())


def by_cell(table: Table[tuple[str, str]]) -> dict[str, list[tuple[str, list[int]]]]:
    """Cell → its actions with their counts; cells with most events of the last day first."""
    found: dict[str, list[tuple[str, list[int]]]] = {}
    for (cell, action), counts in table.rows():
        found.setdefault(cell, []).append((action, counts))
    return dict(sorted(found.items(), key=lambda one: (-sum(counts[-1] for _, counts in one[1]), one[0])))

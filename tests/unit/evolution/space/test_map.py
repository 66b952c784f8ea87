"""The map in time: of cells that differ, and of enough users in every period that it tells of."""

from __future__ import annotations

import h3
import numpy as np

from components.evolution.space.report import _surface
from tests.unit.evolution.planted import log_of
from tests.unit.evolution.test_reports import SPACE

DAY = 86_400


def test_a_log_of_one_cell_has_no_map() -> None:
    """No cell is hotter than another where there is but one; a row without a figure could not be drawn."""
    user, day = (axis.ravel() for axis in np.meshgrid(np.arange(20), np.arange(112), indexing="ij"))
    found = _surface(
        log_of(user, day * DAY, latitude=np.full(2240, 48.8566), longitude=np.full(2240, 2.3522)), SPACE, 0
    )
    assert found["cells"] == 1
    assert found["map"] == []


def test_who_is_alone_in_a_cell_in_a_period_is_not_on_the_map() -> None:
    """Five come to a far cell and to one beside it in the first period; one alone to the far one in the third."""
    far = h3.latlng_to_cell(48.3, 1.5, SPACE.resolution)
    beside = next(iter(h3.grid_ring(far, 1)))
    rng = np.random.default_rng(0)
    rows = [
        (user, int(day), 48.85 + 0.02 * rng.standard_normal(), 2.35) for user in range(50) for day in range(0, 112, 3)
    ]
    rows += [(user, 3, *h3.cell_to_latlng(cell)) for user in range(5) for cell in (far, beside)]
    rows += [(0, 60 + one % 20, *h3.cell_to_latlng(far)) for one in range(25)]
    user, day, lat, lon = (np.array(one) for one in zip(*rows, strict=True))
    told = _surface(log_of(user, day * DAY, latitude=lat, longitude=lon), SPACE, 0)["map"]
    starts = sorted({row["start_s"] for row in told})
    assert len(starts) == 4
    for cell in (far, beside):  # the empty one too: its figure is of its neighbours
        assert [row["start_s"] for row in told if row["cell"] == cell] == [starts[0], starts[1], starts[3]]

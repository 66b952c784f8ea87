"""The map in time: of cells that differ."""

from __future__ import annotations

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

"""Surfaces are complete, of whole periods, and neighbours are those of the grid."""

from __future__ import annotations

from dataclasses import replace

import h3
import numpy as np
import pytest

from components.errors import DataError
from components.evolution.space.surface import hours_of_week, neighbours_of, surface
from tests.unit.evolution.planted import log_of

DAY = 86_400


def test_every_event_of_a_whole_period_is_counted_once() -> None:
    rng = np.random.default_rng(0)
    n = 500
    log = log_of(
        np.zeros(n, int),
        np.sort(rng.integers(0, 7 * DAY, n)),
        latitude=rng.uniform(48.85, 48.87, n),
        longitude=rng.uniform(2.3, 2.33, n),
    )
    found = surface(log, 8, DAY, 0)
    assert found.counts.shape == (7, len(found.cells))
    assert found.counts.sum() == n
    cell = [h3.latlng_to_cell(a, b, 8) for a, b in zip(log.latitude, log.longitude, strict=True)]
    assert found.counts.sum(0).tolist() == [cell.count(h3.int_to_str(int(c))) for c in found.cells]
    wider = surface(log, 8, DAY, 1)
    assert set(found.cells) < set(wider.cells)
    assert wider.counts.sum() == n
    assert surface(log, 8, 3 * DAY, 0).counts.shape[0] == 2
    some = surface(log, 8, DAY, 0, only=found.cells[[1, 3]])
    assert some.counts.tolist() == found.counts[:, [1, 3]].tolist()
    assert some.starts_s.tolist() == found.starts_s.tolist()


def test_utc_periods_run_together_where_clocks_differ() -> None:
    """Two cities five hours apart, one event in every hour of each."""
    hour = np.tile(np.arange(24), 2) * 3600
    log = log_of(
        np.repeat([0, 1], 24), hour, latitude=np.repeat([48.85, 40.7], 24), longitude=np.repeat([2.3, -74], 24)
    )
    log = replace(log, local_s=log.time_s - np.repeat([0, 5], 24) * 3600)
    assert surface(log, 5, 3600, 0).counts.shape == (29, 2)
    found = surface(log, 5, 3600, 0, utc=True)
    assert found.counts.tolist() == [[1, 1]] * 24
    hours = hours_of_week(log, found, 5, np.arange(2))
    east = int(np.argmax(hours[0] == 0))  # the log begins on a Monday at midnight UTC
    assert hours[:, east].tolist() == list(range(24))
    assert hours[:, 1 - east].tolist() == [(one - 5) % 168 for one in range(24)]


def test_neighbours_are_a_disk() -> None:
    centre = h3.str_to_int(h3.latlng_to_cell(48.85, 2.35, 8))
    cells = np.array(sorted(h3.str_to_int(c) for c in h3.grid_disk(h3.int_to_str(centre), 2)), np.uint64)
    touch = neighbours_of(cells, 1)
    at = int(np.searchsorted(cells, centre))
    assert touch[[at]].sum() == 6
    assert touch.diagonal().sum() == 0
    assert (touch != touch.T).nnz == 0
    assert neighbours_of(cells, 2)[[at]].sum() == 18


def test_no_place_and_too_short_are_refused() -> None:
    with pytest.raises(DataError, match="latitude"):
        surface(log_of(np.zeros(3, int), np.arange(3)), 8, DAY, 0)
    log = log_of(np.zeros(3, int), np.arange(3), latitude=np.full(3, 1.0), longitude=np.full(3, 1.0))
    with pytest.raises(DataError, match="period"):
        surface(log, 8, 30 * DAY, 0)

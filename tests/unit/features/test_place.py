"""Places, by hand: distances over the antimeridian and at the poles, H3 cells and their ancestors."""

from __future__ import annotations

import h3
import numpy as np
import pytest

from components.features import place
from components.features.encoding import Vocabulary
from components.features.hexagon import distinct_hexagons

DEGREE_KM = np.pi * place.EARTH_KM / 180


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0, 0), (0, 1), DEGREE_KM),
        ((0, 179.5), (0, -179.5), DEGREE_KM),  # over the antimeridian, not around the world
        ((90, 0), (90, 137), 0),  # one pole, whatever the longitude
        ((89, 0), (89, 180), 2 * DEGREE_KM),  # over the pole
        ((0, 0), (0, 180), 180 * DEGREE_KM),  # antipodes
        ((90, 0), (-90, 0), 180 * DEGREE_KM),
        ((48.8566, 2.3522), (40.7128, -74.006), 5837),  # Paris – New York
    ],
)
def test_haversine(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    found = place.haversine_km(*(np.array([x], np.float64) for x in (*a, *b)))
    assert found[0] == pytest.approx(km, rel=1e-4, abs=1e-6)


def test_metres_are_not_lost() -> None:
    one = np.array([48.8566])
    found = place.haversine_km(one, np.zeros(1), one + 1e-5, np.zeros(1))
    assert found[0] == pytest.approx(1e-5 * DEGREE_KM, rel=1e-6)


@pytest.mark.parametrize("resolution", [0, 1, 5, 8, 9])
@pytest.mark.parametrize("where", ["the world", "a city", "a pole", "a pentagon", "the antimeridian"])
def test_cells_of_many_points_are_those_of_the_library(where: str, resolution: int) -> None:
    rng = np.random.default_rng(0)
    south, north, west, east = {
        "the world": (-90, 90, -180, 180),
        "a city": (48.6, 49.1, 1.9, 2.8),
        "a pole": (89.9, 90, -180, 180),
        "a pentagon": (64.2, 65.2, 10.0, 11.1),  # a vertex of the icosahedron, in Norway
        "the antimeridian": (-17.0, -16.0, 180, 181),
    }[where]
    lat, lon = rng.uniform(south, north, 6000), (rng.uniform(west, east, 6000) + 180) % 360 - 180
    lat[:9] = np.nan
    lat_e7, lon_e7 = place.to_e7(lat), place.to_e7(np.where(np.isnan(lat), np.nan, lon))
    cells, index = place.cells_of(lat_e7, lon_e7, resolution)
    expected = [
        h3.latlng_to_cell(a / place.E7, b / place.E7, resolution) for a, b in zip(lat_e7[9:], lon_e7[9:], strict=True)
    ]
    assert [place.cell_name(c) for c in cells[index[9:]].tolist()] == expected
    assert (cells[index[:9]] == 0).all()
    assert (np.diff(cells.astype(np.int64)) > 0).all()
    few, few_index = place.cells_of(lat_e7[:50], lon_e7[:50], resolution)
    assert (few[few_index] == cells[index[:50]]).all()


def test_parents_are_those_of_the_library() -> None:
    cells = [h3.latlng_to_cell(lat, lon, 9) for lat, lon in ((48.85, 2.35), (-33.9, 151.2), (64.7, 10.5))]
    codes = np.array([int(cell, 16) for cell in cells], np.uint64)
    for resolution in (0, 4, 8, 9):
        found = [place.cell_name(c) for c in place.parents(codes, resolution).tolist()]
        assert found == [h3.cell_to_parent(cell, resolution) for cell in cells]


def test_no_place_has_no_cell() -> None:
    keys = place.point_keys(place.to_e7(np.array([np.nan, 0.0])), place.to_e7(np.array([np.nan, 0.0])))
    cells = place.finest_cells(keys, 8)
    assert cells[0] == 0
    assert cells[1] != 0  # (0, 0) is a place
    assert place.parents(cells, 6)[0] == 0
    assert place.cell_codes(cells, Vocabulary.of([place.cell_name(int(cells[1]))])).tolist() == [0, 2]
    assert place.cell_codes(cells, Vocabulary.of([])).tolist() == [0, 1]


def test_coordinates_survive_as_integers() -> None:
    lat = np.array([90.0, -90.0, np.nan, 48.8566001])
    lon = np.array([180.0, -180.0, np.nan, -0.0000001])
    for column in (lat, lon):
        assert place.degrees(place.to_e7(column)) == pytest.approx(column, abs=5e-8, nan_ok=True)
    keys = place.point_keys(place.to_e7(lat), place.to_e7(lon))
    assert ((keys >> 32) == place.to_e7(lat)).all()
    assert (keys.astype(np.int32) == place.to_e7(lon)).all()


def test_cells_without_a_point_that_has_none() -> None:
    lat = np.full(5000, 48 * place.E7, np.int32)
    cells, index = place.cells_of(lat, lat, 8)
    assert (len(cells), index.max()) == (1, 0)


def test_travel_skips_events_without_a_place_and_stays_with_the_user() -> None:
    nothing = place.NO_PLACE
    lat = np.array([0, nothing, 0, 0, 0], np.int32)
    lon = np.array([0, nothing, place.E7, place.E7, 0], np.int32)
    time_s = np.array([0, 1800, 3600, 3600, 0])
    start = np.array([0, 0, 0, 0, 4], np.int32)
    km, kmh = place.travel(lat, lon, time_s, start)
    assert km.tolist() == pytest.approx([np.nan, np.nan, DEGREE_KM, 0, np.nan], nan_ok=True)
    assert kmh.tolist() == pytest.approx([np.nan, np.nan, DEGREE_KM, 0, np.nan], nan_ok=True)


def test_speed_at_one_instant_is_over_one_second() -> None:
    lon = np.array([0, place.E7], np.int32)
    _, kmh = place.travel(np.zeros(2, np.int32), lon, np.zeros(2, np.int64), np.zeros(2, np.int32))
    assert kmh[1] == pytest.approx(DEGREE_KM * 3600)


@pytest.mark.parametrize("distinct", [1, 40, 30_000])
def test_few_points_hold_every_point(distinct: int) -> None:
    points = np.random.default_rng(1).integers(-(2**62), 2**62, distinct)[
        np.random.default_rng(2).integers(0, distinct, 30_000)
    ]
    rows, where = place.few_points(points)
    assert (points[rows][where] == points).all()
    assert len(rows) < 2 * distinct


@pytest.mark.parametrize("spread", [3, 5_000_000])  # in the table, and beyond it
def test_distinct_hexagons_are_those_of_a_sort(spread: int) -> None:
    rng = np.random.default_rng(3)
    lattice = rng.integers(-spread, spread, (2, 500)) + (1 << 25)
    numbers = np.where(rng.random(500) < 0.1, -1, (7 << 52) | (lattice[0] << 26) | lattice[1])
    found, first, index = distinct_hexagons(numbers)
    assert sorted(found.tolist()) == np.unique(numbers).tolist()
    assert (numbers[first] == found).all()
    assert (found[index] == numbers).all()
    assert (distinct_hexagons(np.full(4, -1))[2] == 0).all()

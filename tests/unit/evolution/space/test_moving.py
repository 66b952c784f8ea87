"""Flows, mobility, exploration, anchors, stays and similarity against hand counts and planted truth."""

from __future__ import annotations

import subprocess
import sys

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import DataError
from components.evolution.space.anchors import Hours, anchors
from components.evolution.space.exploration import exploration, heaps_exponent, return_hours, steps
from components.evolution.space.flows import flows
from components.evolution.space.mobility import mobility, radius_of_gyration
from components.evolution.space.places import areas_of_any_density, dense_areas
from components.evolution.space.similarity import edit_distance, similar, warping_km
from components.evolution.space.stays import stays, trajectories
from components.features.place import EARTH_KM
from tests.unit.evolution.planted import log_of

HOUR, DAY = 3_600, 86_400
PARIS = np.array([[48.85, 2.35], [48.87, 2.30], [48.80, 2.40]])


def at(place: list[int] | np.ndarray) -> dict[str, np.ndarray]:
    return {"latitude": PARIS[place, 0], "longitude": PARIS[place, 1]}


def test_flows_by_hand() -> None:
    user, time_s = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 50, 0, 1, 2]) * HOUR
    found = flows(log_of(user, time_s, **at([0, 1, 2, 0, 1, 1])), 8, 24 * HOUR)
    code = np.searchsorted(found.cells, [h3.str_to_int(h3.latlng_to_cell(a, b, 8)) for a, b in PARIS])
    matrix = found.matrix().toarray()
    assert matrix.sum() == 3  # the third event came after more than a day
    assert matrix[code[0], code[1]] == 2
    assert matrix[code[1], code[1]] == 1
    assert found.users.max() == 2
    assert found.shown(2).matrix().sum() == 2


def test_radius_of_gyration_in_closed_form() -> None:
    """Two points d apart: d / 2; across the antimeridian as well."""
    lat, lon = np.zeros(2), np.array([179.9, -179.9])
    half = np.radians(0.1) * EARTH_KM
    assert radius_of_gyration(lat, lon, np.zeros(2, int), 2)[0] == pytest.approx(half)
    assert np.isnan(radius_of_gyration(lat, lon, np.zeros(2, int), 2)[1])


def test_returners_and_explorers() -> None:
    """One user lives between two far places; the other has two near ones and many far away."""
    spread = np.stack([48.85 + np.linspace(-1, 1, 20), np.full(20, 2.35)], axis=1)
    lat = np.concatenate([np.tile([48.85, 49.85], 15), np.tile([48.85, 48.86], 8), spread[:, 0]])
    user = np.repeat([0, 1], [30, 36])
    found = mobility(log_of(user, np.arange(66) * HOUR, latitude=lat, longitude=np.full(66, 2.35)), 8, 2)
    assert found.explorer.tolist() == [False, True]
    assert found.events.tolist() == [30, 36]
    assert found.places[0] == 2
    assert found.core_radius_km[0] == pytest.approx(found.radius_km[0])


def walkers(rho: float, gamma: float, n_users: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Users of the model: a new place with ρ S^-γ, else a known one by its visits."""
    rng = np.random.default_rng(seed)
    place = np.zeros((n_users, length), int)
    for user in range(n_users):
        known = 1
        for step in range(1, length):
            if rng.random() < rho * known**-gamma:
                place[user, step], known = known, known + 1
            else:
                place[user, step] = place[user, rng.integers(0, step)]
    return np.repeat(np.arange(n_users), length), place.ravel()


def test_exploration_recovers_what_was_planted() -> None:
    found = steps(*walkers(0.6, 0.3, 150, 100, 0))
    fit = exploration(found, 50, 0.95, 0)
    assert fit.rho.low <= 0.6 <= fit.rho.high
    assert fit.gamma.low <= 0.3 <= fit.gamma.high
    assert fit.rho.high - fit.rho.low < 0.2
    assert 0.5 < heaps_exponent(found, 80) < 0.9
    everything_new = steps(np.zeros(50, int), np.arange(50))
    assert heaps_exponent(everything_new, 49) == pytest.approx(1)
    assert np.isnan(heaps_exponent(everything_new, 60))
    with pytest.raises(DataError):
        exploration(everything_new, 5, 0.95, 0)


def test_steps_by_hand() -> None:
    found = steps(np.array([0, 0, 0, 1, 1]), np.array([4, 2, 4, 2, 2]))
    assert found.user.tolist() == [0, 0, 1]
    assert found.known.tolist() == [1, 2, 1]
    assert found.new.tolist() == [True, False, False]


def test_returns_come_after_a_day() -> None:
    time_s = np.arange(30) * DAY
    log = log_of(np.zeros(60, int), np.concatenate([time_s, time_s + 9 * HOUR]), **at(np.repeat([0, 1], 30)))
    found = return_hours(log, 8, 48)
    assert found[24] == 1
    assert found.sum() == 1


def test_home_and_work_are_found() -> None:
    rng = np.random.default_rng(0)
    day = np.arange(14) * DAY
    night, work = day + 23 * HOUR, (day + 10 * HOUR)[[0, 1, 2, 3, 4, 7, 8, 9]]
    other = rng.integers(0, 14, 8) * DAY + 19 * HOUR
    time_s = np.concatenate([night, work, day[:12] + 12 * HOUR, other])
    log = log_of(np.zeros(len(time_s), int), time_s, **at(np.repeat([0, 1, 0, 2], [14, 8, 12, 8])))
    home = anchors(log, 8, Hours(22, 7, False), 5, 0.5, None)
    office = anchors(log, 8, Hours(9, 18, True), 5, 0.4, home)
    code = np.searchsorted(home.cells, [h3.str_to_int(h3.latlng_to_cell(a, b, 8)) for a, b in PARIS])
    assert home.cell[0] == code[0]
    assert home.share[0] == 1
    assert office.cell[0] == code[1]
    assert office.events[0] == 18  # at home more often than at work, and home does not count
    assert office.share[0] == pytest.approx(8 / 18)
    assert anchors(log, 8, Hours(22, 7, False), 50, 0.5, None).cell[0] == -1
    assert anchors(log, 8, Hours(9, 18, True), 5, 0.9, home).cell[0] == -1


def test_stays_by_hand() -> None:
    """An hour here, ten minutes on the way, an hour there with a silence of five in it, which cuts it in two."""
    minute = np.concatenate([np.arange(0, 61, 10), [65, 70], np.arange(75, 136, 10), np.arange(435, 500, 10)])
    lat = 48.85 + np.concatenate([np.full(7, 0.0), [0.01, 0.02], np.full(14, 0.03)])
    lat += np.random.default_rng(0).normal(0, 0.0002, len(lat))
    found = stays(np.zeros(len(lat), int), minute * 60, lat, np.full(len(lat), 2.35), 200.0, 1800, 3600)
    assert (found.begin_s // 60).tolist() == [0, 75, 435]
    assert (found.end_s // 60).tolist() == [60, 135, 495]
    assert found.positions.tolist() == [7, 7, 7]
    np.testing.assert_allclose(found.latitude, [48.85, 48.88, 48.88], atol=0.0005)
    with pytest.raises(DataError, match="before its predecessor"):
        stays(np.zeros(2, int), np.array([1, 0]), np.zeros(2), np.zeros(2), 200.0, 1800, 3600)
    assert len(stays(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0), 200.0, 1800, 3600).user) == 0


def test_a_stay_on_the_antimeridian_is_there() -> None:
    lon = np.array([179.9995, -179.9995, 179.9995, -179.9995])
    found = stays(np.zeros(4, int), np.arange(4) * 900, np.full(4, -17.0), lon, 200.0, 1800, 3600)
    assert found.positions.tolist() == [4]
    assert found.latitude[0] == pytest.approx(-17)
    assert abs(found.longitude[0]) == pytest.approx(180)


def test_two_people_at_one_place_are_two_stays() -> None:
    user = np.repeat([3, 5], 4)
    found = stays(user, np.tile(np.arange(4) * 900, 2), np.full(8, 1.0), np.full(8, 1.0), 200.0, 1800, 3600)
    assert found.user.tolist() == [3, 5]


def test_trajectories_begin_after_a_pause() -> None:
    found = trajectories(np.array([0, 0, 0, 1]), np.array([0, DAY, 2 * DAY + 1, 2 * DAY + 1]), DAY)
    assert found.tolist() == [0, 0, 1, 2]
    assert len(trajectories(np.zeros(0, int), np.zeros(0, int), DAY)) == 0


def test_similar_by_hand() -> None:
    trajectory, cell = np.array([0, 0, 1, 1, 2, 3, 3, 3]), np.array([1, 2, 2, 1, 9, 1, 2, 3])
    found = similar(trajectory, cell, np.array([0, 1, 2, 0]), 2)
    assert found.other[0].tolist() == [1, -1]  # 3 is of the same owner
    assert found.jaccard[1].tolist() == [1.0, pytest.approx(2 / 3)]
    assert found.other[2].tolist() == [-1, -1]


def test_warping_and_edits_in_closed_form() -> None:
    lat = np.array([0.0, 0.1, 0.2])
    zero = np.zeros(3)
    assert warping_km(lat, zero, np.repeat(lat, 2), np.zeros(6)) == 0  # the same course at half the speed
    aside = warping_km(lat, zero, lat, zero + 0.01)
    assert aside == pytest.approx(np.radians(0.01) * EARTH_KM, rel=1e-4)
    assert edit_distance(np.array([1, 2, 3]), np.array([1, 3])) == pytest.approx(1 / 3)
    assert edit_distance(np.zeros(0, np.int64), np.zeros(0, np.int64)) == 0


def test_long_courses_need_no_matrix() -> None:
    """In a process of its own: what numba allocates, nobody traces, and `ru_maxrss` begins at the parent's."""
    code = (
        "import re\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from components.evolution.space.similarity import warping_km\n"
        "def most():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "lat, lon = np.linspace(0, 1, 6_000), np.zeros(6_000)\n"
        "warping_km(lat[:2], lon[:2], lat[:2], lon[:2])\n"
        "before = most()\n"
        "warping_km(lat, lon, lat[:2_000], lon[:2_000])\n"
        "print(most() - before)\n"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(grown.stdout) < 20_000  # KiB; the matrix has 94,000


cells = st.lists(st.integers(0, 5), min_size=1, max_size=8).map(np.array)


@given(cells, cells)
def test_edit_distance_is_a_distance(a: np.ndarray, b: np.ndarray) -> None:
    assert edit_distance(a, a) == 0
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == np.array_equal(a, b)


def test_planted_areas_are_found() -> None:
    rng = np.random.default_rng(0)
    lat = np.concatenate([48.85 + rng.normal(0, 0.0005, 40), 48.95 + rng.normal(0, 0.0005, 60), [48.7, 49.1]])
    lon = np.full(102, 2.35)
    weight = np.ones(102)
    weight[:40] = 5
    for found in (dense_areas(lat, lon, weight, 0.2, 10), areas_of_any_density(lat, lon, weight, 10)):
        assert len(found.weight) == 2
        assert (found.label[:40] == 0).mean() > 0.9  # more weight, though fewer points
        assert (found.label[40:100] == 1).mean() > 0.9
        assert (found.label[100:] == -1).all()
        np.testing.assert_allclose(found.latitude, [48.85, 48.95], atol=0.001)

"""Bivariate, lagged and space–time Moran's I: as published, right on planted truth, silent on independent surfaces."""

from __future__ import annotations

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evolution.space.bivariate import bivariate_moran, moran_maps, without
from components.evolution.space.followed import field_of, lagged_moran, space_time_moran
from components.evolution.space.kinds import kinds_report
from components.evolution.space.surface import neighbours_of
from components.params import load_params
from tests.serving import ROOT
from tests.unit.evolution.planted import log_of

CELLS = np.array(sorted(h3.str_to_int(c) for c in h3.grid_disk(h3.latlng_to_cell(48.85, 2.35, 8), 6)), np.uint64)
TOUCH = neighbours_of(CELLS, 1)
MAPS = moran_maps(TOUCH)
SPACE = load_params(ROOT / "params.yaml").evolve.space


def smooth(rng: np.random.Generator) -> np.ndarray:
    """A surface whose neighbours are alike."""
    surface = rng.normal(size=len(CELLS))
    for _ in range(4):
        surface = surface + TOUCH @ surface / 6
    return surface


def test_it_is_the_published_statistic() -> None:
    esda, weights = pytest.importorskip("esda"), pytest.importorskip("libpysal").weights
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=len(CELLS)), rng.normal(size=len(CELLS))
    w = weights.W({at: TOUCH[[at]].indices.tolist() for at in range(len(CELLS))}, silence_warnings=True)
    theirs = esda.Moran_BV(x, y, w, transformation="r", permutations=0).I
    assert bivariate_moran(x, y, TOUCH, MAPS, 99, 0).value == pytest.approx(theirs)


def test_smooth_but_independent_surfaces_give_nominal_alarms_and_shuffled_cells_would_not() -> None:
    rng = np.random.default_rng(1)
    p, shuffled = [], []
    for seed in range(120):
        x, y = smooth(rng), smooth(rng)
        found = bivariate_moran(x, y, TOUCH, MAPS, 99, seed)
        p.append(found.p)
        null = [bivariate_moran(rng.permutation(x), y, TOUCH, MAPS, 2, 0).value for _ in range(19)]
        shuffled.append(found.value > max(null) or found.value < min(null))
    assert np.mean(np.array(p) <= 0.05) <= 0.1
    assert np.mean(shuffled) > 0.2  # at a level of a tenth


def test_what_is_side_by_side_is_found_with_its_sign() -> None:
    rng = np.random.default_rng(2)
    x = smooth(rng)
    near = TOUCH @ x / 6 + 0.3 * rng.normal(size=len(x))
    for y, sign in ((near, 1), (-near, -1)):
        found = bivariate_moran(x, y, TOUCH, MAPS, 199, 0)
        assert found.p <= 0.05
        assert np.sign(found.value) == sign
    busy = smooth(rng)
    a, b = busy + 0.3 * rng.normal(size=len(x)), busy + 0.3 * rng.normal(size=len(x))
    assert bivariate_moran(a, b, TOUCH, MAPS, 199, 0).p <= 0.05
    assert bivariate_moran(without(a, busy), without(b, busy), TOUCH, MAPS, 199, 0).p > 0.05


def test_a_flat_surface_tells_nothing() -> None:
    assert np.isnan(bivariate_moran(np.ones(len(CELLS)), smooth(np.random.default_rng(0)), TOUCH, MAPS, 99, 0).p)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_units_do_not_matter(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=len(CELLS)), rng.normal(size=len(CELLS))
    one, other = (bivariate_moran(z, y, TOUCH, MAPS, 19, 0) for z in (x, scale * x + shift))
    assert other.value == pytest.approx(one.value, abs=1e-9)
    assert other.p == pytest.approx(one.p)


def ar(rng: np.random.Generator, days: int, carry: float) -> np.ndarray:
    """(T, C) cells that go on as they were, each by itself."""
    field = np.zeros((days, len(CELLS)))
    for day in range(1, days):
        field[day] = carry * field[day - 1] + rng.normal(size=len(CELLS))
    return field - field.mean(axis=0) - field.mean(axis=1)[:, None] + field.mean()


def parts(field: np.ndarray, seed: int = 0) -> dict[tuple[str, int], float]:
    return {(one.part, one.lag): one.p for one in space_time_moran(field, TOUCH, [1], 99, seed)}


def test_cells_by_themselves_are_told_as_such() -> None:
    rng = np.random.default_rng(3)
    told = [parts(ar(rng, 100, 0.6), seed) for seed in range(40)]
    assert all(one["itself, earlier", 1] <= 0.05 for one in told)
    for part in (("neighbours, same day", 0), ("neighbours, earlier", 1)):
        assert sum(one[part] <= 0.05 for one in told) <= 6  # 40 at a level of 1 in 20


def test_what_spreads_to_neighbours_is_found() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(100, len(CELLS)))
    field = noise.copy()
    field[1:] += 0.8 * (TOUCH @ noise[:-1].T).T / np.sqrt(6)
    told = parts(field - field.mean(axis=1)[:, None])
    assert told["neighbours, earlier", 1] <= 0.05
    assert told["itself, earlier", 1] > 0.01


def test_a_kind_that_follows_another_is_found_and_not_the_other_way_round() -> None:
    rng = np.random.default_rng(5)
    leader = ar(rng, 160, 0.3)
    follower = 0.3 * np.roll(leader + (TOUCH @ leader.T).T / 6, 1, axis=0) + ar(rng, 160, 0.3)
    ahead, back = (lagged_moran(*pair, TOUCH, [1])[0] for pair in ((leader, follower), (follower, leader)))
    assert ahead.p < 0.001
    assert ahead.p_lead < 0.001
    assert back.p_lead > 0.5
    assert lagged_moran(leader, follower, TOUCH, [9]) == []  # too few days for such a lag


def test_kinds_that_do_not_know_of_each_other_give_nominal_alarms() -> None:
    rng = np.random.default_rng(6)
    told = [lagged_moran(ar(rng, 120, 0.5), ar(rng, 120, 0.5), TOUCH, [1])[0] for _ in range(200)]
    assert np.mean([one.p <= 0.05 for one in told]) <= 0.09
    assert np.mean([one.p_lead <= 0.05 for one in told]) <= 0.09


def test_a_field_has_no_week_and_nothing_in_common() -> None:
    counts = np.random.default_rng(7).poisson(3 + 2 * (np.arange(70)[:, None] % 7 == 0), (70, 20))
    field = field_of(counts, 4)
    np.testing.assert_allclose(field.mean(axis=1), 0, atol=1e-12)
    for day in range(7):
        np.testing.assert_allclose(field[day::7].mean(axis=0), 0, atol=1e-12)


def test_the_record_of_a_log() -> None:
    rng = np.random.default_rng(8)
    n = 6000
    user = np.sort(rng.integers(0, 60, n))
    kind = rng.integers(0, 3, n)
    centre = np.array([[48.85, 2.35], [48.85, 2.35], [48.90, 2.42]])[kind]
    log = log_of(user, rng.integers(0, 60 * 86_400, n), category=kind, latitude=centre[:, 0] + rng.normal(0, 0.01, n),
                 longitude=centre[:, 1] + rng.normal(0, 0.01, n))  # fmt: skip
    found = kinds_report(log, SPACE.model_copy(update={"permutations": 199, "lags_days": (1, 7)}), 0)
    assert found["of"] == "category"
    beside = {frozenset((one["first"], one["second"])): one for one in found["pairs"]}
    assert beside[frozenset(("c000", "c001"))]["q"] <= 0.05
    assert {one.lag for one in found["space_time"]} == {0, 1}  # sixty days are too few for a week
    assert len(found["lagged"]) == 6
    assert not [one for one in found["lagged"] if one["q_lead"] <= 0.01]
    alone = kinds_report(log, SPACE.model_copy(update={"permutations": 99, "least_users": 61}), 0)
    assert (alone["kinds"], alone["pairs"], alone["lagged"]) == ([], [], [])

"""Spatial statistics equal esda's; planted clusters and hot spots are found; noise raises few alarms."""

from __future__ import annotations

import tracemalloc
import warnings

import h3
import numpy as np
import pytest
from scipy import sparse

from components.evolution.space.autocorrelation import gearys_c, morans_i
from components.evolution.space.emerging import emerging, mann_kendall
from components.evolution.space.hotspots import HotSpots, getis_ord, local_moran
from components.evolution.space.surface import Matrix, neighbours_of


@pytest.fixture(scope="module")
def grid() -> tuple[np.ndarray, Matrix]:
    """A disk of 271 cells and its neighbours; the first return is the distance of each from the middle."""
    middle = h3.latlng_to_cell(48.85, 2.35, 8)
    cells = np.array(sorted(h3.str_to_int(c) for c in h3.grid_disk(middle, 9)), np.uint64)
    steps = np.array([h3.grid_distance(middle, h3.int_to_str(int(c))) for c in cells])
    return steps, neighbours_of(cells, 1)


def test_values_equal_esda(grid: tuple[np.ndarray, Matrix]) -> None:
    import esda
    from libpysal.weights import WSP

    x = np.random.default_rng(0).poisson(3, len(grid[0])).astype(float)

    def w():  # esda writes into what it is given
        return WSP(grid[1]).to_W(silence_warnings=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert morans_i(x, grid[1], 9, 0).value == pytest.approx(esda.Moran(x, w(), permutations=0).I)
        assert gearys_c(x, grid[1], 9, 0).value == pytest.approx(esda.Geary(x, w(), permutations=0).C)
        local = esda.Moran_Local(x, w(), permutations=0)
        star = esda.G_Local(x, w(), transform="B", star=True, permutations=0)
    mine = local_moran(x, grid[1], 99, 0)
    np.testing.assert_allclose(mine.value, local.Is)
    np.testing.assert_array_equal(mine.quadrant, local.q)
    np.testing.assert_allclose(getis_ord(x, grid[1], 99, 0).z[0], star.Zs)


def test_a_gradient_is_found_and_noise_is_not(grid: tuple[np.ndarray, Matrix]) -> None:
    steps, touch = grid
    rng = np.random.default_rng(0)
    sloped = steps + rng.normal(0, 2, len(steps))
    assert morans_i(sloped, touch, 199, 0).p == 0.01
    assert morans_i(sloped, touch, 199, 0).value > 0.2
    assert gearys_c(sloped, touch, 199, 0).value < 0.8
    p = [morans_i(rng.gamma(0.3, size=len(steps)), touch, 99, seed).p for seed in range(200)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.isnan(morans_i(np.ones(len(steps)), touch, 9, 0).value)


def test_planted_hot_spot(grid: tuple[np.ndarray, Matrix]) -> None:
    steps, touch = grid
    rng = np.random.default_rng(1)
    x = rng.poisson(np.where(steps <= 2, 12.0, 3.0))
    spots = getis_ord(x, touch, 9999, 0).state(0.05)[0]
    assert (spots[steps <= 1] == 1).all()
    assert (spots[steps > 4] == 1).mean() < 0.02
    found = local_moran(x, touch, 9999, 0)
    inside = (found.q <= 0.05) & (found.quadrant == 1)
    assert inside[steps <= 1].mean() > 0.8
    assert not inside[steps > 4].any()


def test_noise_is_no_hot_spot(grid: tuple[np.ndarray, Matrix]) -> None:
    """Skewed counts, where a normal approximation raises alarms: any alarm in at most the nominal share of surfaces."""
    steps, touch = grid
    rng = np.random.default_rng(2)
    alarms = [0, 0]
    for seed in range(60):
        x = rng.negative_binomial(0.3, 0.1, len(steps))
        alarms[0] += bool(getis_ord(x, touch, 9999, seed).state(0.05).any())
        alarms[1] += bool((local_moran(x, touch, 1999, seed).q <= 0.05).any())
    assert max(alarms) <= 3 + 3 * np.sqrt(60 * 0.05 * 0.95)


def test_mann_kendall_against_scipy_and_under_the_null() -> None:
    from scipy.stats import kendalltau

    rng = np.random.default_rng(3)
    series = rng.integers(0, 5, (12, 30)).astype(float)
    found = mann_kendall(series)
    for cell in range(30):
        tau_b = kendalltau(np.arange(12), series[:, cell], method="asymptotic")
        assert np.sign(tau_b.statistic) == np.sign(found.tau[cell])
    rising = mann_kendall(np.arange(10.0)[:, None])
    assert rising.tau[0] == 1
    assert rising.z[0] == pytest.approx((45 - 1) / np.sqrt(125))  # Var S = 10 · 9 · 25 / 18
    null = mann_kendall(rng.normal(size=(12, 4000))).p
    assert (null <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize(
    ("hot", "z", "name"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], None, "new"),
        ([0, 0, 0, 0, 0, 0, 0, 1, 1, 1], None, "consecutive"),
        ([0, 1, 0, 0, 1, 0, 0, 1, 0, 1], None, "sporadic"),
        ([-1, -1, 0, 0, 1, 0, 0, 1, 0, 1], None, "oscillating"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 0], None, "historical"),
        ([1] * 10, [5, 6, 5, 6, 5, 6, 5, 6, 5, 6], "persistent"),
        ([1] * 10, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "intensifying"),
        ([1] * 10, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3], "diminishing"),
        ([0, 1, 1, 1, 0, 0, 0, 0, 0, 0], None, "none"),
    ],
)
def test_classes_of_the_definition(hot: list[int], z: list[float] | None, name: str) -> None:
    state = np.array(hot)[:, None]
    score = np.array(z, float)[:, None] if z else np.array([0.1, -0.1] * 5)[:, None] + 3 * state
    q = np.where(state != 0, 0.001, 1.0)
    found = emerging(HotSpots(score, q, q), 0.05)
    assert found.hot[0] == name
    mirrored = emerging(HotSpots(-score, q, q), 0.05)
    assert mirrored.cold[0] == name


def test_a_spot_that_appears_is_new_or_consecutive(grid: tuple[np.ndarray, Matrix]) -> None:
    steps, touch = grid
    rng = np.random.default_rng(4)
    counts = rng.poisson(3.0, (8, len(steps)))
    counts[-3:, steps <= 1] += 14
    found = emerging(getis_ord(counts, touch, 99_999, 0), 0.05)
    assert (found.hot[steps == 0] == "consecutive").all()
    assert np.isin(found.hot[steps > 3], ["none", "new", "sporadic"]).all()
    assert (found.hot[steps > 3] == "none").mean() > 0.97


def test_local_moran_holds_no_more_draws_than_it_needs() -> None:
    """All orders of 1,000 cells would be 64 MB."""
    n = 1000
    ring = sparse.csr_array(sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(n, n)))
    x = np.random.default_rng(0).normal(size=n)
    tracemalloc.start()
    local_moran(x, ring, 8000, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_a_planted_hot_spot_that_grows_is_told_as_growing_and_the_rest_as_nothing(
    grid: tuple[np.ndarray, Matrix],
) -> None:
    steps, touch = grid
    rng = np.random.default_rng(5)
    rate = np.where(steps <= 2, np.linspace(10, 40, 12)[:, None], 3.0)
    found = emerging(getis_ord(np.log1p(rng.poisson(rate)), touch, 9999, 0), 0.05)
    assert (found.hot[steps <= 1] == "intensifying").all()
    assert (found.hot[steps > 4] == "none").mean() > 0.97
    assert (found.cold[steps <= 2] == "none").all()
    calm = emerging(getis_ord(np.log1p(rng.poisson(3.0, rate.shape)), touch, 9999, 0), 0.05)
    assert (calm.hot == "none").all()

"""Chance: draws follow their weights, and hashes their keys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from components.events.simulator import rules
from components.events.simulator.city import build_city
from components.events.simulator.draw import BELOW_ONE, choose, flatten_rows, generator, pick, uniform
from components.events.simulator.places import PlaceTable
from tests.city import SEED, small_city

N = 40_000


def test_choose_follows_its_weights_and_never_takes_nothing() -> None:
    weight = np.array([0.0, 2.0, 0.0, 1.0, 3.0, 0.0])
    table = np.repeat(weight[:, None], N, axis=1)
    chosen = np.bincount(choose(table, generator(1, "test").random(N)), minlength=6)
    assert chosen[weight == 0].sum() == 0
    assert chisquare(chosen[weight > 0], N * weight[weight > 0] / 6).pvalue > 1e-3
    assert choose(table[:, :2], np.array([0.0, 1.0])).tolist() == [1, 4]


def test_pick_follows_each_row() -> None:
    weight = np.array([[1.0, 0.0, 3.0], [0.0, 5.0, 0.0], [2.0, 2.0, 0.0]])
    table, row = flatten_rows(weight), np.repeat([0, 1, 2], N)
    column = pick(table, row, generator(2, "test").random(3 * N)) - row * 3
    for one in range(3):
        found = np.bincount(column[row == one], minlength=3)
        some = weight[one] > 0
        assert found[~some].sum() == 0
        expected = N * weight[one][some] / weight[one].sum()
        assert found[some] == pytest.approx(expected, abs=4 * np.sqrt(N) / 2)
    edge = pick(table, np.arange(3), np.array([BELOW_ONE, 1.0, 1.0])) - np.arange(3) * 3
    assert edge.tolist() == [2, 1, 1]


def test_place_table_draws_what_it_says() -> None:
    city = build_city(small_city(items=120), SEED)
    weight = city.weight * (np.arange(120) % 3 > 0)
    table = PlaceTable(city.category, city.zone, weight, city.order)
    rng = generator(3, "test")
    for category in (0, rules.NAMES.index("cafe")):
        for zone in (9, 40):
            shown = table.chance()[zone] * (city.category == category)
            assert shown.sum() == pytest.approx(1.0)
            drawn = table.draw(np.full(N, category), np.full(N, zone), rng.random(N), rng.random(N))
            found = np.bincount(drawn, minlength=120)
            assert found[shown == 0].sum() == 0
            often = shown * N > 5
            rest = N - found[often].sum(), N - shown[often].sum() * N
            observed, expected = [*found[often], rest[0]], [*(shown[often] * N), max(rest[1], 1e-9)]
            keep = np.array(expected) > 1
            scale = np.array(observed)[keep].sum() / np.array(expected)[keep].sum()
            assert chisquare(np.array(observed)[keep], np.array(expected)[keep] * scale).pvalue > 1e-3


def test_uniform_is_uniform_and_depends_on_every_key() -> None:
    u = uniform(5, "a", np.arange(N), 3)
    assert chisquare(np.histogram(u, 50, (0, 1))[0]).pvalue > 1e-3
    for other in (uniform(6, "a", np.arange(N), 3), uniform(5, "b", np.arange(N), 3), uniform(5, "a", np.arange(N), 4)):
        assert abs(np.corrcoef(u, other)[0, 1]) < 0.03
    assert uniform(5, "a", 17, 3)[0] == u[17]
    assert uniform(5, "a", np.array([-4])).shape == (1,)

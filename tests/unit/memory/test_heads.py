"""Action, time and place: counts behind them, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from components.memory.actions import ActionCounts
from components.memory.ask import Ask, Events
from components.memory.cells import CellCounts
from components.memory.gaps import GapCounts, fit_components
from tests.unit.memory.logs import HOUR_S, asking, store_of


def test_actions_four_ways() -> None:
    store = store_of([(0, 2, 0), (0, 3, 1), (0, 2, 2), (1, 2, 0)])
    store.columns["action"][:] = [2, 3, 2, 4]
    counts = ActionCounts(5, prior=1.0)
    counts.update(Events(store, np.arange(4)), 1.0)
    everybody, after, own, own_after = counts.parts(Ask(asking(store), 500))[:, 0]
    shared = np.array([0, 0, 3, 2, 2]) / 7
    assert everybody == pytest.approx(shared)
    follow = (np.array([0, 0, 0, 1, 0]) + shared) / 2
    assert after == pytest.approx(follow)
    assert own == pytest.approx((np.array([0, 0, 2, 1, 0]) + shared) / 4)
    assert own_after == pytest.approx((np.array([0, 0, 0, 1, 0]) + follow) / 2)


def test_components_of_pauses_find_two_humps() -> None:
    rng = np.random.default_rng(0)
    log_gap = np.concatenate([rng.normal(4, 0.5, 3000), rng.normal(11, 0.5, 3000)])
    mean, sigma = fit_components(log_gap)
    assert len(mean) == len(sigma) == 8
    assert (np.diff(mean) >= 0).all()
    assert (np.abs(mean - 4) < 1.5).any()
    assert (np.abs(mean - 11) < 1.5).any()
    assert not ((mean > 6) & (mean < 9) & (sigma < 1)).any()


def test_pauses_of_a_user_outweigh_everybodys() -> None:
    hourly = [(0, 2, float(h)) for h in range(20)]
    monthly = [(1, 2, 720.0 * k) for k in range(20)]
    store = store_of(hourly + monthly)
    gaps = GapCounts(np.log1p([HOUR_S, 720.0 * HOUR_S]), np.array([0.3, 0.3]), prior=1.0)
    gaps.update(Events(store, np.arange(40)), 1.0)
    ask = Ask(asking(store, user=0), 500)
    everybody, after, own = gaps.parts(ask)[:, 0]
    assert everybody == pytest.approx([0.5, 0.5])
    assert after[0] > 0.95
    assert own[0] > 0.99
    density = gaps.density(gaps.parts(ask), np.array([HOUR_S]))[0]
    assert density[2] > density[1] > density[0]


def test_a_first_event_has_no_pause() -> None:
    store = store_of([(0, 2, 0)])
    gaps = GapCounts(np.array([5.0, 10.0]), np.array([1.0, 1.0]), prior=1.0)
    gaps.update(Events(store, np.arange(1)), 1.0)
    assert gaps.count.tolist() == [0, 0]
    assert gaps.parts(Ask(asking(store, user=1), 500)) == pytest.approx(np.full((3, 1, 2), 0.5))


def test_cells_four_ways() -> None:
    store = store_of([(0, 2, 0), (0, 2, 1), (0, 3, 2), (1, 3, 0)])
    store.columns["cell_8"][:] = [2, 2, 3, 4]
    cells = CellCounts("cell_8", 6, 5, max_pairs=10, prior=1.0)
    cells.update(Events(store, np.arange(4)), 1.0)
    item = np.array([[0, 0, 0.5, 0.5, 0, 0]])
    through, own, stay, everybody = cells.parts(Ask(asking(store), 500), item)[:, 0]
    shared = np.array([0, 0, 3, 2, 2]) / 7
    assert everybody == pytest.approx(shared)
    two = (np.array([0, 0, 2, 0, 0]) + shared) / 3
    three = (np.array([0, 0, 0, 1, 1]) + shared) / 3
    assert through == pytest.approx(0.5 * two + 0.5 * three)
    assert own == pytest.approx((np.array([0, 0, 2, 1, 0]) + shared) / 4)
    assert stay == pytest.approx((np.array([0, 0, 0, 1, 0]) + shared) / 2)

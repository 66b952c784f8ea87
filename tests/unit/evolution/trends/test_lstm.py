"""The global LSTM: learns a cycle that no baseline repeats, from the past alone, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from components.errors import ConfigError, TrainingError
from components.evolution.trends.accuracy import crps, mase, scale_of
from components.evolution.trends.lstm import LstmConfig, pinball, scaled
from components.evolution.trends.lstm_fit import as_method, fit_lstm
from components.evolution.trends.panel import Panel, panel_of
from components.evolution.trends.simple import seasonal_naive

SMALL = LstmConfig(
    patch=7,
    lookback=28,
    hidden=16,
    layers=1,
    dropout=0.1,
    rounds=300,
    batch=64,
    rate=5e-3,
    decay=1e-2,
    levels=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    members=1,
    recent=None,
)


def brief(rounds: int) -> LstmConfig:
    return SMALL.model_copy(update={"rounds": rounds})


def days(n: int = 12, steps: int = 200, seed: int = 0) -> Panel:
    """Counts with a week, a memory, and sizes over two orders of magnitude."""
    rng = np.random.default_rng(seed)
    week = 1 + 0.5 * np.sin(2 * np.pi * np.arange(steps) / 7)
    series = []
    for _ in range(n):
        size = np.exp(rng.uniform(2, 6))
        series.append(rng.poisson(size * week * np.exp(0.1 * rng.normal(size=steps))).astype(float))
    return panel_of(series, (7,), [str(one) for one in range(n)])


def test_better_than_the_last_week_with_honest_quantiles() -> None:
    panel = days(30)
    known, actual = panel.until(7), panel.after(7, 7)
    model = fit_lstm(known, 7, SMALL, seed=0)
    scale, quantiles = scale_of(known), model.quantiles(known)
    assert mase(actual, model.point(known), scale).mean() < 0.9 * mase(actual, seasonal_naive(known, 7), scale).mean()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert quantiles.min() >= 0
    inside = (actual >= quantiles[:, :, 0]) & (actual <= quantiles[:, :, -1])
    assert 0.65 < inside.mean() < 0.92
    levels = np.asarray(SMALL.levels)
    point = np.repeat(model.point(known)[:, :, None], 9, axis=2)
    assert (crps(actual, quantiles, levels) / scale).mean() < (crps(actual, point, levels) / scale).mean()


def test_the_same_seed_gives_the_same_network() -> None:
    panel, short = days(4), brief(20)
    points = []
    for seed, before in ((1, 10), (1, 11), (2, 10)):
        torch.manual_seed(before)
        points.append(fit_lstm(panel, 7, short, seed).point(panel))
    one, two, other = points
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_training_leaves_the_generator_of_others_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fit_lstm(days(2), 7, brief(2), 0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_window_alone_decides_the_answer() -> None:
    panel = days(4)
    answer = as_method(fit_lstm(panel.until(14), 7, brief(20), 0))
    older = Panel(panel.values.copy(), panel.keys, panel.seasons)
    older.values[:, :-28] = 1.0  # what the window does not hold
    assert answer(older, 5) == pytest.approx(answer(panel, 5))
    assert answer(panel, 5).shape == (4, 5)
    with pytest.raises(ConfigError, match="at most 7"):
        answer(panel, 8)


def test_answers_grow_with_the_unit() -> None:
    panel = days(4)
    model = fit_lstm(panel, 7, brief(20), 0)
    larger = Panel(1000 * panel.values, panel.keys, panel.seasons)
    assert model.point(larger) == pytest.approx(1000 * model.point(panel), rel=1e-3)


def test_scaling_takes_the_season_away_and_gives_it_back() -> None:
    steps = np.arange(28 + 7)
    exact = torch.tensor(100 + 10 * np.sin(2 * np.pi * steps / 7), dtype=torch.float32)[None]
    read = scaled(exact[:, :28], 7, (7,))
    assert read.window.abs().max() < 1e-3
    assert read.back(torch.zeros(1, 7, 1))[..., 0].numpy() == pytest.approx(exact[:, 28:].numpy(), abs=1e-2)
    flat = scaled(torch.zeros(2, 28), 7, (7,))
    assert torch.isfinite(flat.window).all()


def test_holidays_are_learned() -> None:
    rng = np.random.default_rng(0)
    free = rng.random(400) < 0.15
    series = [20 * size + 10 * size * free[:393] + rng.normal(0, size, 393) for size in (1, 3, 9)]
    panel = panel_of(series, (7,), list("abc"))
    regressors = free[:, None].astype(float)
    model = fit_lstm(panel, 7, SMALL, 0, regressors)
    calm, busy = np.zeros_like(regressors), np.ones_like(regressors)
    lift = (model.point(panel, busy) - model.point(panel, calm)) / np.array([[1.0], [3.0], [9.0]])
    assert lift.mean() == pytest.approx(10, abs=4)


def test_pinball_is_least_at_the_quantile() -> None:
    target = torch.linspace(0, 1, 1001)[:, None]
    loss = [pinball(torch.full((1001, 1, 1), at), target, torch.tensor([0.9])).item() for at in (0.8, 0.9, 0.97)]
    assert loss[1] == min(loss)


def test_what_cannot_be_trained() -> None:
    with pytest.raises(ConfigError, match="whole patches"):
        fit_lstm(days(2), 7, SMALL.model_copy(update={"lookback": 30}), 0)
    with pytest.raises(TrainingError, match="a series of 15 steps"):
        fit_lstm(days(2, steps=12), 7, SMALL, 0)
    assert np.isfinite(fit_lstm(days(2, steps=20), 7, brief(2), 0).point(days(2, steps=20))).all()

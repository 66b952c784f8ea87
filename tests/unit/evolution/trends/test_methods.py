"""Forecasters by name: against closed forms and other implementations, and what they do where they have no answer."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from components.errors import ConfigError
from components.evolution.trends.arima import ar
from components.evolution.trends.each import each, sane
from components.evolution.trends.intermittent import sparse
from components.evolution.trends.methods import METHODS, completed, forecast, method_of, usual_candidates
from components.evolution.trends.mstl import decompose
from components.evolution.trends.panel import Panel, panel_of

RNG = np.random.default_rng(0)
DAYS = np.arange(24 * 21)
SEASONAL = 50 + 10 * np.sin(2 * np.pi * DAYS / 24) + 5 * (DAYS // 24 % 7 >= 5)


def hours(*series: np.ndarray) -> Panel:
    return panel_of(list(series), (24, 168), [str(one) for one in range(len(series))])


@pytest.mark.parametrize("lags", [(1,), (1, 2, 3), (1, 7)])
def test_ar_is_that_of_statsmodels(lags: tuple[int, ...]) -> None:
    y = [np.cumsum(RNG.normal(size=200)) * 0.1 + RNG.normal(5, 1, 200), RNG.normal(100, 20, 120)]
    found = ar(panel_of(y, (1,), ["a", "b"]), 5, lags)
    for row, series in enumerate(y):
        other = AutoReg(series, lags=list(lags), trend="c").fit().forecast(5)
        assert found[row] == pytest.approx(other, rel=1e-3)


def test_ar_continues_a_recurrence() -> None:
    y = [1.0, 1.5]
    for _ in range(40):
        y.append(0.6 * y[-1] - 0.3 * y[-2] + 1.0)
    path = ar(panel_of([y], (1,), ["a"]), 2, (1, 2))[0]
    assert path[0] == pytest.approx(0.6 * y[-1] - 0.3 * y[-2] + 1.0, rel=1e-4)


def test_ar_says_nothing_of_short_series() -> None:
    found = ar(panel_of([[1.0, 2.0, 3.0, 4.0], np.arange(50.0)], (1,), ["a", "b"]), 2, (1, 2))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
    assert np.isnan(ar(panel_of([[1.0, 2.0]], (1,), ["a"]), 2, (7,))).all()


@pytest.mark.parametrize("name", [*METHODS, "ar(1,24)", "ma(1)", "arma(1,1)", "arima(0,1,1)", "mstl:theta"])
def test_every_method_answers(name: str) -> None:
    panel = hours(SEASONAL + RNG.normal(0, 1, len(DAYS)), RNG.poisson(3.0, 200).astype(float))
    found = forecast(name, panel, 30)
    assert found.point.shape == (2, 30)
    assert np.isfinite(found.point).all()
    assert (found.point >= 0).all()


@pytest.mark.parametrize("name", list(METHODS))
def test_short_and_constant_series_have_a_forecast(name: str) -> None:
    found = forecast(name, panel_of([[3.0, 3.0, 3.0], [0.0] * 40, [4.0]], (7,), ["a", "b", "c"]), 3)
    assert np.isfinite(found.point).all()
    assert found.point[2] == pytest.approx([4.0] * 3, rel=0.06)  # SBA takes half its weight of 10 % off


@pytest.mark.parametrize("name", ["mstl:naive", "mstl:ar(1,2,24)", "seasonal_mean"])
def test_two_cycles_are_found(name: str) -> None:
    panel = hours(SEASONAL)
    after = np.arange(len(DAYS), len(DAYS) + 48)
    true = 50 + 10 * np.sin(2 * np.pi * after / 24) + 5 * (after // 24 % 7 >= 5)
    assert np.abs(forecast(name, panel, 48).point[0] - true).mean() < 0.6
    assert np.abs(forecast("naive", panel, 48).point[0] - true).mean() > 4


def test_parts_add_up() -> None:
    panel = hours(SEASONAL + RNG.normal(0, 1, len(DAYS)), RNG.normal(5, 1, 30))
    parts = decompose(panel)
    whole = parts.trend + parts.seasonal.sum(1) + parts.remainder
    assert whole == pytest.approx(panel.values, nan_ok=True)
    assert decompose(panel) is parts  # made once for all models of the trend


def test_no_method_sees_what_is_not_there() -> None:
    """A later change of the series changes no forecast made before."""
    y = SEASONAL + RNG.normal(0, 1, len(DAYS))
    other = y.copy()
    other[-48:] += 1000
    for name in ("seasonal_naive", "ar(1,24,168)", "mstl:damped", "ces"):
        one, two = (forecast(name, hours(series).until(48), 48).point for series in (y, other))
        assert np.array_equal(one, two), name


def test_counts_are_not_below_zero() -> None:
    panel = panel_of([[9.0, 6.0, 3.0], [9.0, -6.0, 3.0]], (1,), ["a", "b"])
    assert completed(panel, np.array([[-1.0], [-1.0]])).point.tolist() == [[0.0], [-1.0]]
    lost = completed(panel, np.array([[np.nan], [2.0]]))
    assert (lost.point.tolist(), lost.filled.tolist()) == ([[3.0], [2.0]], [True, False])


def test_runaways_and_failures_are_no_forecasts() -> None:
    class Broken:
        def forecast(self, y: np.ndarray, h: int) -> dict[str, np.ndarray]:
            if len(y) < 4:
                raise ValueError("too short")
            return {"mean": np.full(h, 1e9)}

    panel = panel_of([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]], (1,), ["a", "b"])
    assert np.isnan(each(panel, 2, Broken)).all()
    assert sane(panel, np.array([[2.0], [5.0]])).tolist() == [[2.0], [5.0]]


def test_usual_candidates_fit_the_panel() -> None:
    names = usual_candidates(hours(SEASONAL))
    assert "ar(1,2,23,24,25,167,168,169)" in names
    assert "tsb" not in names
    rare = usual_candidates(panel_of([np.eye(1, 20)[0]], (7,), ["a"]))
    assert {"ar(1,2,6,7,8)", "tsb", "mstl:theta"} <= set(rare)
    assert "mstl:theta" not in usual_candidates(panel_of([[1.0, 2.0]], (7,), ["a"]))
    for name in (*names, *rare):
        method_of(name)


def test_tsb_falls_when_nothing_happens_any_more() -> None:
    y = np.array([5.0, 0.0, 4.0, 0.0, 6.0, 0.0] * 5 + [0.0] * 60)
    panel = panel_of([y, np.ones(90)], (1,), ["a", "b"])
    assert sparse(panel).tolist() == [True, False]
    assert forecast("tsb", panel, 1).point[0, 0] < 0.2 < forecast("croston", panel, 1).point[0, 0]
    regular = panel_of([np.array([5.0, 0.0, 4.0, 0.0, 6.0, 0.0] * 5)], (1,), ["a"])
    assert forecast("sba", regular, 1).point[0, 0] < forecast("croston", regular, 1).point[0, 0]


@pytest.mark.parametrize("name", ["arma(1)", "arima(1,1)", "ar(0)", "prophet", "mstl:nothing", "ma(1,2)"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ConfigError, match="a method among"):
        method_of(name)

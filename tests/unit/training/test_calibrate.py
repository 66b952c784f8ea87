"""Temperatures: the best one is found, is kept with the model, and never changes which answer is better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from components.errors import IntegrityError
from components.evaluation.metrics import expected_calibration_error
from components.models.sequence import Answers
from components.training.calibrate import _error, _once, calibrated, checked, fit_temperature
from components.training.network import NetworkPredictor
from tests.networks import HIDDEN, fitted, predictor, queries_of, with_columns
from tests.toy import toy_store


def answered(sharpness: float, n: int = 4_000, K: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities that are `sharpness` times as sure as the truth that drew the targets."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(n, K, generator=generator)
    target = torch.multinomial(torch.softmax(truth, 1), 1, generator=generator)[:, 0]
    return torch.log_softmax(sharpness * truth, 1), target


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_what_is_too_sure_or_too_shy_is_found(sharpness: float) -> None:
    log_p, target = answered(sharpness)
    assert fit_temperature(log_p, target) == pytest.approx(sharpness, rel=0.1)


def test_several_answers_of_one_question_are_several_targets() -> None:
    log_p, target = answered(0.6, 300)
    row = torch.arange(300).repeat_interleave(torch.arange(300) % 3)
    several = target[row].roll(1)
    assert fit_temperature(log_p, several, row) == pytest.approx(fit_temperature(log_p[row], several), rel=1e-5)


def test_a_basket_counts_once_however_many_lines_it_has() -> None:
    """An invoice of 150 lines among a hundred of one line each moves the temperature no more than any other basket."""
    log_p = torch.log_softmax(6.0 * torch.eye(200)[:101], 1)
    one = torch.arange(100) + 7 * (torch.arange(100) % 10 == 9)
    target = torch.cat([one, torch.arange(150)])
    row = torch.cat([torch.arange(100), torch.full((150,), 100)])
    weight = _once(target, row)
    assert float(weight[100:].sum()) == pytest.approx(1)

    def loss(log_t: float) -> float:
        own = torch.log_softmax(log_p.double() / np.exp(log_t), 1)[row, target]
        return -float((own * weight).sum())

    best = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded", options={"xatol": 1e-8})
    assert fit_temperature(log_p, target, row, weight) == pytest.approx(np.exp(best.x), rel=1e-3)
    assert fit_temperature(log_p, target, row) > 1.3 * np.exp(best.x)
    said = np.array([float(log_p[0].max().exp())] * 101)
    hit = np.append(torch.arange(100) % 10 != 9, True)  # the invoice holds what was likeliest
    assert _error(log_p, target, row, 1.0) == pytest.approx(expected_calibration_error(said, hit), abs=1e-6)


def test_baskets_are_weighed_where_temperatures_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def watched(log_p: torch.Tensor, target: torch.Tensor, row: torch.Tensor, weight: torch.Tensor) -> float:
        seen.append(torch.zeros(len(log_p)).index_add_(0, row, weight))
        return 1.0

    monkeypatch.setattr("components.training.calibrate.fit_temperature", watched)
    store = toy_store(n_users=10)
    time_s = np.asarray(store["time_s"]) // (5 * 86_400) * 5 * 86_400  # several lines at one time
    baskets = replace(HIDDEN, ties="basket")
    loop = {"epochs": 1, "calibration": "temperature"}
    fitted(with_columns(store, time_s=time_s), predictor("gru", protocol=baskets, loop=loop))
    assert seen
    for total in seen:
        assert set(total.round(decimals=4).tolist()) <= {0.0, 1.0}


@given(st.floats(0.15, 8.0), st.integers(0, 1_000))
@settings(max_examples=15, deadline=None)
def test_no_other_temperature_is_likelier(sharpness: float, seed: int) -> None:
    log_p, target = answered(sharpness, 200, 5, seed)

    def loss(log_t: float) -> float:
        return float(torch.nn.functional.cross_entropy(log_p.double() / np.exp(log_t), target))

    best = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded", options={"xatol": 1e-8})
    assert loss(np.log(fit_temperature(log_p, target))) <= best.fun + 1e-6


def test_targets_that_cannot_be_named_are_left_out() -> None:
    log_p, target = answered(2.0, 500)
    more = torch.cat([log_p, torch.randn(100, 12).log_softmax(1)])
    assert fit_temperature(more, torch.cat([target, torch.full((100,), -1)])) == fit_temperature(log_p, target)
    assert fit_temperature(log_p, torch.full((500,), -1)) == 1.0


def test_certainty_and_nothing_known_stay_in_range() -> None:
    log_p, _ = answered(1.0, 300)
    assert fit_temperature(log_p, log_p.argmax(1)) == pytest.approx(0.1, rel=1e-3)
    assert fit_temperature(log_p, log_p.argmin(1)) == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("temperature", [0.3, 0.97, 1.8, 9.0])
def test_the_ranking_is_kept(temperature: float) -> None:
    log_p, _ = answered(3.0, 50, 3_000)
    before = Answers(log_p, None, None, None, None, None)
    after = calibrated(before, {"item": temperature}).item
    order = torch.argsort(log_p, dim=1)
    assert bool((after.gather(1, order).diff(dim=1) >= 0).all())
    torch.testing.assert_close(after.exp().sum(1), torch.ones(50))
    assert calibrated(before, {"item": 1.0}) is before


def test_the_predictor_fits_says_and_keeps_it(tmp_path: Path) -> None:
    store = toy_store(n_users=60, pattern="random")  # nothing to learn: a model that learned by heart is too sure
    loop = {"epochs": 10, "patience": 20, "calibration": "temperature", "optimiser": {"learning_rate": 0.03}}
    settings_ = {"dropout": 0.0, "heads": {"item": 1.0, "action": 1.0}}
    one = fitted(store, predictor("gru", loop=loop, **settings_))
    plain = fitted(store, predictor("gru", loop={**loop, "calibration": "none"}, **settings_))
    row = one.curves[-1]
    assert one.temperatures["action"] > 1.0
    assert row["temperature_item"] == one.temperatures["item"]
    assert one.temperatures["item"] > 1.0
    assert {f"ece_{head}_{when}" for head in ("item", "action") for when in ("before", "after")} <= set(row)
    queries = queries_of(store, one, "tune")
    a, b = plain.score(queries), one.score(queries)
    expected = torch.log_softmax(torch.from_numpy(a.item[:, 2:]) / one.temperatures["item"], 1).numpy()
    np.testing.assert_allclose(b.item[:, 2:], expected, rtol=1e-4, atol=1e-5)
    assert not plain.temperatures
    one.save(tmp_path / "m")
    two = NetworkPredictor.load(tmp_path / "m")
    assert two.temperatures == one.temperatures
    np.testing.assert_array_equal(two.score(queries).item, b.item)


@pytest.mark.parametrize("record", [None, [1.0], {"item": 0.0}, {"item": float("nan")}, {"time": 1.0}, {"item": "1"}])
def test_wrong_temperatures_are_refused(record: object) -> None:
    with pytest.raises(IntegrityError):
        checked(record)


def test_only_named_heads_change() -> None:
    log_p, _ = answered(1.0, 4)
    one = calibrated(replace(Answers(log_p, log_p, None, log_p, None, None)), {"action": 2.0})
    assert one.item is log_p
    assert one.place is log_p
    assert one.action is not None
    assert not one.action.equal(log_p)

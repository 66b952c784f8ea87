"""Chances of churn: calibrated on an earlier origin, blind to what comes after, judged by the horizon that follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from components.errors import ConfigError, DataError
from components.evolution.lifecycle.churn import BASE_RATE, calibrated, judge_churn, p_churn
from components.evolution.lifecycle.occasions import Occasions
from components.evolution.lifecycle.purchases import purchases_of
from components.evolution.lifecycle.scorers import SCORERS, active, traits
from tests.unit.evolution.lifecycle.logs import days, simulated

NAMES = [BASE_RATE, *SCORERS]


@pytest.fixture(scope="module")
def log() -> Occasions:
    return simulated(400, 400, seed=5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("calibration", ["isotonic", "platt"])
def test_chances_do_not_see_what_they_are_judged_by(log: Occasions, name: str, calibration: str) -> None:
    moment, horizon = 300, 60
    said = p_churn(log, moment, horizon, name, calibration)  # type: ignore[arg-type]
    known = log.before(moment)
    assert said.shape == (known.n_users,)
    assert ((said >= 0) & (said <= 1)).all()
    assert (said == p_churn(known, moment, horizon, name, calibration)).all()  # type: ignore[arg-type]
    later = replace(log, unit=np.where(log.unit >= moment, log.unit + 1000, log.unit))
    assert (said == p_churn(later, moment, horizon, name, calibration)).all()  # type: ignore[arg-type]


def test_whoever_is_active_within_the_horizon_is() -> None:
    log = days([0, 10], [0, 12], [0, 13], [12])
    assert active(log, 10, 3).tolist() == [True, True, False]


def test_a_score_that_exaggerates_is_put_right() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.6, 4000)
    came = rng.random(4000) < truth
    said = 3 * logit(truth) + 2
    for calibration in ("isotonic", "platt"):
        found = calibrated(said[:2000], came[:2000], said[2000:], calibration)  # type: ignore[arg-type]
        assert np.abs(found - truth[2000:]).mean() < 0.04
        assert np.abs(expit(said[2000:]) - truth[2000:]).mean() > 0.1
        order = np.argsort(said[2000:])
        assert (np.diff(found[order]) >= -1e-12).all()
    assert calibrated(said, np.ones(4000, bool), said[:3], "platt").tolist() == [1, 1, 1]


def test_models_are_ahead_of_saying_the_base_rate(log: Occasions) -> None:
    found = judge_churn(log, log.end - 60, 60, ("pareto_nbd", "logistic"), "platt", 60, 0.95, 0)
    by = {(v.method, v.measure): v.estimate.value for v in found}
    assert {v.method for v in found} == {
        BASE_RATE, "recency", "frequency", "pareto_nbd", "logistic", "pareto_nbd, as said", "logistic, as said",
    }  # fmt: skip
    assert by["pareto_nbd", "brier"] < by["recency", "brier"] < by[BASE_RATE, "brier"]
    assert by["pareto_nbd, as said", "ece"] < 0.06  # the log is drawn from that model
    assert by[BASE_RATE, "auc"] == 0.5
    assert all(v.difference.value == 0 for v in found if v.method == "recency")


def test_traits_are_numbers_for_everyone(log: Occasions) -> None:
    found = traits(purchases_of(log, 300))
    assert list(found) == ["log frequency", "log silence", "log age", "log value"]
    assert all(np.isfinite(column).all() for column in found.values())
    assert "log value" not in traits(purchases_of(replace(log, value=np.full(len(log.unit), np.nan)), 300))


def test_too_short_a_log_is_refused(log: Occasions) -> None:
    with pytest.raises(DataError, match="a log until unit"):
        judge_churn(log, log.end - 59, 60, (), "platt", 50, 0.95, 0)
    with pytest.raises(DataError, match="to calibrate recency by"):
        p_churn(log, 50, 60, "recency", "platt")
    with pytest.raises(DataError, match="to calibrate logistic by"):
        p_churn(log, 110, 60, "logistic", "platt")
    with pytest.raises(ConfigError, match="`luck`"):
        p_churn(log, 300, 60, "luck", "platt")
    with pytest.raises(ConfigError, match="`recency`"):
        p_churn(log, 300, 60, "recency", "none")

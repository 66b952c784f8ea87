"""Customer-base models: published likelihoods, their formulas against integration, and what is hard for floats."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_law
from scipy.stats import gamma as gamma_law

from components.errors import ConfigError, DataError
from components.evolution.lifecycle.bg_nbd import BgNbd
from components.evolution.lifecycle.customer_base import fit_customer_base, judge_customer_base
from components.evolution.lifecycle.gamma_gamma import GammaGamma, dependence, fit_gamma_gamma
from components.evolution.lifecycle.likelihood import maximise
from components.evolution.lifecycle.occasions import occasions_of
from components.evolution.lifecycle.pareto_nbd import ParetoNbd, fit_pareto_nbd
from components.evolution.lifecycle.purchases import Purchases, purchases_of
from tests.unit.evolution.lifecycle.logs import CDNOW_MOMENT, cdnow, simulated


def users(*rows: tuple[float, float, float]) -> Purchases:
    x, t_x, whole = (np.array(column, float) for column in zip(*rows, strict=True))
    return Purchases(x, t_x, whole, np.zeros_like(x), np.full_like(x, np.nan))


SOME = users((0, 0, 30), (1, 2, 30), (3, 29, 30), (8, 12, 38.9), (0, 0, 0))
BG = [BgNbd(0.24, 4.4, 0.79, 2.43), BgNbd(1.5, 9.0, 2.2, 1.1)]
PARETO = [ParetoNbd(0.55, 10.6, 0.61, 11.7), ParetoNbd(1.2, 30.0, 1.4, 5.0), ParetoNbd(0.5, 7.0, 0.6, 7.0)]


@pytest.mark.real_data
def test_cdnow_is_fitted_as_published(real_data: Path) -> None:
    log = occasions_of(cdnow(real_data))
    base = fit_customer_base(log, CDNOW_MOMENT, units=7)
    bg, pareto, value = base.counts["bg_nbd"], base.counts["pareto_nbd"], base.value
    # Fader, Hardie, Lee (2005), table 2
    assert bg.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert astuple(bg.model) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert pareto.log_likelihood == pytest.approx(-9595.0, abs=0.05)
    assert astuple(pareto.model) == pytest.approx((0.553, 10.578, 0.606, 11.669), abs=6e-3)
    # Fader, Hardie (2013), The gamma-gamma model of monetary value
    assert value is not None
    assert astuple(value.model) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert value.n == 946
    judged = judge_customer_base(log, CDNOW_MOMENT, 273, draws=50, confidence=0.95, seed=0)
    total = {v.method: v.estimate.value for v in judged["occasions"] if v.measure == "total_error"}
    assert abs(total["bg_nbd"]) < 0.13
    assert abs(total["pareto_nbd"]) < 0.13
    assert total["own_rate"] > 0.5
    auc = {v.method: v.estimate.value for v in judged["comes_again"]}
    assert min(auc["bg_nbd"], auc["pareto_nbd"]) > 0.77
    assert auc["bg_nbd"] > auc["recency"] > auc["frequency"]


@pytest.mark.parametrize("model", BG)
def test_bg_nbd_is_the_mean_over_rates_and_chances_of_leaving(model: BgNbd) -> None:
    """Of equation 3 of the paper, by the moments of gamma and beta laws as products."""
    r, alpha, a, b = astuple(model)
    for k, (x, t_x, whole) in enumerate(zip(SOME.x, SOME.t_x, SOME.T, strict=True)):
        times = range(int(x))
        rate = np.prod([r + i for i in times]) * alpha**r  # E[λ^x e^(-λy)] is this times (α+y)^-(r+x)
        stays = np.prod([(b + i) / (a + b + i) for i in times])  # E[(1-p)^x]
        wanted = stays * rate * (alpha + whole) ** -(r + x)
        if x:
            leaves = a / (a + b) * np.prod([(b + i) / (a + b + 1 + i) for i in times[:-1]])  # E[p(1-p)^(x-1)]
            wanted += leaves * rate * (alpha + t_x) ** -(r + x)
        assert np.exp(model.log_likelihood(SOME)[k]) == pytest.approx(wanted, rel=1e-10)
        assert model.p_alive(SOME)[k] == pytest.approx(stays * rate * (alpha + whole) ** -(r + x) / wanted, rel=1e-10)


@pytest.mark.parametrize("model", [*BG, BgNbd(0.6, 12.0, 1.0, 1.7)])
def test_bg_nbd_expects_what_a_posterior_does(model: BgNbd) -> None:
    """Alive at T, the rate is Gamma(r+x, α+T), the chance of leaving Beta(a, b+x); given both, (1-e^(-λpt))/p come."""
    for k, (x, whole) in enumerate(zip(SOME.x, SOME.T, strict=True)):
        leave_law = beta_law(model.a, model.b + x)

        def come(p: float, x: float = x, whole: float = whole, law=leave_law) -> float:  # type: ignore[no-untyped-def]
            rest = 1 + p * 20 / (model.alpha + whole)
            return (1 - rest ** -(model.r + x)) / p * law.pdf(p)

        wanted, _ = quad(come, 0, 1, limit=200)
        assert model.expected(SOME, 20)[k] == pytest.approx(wanted * model.p_alive(SOME)[k], rel=1e-5)


def test_bg_nbd_never_loses_who_came_once() -> None:
    assert BG[0].p_alive(SOME)[[0, 4]].tolist() == [1, 1]
    assert BG[0].p_active(SOME, 39)[0] < BG[0].p_active(SOME, 39)[2]


@pytest.mark.parametrize("model", PARETO)
def test_pareto_nbd_is_its_integral(model: ParetoNbd) -> None:
    """Of the time of leaving, given the rate's law: elementary under the integral."""
    r, alpha, s, beta = astuple(model)
    for k, (x, t_x, whole) in enumerate(zip(SOME.x, SOME.t_x, SOME.T, strict=True)):
        rate = np.prod([r + i for i in range(int(x))]) * alpha**r  # Γ(r+x)/Γ(r) α^r
        left, _ = quad(
            lambda y, x=x, rate=rate: s * beta**s * (beta + y) ** -(s + 1) * rate * (alpha + y) ** -(r + x), t_x, whole
        )
        alive = (beta / (beta + whole)) ** s * rate * (alpha + whole) ** -(r + x)
        assert np.exp(model.log_likelihood(SOME)[k]) == pytest.approx(alive + left, rel=1e-7)
        assert model.p_alive(SOME)[k] == pytest.approx(alive / (alive + left), rel=1e-7)


@pytest.mark.parametrize("model", [*BG, *PARETO])
def test_chances_and_expectations_agree(model: BgNbd | ParetoNbd) -> None:
    none, short, long, ever = (model.p_active(SOME, horizon) for horizon in (0, 1e-6, 50, 1e12))
    assert none == pytest.approx(0, abs=1e-12)
    assert (short < long).all()
    assert (long < ever).all()
    assert (ever <= model.p_alive(SOME) + 1e-9).all()
    assert short == pytest.approx(model.expected(SOME, 1e-6), rel=1e-3)  # two cannot come in no time
    assert (model.expected(SOME, 50) >= long).all()
    assert model.expected(SOME, 0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("model", [BG[0], PARETO[0], ParetoNbd(2.3, 7.5, 160.0, 7e4)])
def test_heavy_users_and_long_times_stay_finite(model: BgNbd | ParetoNbd) -> None:
    heavy = users((5000, 900, 1000), (20_000, 1e5, 1e5), (3, 1e-9, 1e7), (0, 0, 1e7))
    with np.errstate(all="raise", under="ignore", divide="ignore"):
        assert np.isfinite(model.log_likelihood(heavy)).all()
        assert ((model.p_alive(heavy) >= 0) & (model.p_alive(heavy) <= 1)).all()
        assert np.isfinite(model.expected(heavy, 365)).all()
    # who came 5,000 times in 900 days and not for 100 is gone; who came to the last day comes on
    assert model.p_alive(heavy)[0] < 1e-9
    assert model.expected(heavy, 10)[1] == pytest.approx(2.0, rel=0.02)


def test_pareto_is_regular_where_its_formula_is_not() -> None:
    for s in (1 - 1e-9, 1.0, 1 + 1e-9):
        near = [ParetoNbd(0.5, 9.0, s + d, 12.0).expected(SOME, 30) for d in (-1e-4, 0, 1e-4)]
        assert near[1] == pytest.approx((near[0] + near[2]) / 2, rel=1e-6)


@pytest.mark.parametrize(("fit", "truth"), [(fit_pareto_nbd, (0.8, 15, 0.8, 60))])
def test_what_was_drawn_is_found_within_its_interval(fit, truth) -> None:  # type: ignore[no-untyped-def]
    found = fit(purchases_of(simulated(1500, 500, seed=1), 500))
    low, high = found.interval(0.999)
    assert (low < truth).all()
    assert (truth < high).all()
    assert (found.standard_error < 0.5 * found.values).all()


@dataclass(frozen=True)
class Exponential:
    rate: float


def test_standard_errors_are_those_of_theory() -> None:
    waits = np.random.default_rng(0).exponential(0.2, 400)
    found = maximise(Exponential, lambda m: np.log(m.rate) - m.rate * waits, np.ones(400), [[1.0]])
    assert found.model.rate == pytest.approx(1 / waits.mean(), rel=1e-4)
    assert found.standard_error[0] == pytest.approx(found.model.rate / 20, rel=1e-3)  # rate/√n
    low, high = found.interval(0.95)
    assert np.log(high / low)[0] == pytest.approx(2 * 1.96 / 20, rel=1e-3)


def test_gamma_gamma_is_its_integral_and_pulls_to_the_mean() -> None:
    model = GammaGamma(6.25, 3.74, 15.44)
    known = Purchases(*(np.array(c, float) for c in ([2, 9, 0], [1, 1, 0], [2, 2, 2], [2, 9, 0], [50, 50, np.nan])))
    for k in range(2):
        n, mean = known.valued[k], known.mean_value[k]
        # a mean of n Gamma(p, ν) is Gamma(pn, νn), and ν is Gamma(q, γ)
        law = gamma_law(model.q, scale=1 / model.gamma)
        wanted, _ = quad(
            lambda v, n=n, m=mean, law=law: gamma_law(model.p * n, scale=1 / (v * n)).pdf(m) * law.pdf(v), 0, 5
        )
        only = Purchases(*(column[k : k + 1] for column in astuple(known)))
        assert np.exp(model.log_likelihood(only)[0]) == pytest.approx(wanted, rel=1e-6)
    two, nine, none = model.expected_value(known)
    assert none == pytest.approx(6.25 * 15.44 / 2.74)
    assert none < two < nine < 50
    assert np.isnan(GammaGamma(6.0, 0.9, 15.0).expected_value(known)[2])


def test_values_that_go_with_frequency_are_told() -> None:
    log = purchases_of(simulated(400, 400, seed=2), 400)
    assert abs(dependence(log)) < 0.15
    more = np.where(log.valued > 0, 10 * np.maximum(log.valued, 1), np.nan)
    assert dependence(Purchases(log.x, log.t_x, log.T, log.valued, more)) == pytest.approx(1)
    with pytest.raises(DataError, match="positive value"):
        fit_gamma_gamma(SOME)


def test_the_base_is_judged_after_its_moment_alone() -> None:
    log = simulated(300, 400, seed=4)
    base = fit_customer_base(log, 300)
    assert len(base.purchases) == log.before(300).n_users
    table = base.users("pareto_nbd", 90)
    assert table["expected_value"].to_numpy() == pytest.approx(
        table["expected_occasions"].to_numpy() * table["value_per_occasion"].to_numpy()
    )
    judged = judge_customer_base(log, 300, log.end - 300, draws=50, confidence=0.95, seed=0)
    by = {(v.method, v.measure): v for v in judged["occasions"]}
    assert by["always_none", "total_error"].estimate.value == -1
    assert by["pareto_nbd", "rmse"].difference.high < 0
    assert {v.method for v in judged["value"]} == {"own_rate", "as_last_time", "always_none", "bg_nbd", "pareto_nbd"}
    with pytest.raises(DataError, match="a log until unit"):
        judge_customer_base(log, 300, log.end - 299, 50, 0.95, 0)
    with pytest.raises(ConfigError, match="`nbd`"):
        base.users("nbd", 90)


def test_a_parameter_that_runs_away_has_no_error_and_the_others_do() -> None:
    """Users who never leave: how long they stay cannot be told, how often they come can."""
    rng = np.random.default_rng(0)
    rate, whole = rng.gamma(2.0, 1 / 20, 800), np.full(800, 200.0)
    x = rng.poisson(rate * whole).astype(float)
    last = np.where(x > 0, whole * rng.beta(np.maximum(x, 1), 1), 0.0)  # the latest of x uniform times
    found = fit_pareto_nbd(Purchases(x, last, whole, np.zeros(800), np.zeros(800)))
    assert found.model.r == pytest.approx(2.0, rel=0.15)
    assert found.model.s / found.model.beta < 1e-4  # deaths a day
    assert np.isfinite(found.standard_error[:2]).all()
    assert not np.isfinite(found.standard_error[2:]).all()

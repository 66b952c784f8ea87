"""The compiled numbers of an answer's time are those of the distribution, whatever the mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.predictor import TimeDistribution
from components.serving.next_time import next_time

SECONDS = {"1h": 3_600.0, "1d": 86_400.0, "7d": 604_800.0}


@st.composite
def mixtures(draw: st.DrawFn) -> TimeDistribution:
    size = draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = rng.dirichlet(np.full(size, draw(st.sampled_from([0.02, 1.0]))))
    if size > 1 and draw(st.booleans()):
        without = np.where(np.arange(size) == rng.integers(size), 0.0, weight)
        weight = without if without.sum() > 0 else weight  # else it was the only one that had any
    weight /= weight.sum()
    mean, sigma = rng.uniform(-2, 18, size), np.exp(rng.uniform(-4, 2, size))
    return TimeDistribution(*(one[None].astype(np.float32) for one in (weight, mean, sigma)))


@settings(deadline=None)  # the first call compiles
@given(mixtures(), st.sampled_from([0.0, 60.0, 86_400.0, 3e7]))
def test_every_number_is_that_of_the_distribution(time: TimeDistribution, silence_s: float) -> None:
    found, after = next_time(time, silence_s), np.array([silence_s])
    for name, p in {"p10": 0.1, "p50": 0.5, "p90": 0.9}.items():
        x = np.log1p(found.quantiles_s[name])
        if x > 0:  # below a second of nothing both are cut at 0; between components far apart any place is a quantile
            assert time.cdf(np.expm1(np.array([x - 1e-6])))[0] <= p * np.sum(time.weight) + 1e-6
            assert time.cdf(np.expm1(np.array([x + 1e-6])))[0] >= p * np.sum(time.weight) - 1e-6
    for name, seconds in SECONDS.items():
        span = np.array([seconds])
        assert found.within[name] == pytest.approx(float(time.cdf(span)[0]), abs=1e-7)
        assert found.from_now[name] == pytest.approx(float(time.within(span, after)[0]), rel=1e-6, abs=1e-7)
    for name, seconds in {"30d": 2_592_000.0, "90d": 7_776_000.0}.items():
        assert found.no_return[name] == pytest.approx(1 - float(time.cdf(np.array([seconds]))[0]), abs=1e-7)


def test_quantiles_are_those_of_the_bisection() -> None:
    rng = np.random.default_rng(3)
    time = TimeDistribution(*(one.astype(np.float32) for one in (
        rng.dirichlet(np.ones(8), 1), rng.uniform(2, 14, (1, 8)), rng.uniform(0.3, 2, (1, 8)))))  # fmt: skip
    for name, p in {"p10": 0.1, "p50": 0.5, "p90": 0.9}.items():
        assert next_time(time, 0.0).quantiles_s[name] == pytest.approx(float(time.quantile(p, 60)[0]), rel=1e-6)

"""The time to the next event against numeric integration of its own density."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from components.predictor import TimeDistribution

HOUR, DAY = 3_600.0, 86_400.0


def mixture() -> TimeDistribution:
    """Half come back within the hour, a third within days, the others perhaps never."""
    parts = ([0.5, 0.3, 0.2], [7.5, 11.5, 16.0], [0.6, 1.0, 1.5])
    return TimeDistribution(*(np.array([row], np.float32) for row in parts))


def integral(one: TimeDistribution, low_s: float, high_s: float) -> float:
    """Of the density per second, in logarithmic steps."""
    found, _ = quad(
        lambda y: float(np.exp(one.log_density(np.array([np.expm1(y)]))[0] + y)),
        np.log1p(low_s),
        np.log1p(high_s),
        limit=400,
    )
    return found


@pytest.mark.parametrize("horizon_s", [HOUR, DAY, 7 * DAY, 90 * DAY])
def test_the_chance_of_a_return_is_the_integral_of_the_density(horizon_s: float) -> None:
    one = mixture()
    at = np.array([horizon_s])
    inside = integral(one, 0.0, horizon_s)
    below = float(one.cdf(np.zeros(1))[0])  # the mixture is of log(1 + gap): a sliver lies under 0
    assert float(one.cdf(at)[0]) - below == pytest.approx(inside, abs=1e-5)
    assert float(np.exp(one.log_survival(at)[0])) == pytest.approx(1 - inside - below, abs=1e-5)


@pytest.mark.parametrize("elapsed_s", [0.0, HOUR, 3 * DAY, 60 * DAY])
@pytest.mark.parametrize("horizon_s", [HOUR, DAY, 7 * DAY])
def test_after_silence_it_is_the_rest_of_the_density(elapsed_s: float, horizon_s: float) -> None:
    one = mixture()
    rest = integral(one, elapsed_s, 1e14)
    expected = integral(one, elapsed_s, elapsed_s + horizon_s) / rest
    found = one.within(np.array([horizon_s]), np.array([elapsed_s]))
    assert float(found[0]) == pytest.approx(expected, abs=1e-4)


def test_after_endless_silence_it_is_still_a_chance() -> None:
    found = mixture().within(np.array([DAY]), np.array([1e12]))
    assert 0.0 <= float(found[0]) < 1e-3


@pytest.mark.parametrize("probability", [0.025, 0.1, 0.5, 0.9, 0.975])
def test_a_quantile_has_its_share_of_the_density_below(probability: float) -> None:
    one = mixture()
    at = one.quantile(probability)
    below = float(one.cdf(np.zeros(1))[0])
    assert integral(one, 0.0, float(at[0])) + below == pytest.approx(probability, abs=1e-5)

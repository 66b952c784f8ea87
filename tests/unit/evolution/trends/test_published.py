"""Against published figures: M4's own naive forecasts, and the labelled events of New York's taxis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.m4 import FREQUENCIES, read
from benchmarks.nab import DAY, judged, load
from components.evolution.trends.accuracy import mase, scale_of, smape
from components.evolution.trends.methods import forecast
from components.evolution.trends.panel import panel_of
from components.evolution.trends.unusual import Control, expected, unusual


@pytest.mark.real_data
@pytest.mark.parametrize("part", list(FREQUENCIES))
@pytest.mark.parametrize("name", ["naive", "seasonal_naive"])
def test_m4_is_measured_as_m4_measures(real_data: Path, part: str, name: str) -> None:
    frequency, folder = FREQUENCIES[part], real_data / "m4"
    train = read(folder / f"{frequency.file}-train.csv.gz")
    actual = np.stack(read(folder / f"{frequency.file}-test.csv.gz"))
    panel = panel_of(train, frequency.seasons, [str(one) for one in range(len(train))])
    point = forecast(name, panel, frequency.plan.horizon).point
    official = frequency.official[name]
    assert mase(actual, point, scale_of(panel)).mean() == pytest.approx(official[0], abs=5e-4)
    assert smape(actual, point).mean() == pytest.approx(official[1], abs=5e-4)


@pytest.mark.real_data
def test_social_events_are_found(real_data: Path) -> None:
    panel, windows = load(real_data / "nab")
    found = judged(panel, unusual(panel, expected(panel, 4, False), DAY, Control("rate", 1.0)), windows)
    assert found["found"] == found["of"] == 5
    assert found["false_alarms_a_month"] <= 1.0

"""From a log to what comes next and what happened: counted, forecast at every level, watched, explained."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from components.events.contract import SCHEMA
from components.evolution.trends.causes import causes
from components.evolution.trends.counts import Grid, count
from components.evolution.trends.hierarchy import adds_up, bottom_up, hierarchy, reconcile
from components.evolution.trends.methods import forecast, method_of, usual_candidates
from components.evolution.trends.outlook import Plan, outlook
from components.evolution.trends.panel import Panel
from components.evolution.trends.unusual import Control, expected, unusual

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAYS, FESTIVAL = 120, 80
PLACES = {"paris": (48.85, 2.35), "lyon": (45.76, 4.83)}


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Views and purchases in two cities with a week; on one day many more views in Lyon."""
    rng = np.random.default_rng(0)
    parts = []
    for action, often in (("view", 60), ("buy", 15)):
        for city, (lat, lon) in PLACES.items():
            day = np.arange(DAYS)
            rate = often * (1 + 0.4 * (day % 7 >= 5))
            if (action, city) == ("view", "lyon"):
                rate = np.where(day == FESTIVAL, 4 * rate, rate)
            second = np.repeat(day * 86_400, rng.poisson(rate))
            second = second + rng.integers(0, 86_400, len(second))
            parts.append(
                pl.DataFrame({"second": second}).with_columns(
                    timestamp=pl.lit(START) + pl.duration(seconds="second"),
                    action=pl.lit(action),
                    latitude=pl.lit(lat),
                    longitude=pl.lit(lon),
                )
            )
    events = pl.concat(parts).sort("timestamp")
    blank = [pl.lit(None).alias(name) for name in SCHEMA if name not in events.columns]
    log = events.with_columns(blank).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    return count(log, Grid(step="day", by=("action", "region"), zone="UTC", resolution=4, least=1))


def test_the_festival_is_found_and_explained(panel: Panel) -> None:
    total = panel.total()
    found = unusual(total, expected(total, 4, False), 1, Control("rate", 0.5))
    assert found[0].peak == FESTIVAL
    why = causes(panel, expected(panel, 4, False), found[0].first, found[0].last)
    assert why.segments[0].value.startswith("view · ")
    assert why.segments[0].share > 0.8
    assert why.excess == pytest.approx(found[0].excess, rel=0.2)


def test_every_level_is_forecast_and_adds_up(panel: Panel) -> None:
    known, actual = panel.until(7), panel.after(7, 7)
    tree = hierarchy(known, [(), ("action",), ("region",)])
    methods = {name: method_of(name) for name in usual_candidates(tree.panel)}
    plan = Plan(horizon=7, origins=3, least=2, most=4, levels=tuple(np.arange(1, 10) / 10))
    found = outlook(tree.panel, methods, plan)
    residual = found.judged.residual("ensemble").transpose(0, 2, 1).reshape(-1, tree.panel.n)
    points = reconcile(tree, found.point["ensemble"], "variance", residual)
    assert adds_up(tree, points)
    truth = bottom_up(tree, actual)
    naive = forecast("seasonal_naive", tree.panel, 7).point
    assert np.abs(points - truth).mean() < np.abs(naive - truth).mean()

"""Dense areas of both sorts: planted towns are found whatever their density, and few users have none."""

from __future__ import annotations

import numpy as np
import pytest

from components.evolution.log import Log
from components.evolution.space.areas import areas_report
from tests.unit.evolution.planted import log_of
from tests.unit.evolution.test_reports import SPACE

TOWNS = ((48.80, 2.20, 0.001), (48.90, 2.40, 0.01), (49.00, 2.10, 0.003))  # latitude, longitude, spread, degrees
ASKED = SPACE.model_copy(update={"area_sample": 400, "area_share": 0.05, "area_radius_km": 0.05, "area_events": 20})


def country(each: int, users: int, seed: int = 0) -> Log:
    """Events in three towns of very different densities, every one at a place of its own, and a few anywhere."""
    rng = np.random.default_rng(seed)
    at = [np.array([lat, lon]) + spread * rng.standard_normal((each, 2)) for lat, lon, spread in TOWNS]
    at.append(np.stack([rng.uniform(48, 50, each // 10), rng.uniform(1, 3, each // 10)], axis=1))
    place = np.concatenate(at)
    return log_of(np.sort(rng.integers(0, users, len(place))), np.arange(len(place)) * 60,
                  latitude=place[:, 0], longitude=place[:, 1])  # fmt: skip


def near(found: list[dict[str, float]], density: str) -> set[int]:
    return {
        town
        for one in found
        if one["density"] == density
        for town, (lat, lon, spread) in enumerate(TOWNS)
        if abs(one["latitude"] - lat) < spread and abs(one["longitude"] - lon) < spread
    }


def test_towns_of_any_density_are_found_and_one_radius_finds_the_densest() -> None:
    found = areas_report(country(600, 30), ASKED, 0)
    assert near(found["largest"], "any") == {0, 1, 2}
    assert 1 not in near(found["largest"], "stated")  # its places are too far apart for the radius
    assert found["any"]["places"] == 400
    assert found["any"]["agreement"] > 0.5  # two samples see the same towns
    spread = {round(one["latitude"], 1): one["radius_km"] for one in found["largest"] if one["density"] == "any"}
    assert spread[48.9] > 3 * spread[48.8]


def test_areas_found_in_a_sample_are_told_of_the_whole_log() -> None:
    found = areas_report(country(600, 30), ASKED, 0)
    told = [one for one in found["largest"] if one["density"] == "any"]
    assert all(480 < one["events"] < 680 for one in told)  # 600 were planted, a fifth of the places is looked at
    assert sum(one["events"] for one in told) == pytest.approx(found["any"]["share"] * 1860)


def test_all_places_of_a_small_log_are_looked_at() -> None:
    found = areas_report(country(100, 30), ASKED, 0)
    assert found["any"]["places"] == 310
    assert found["any"]["agreement"] is None


def test_areas_of_few_users_are_not_told() -> None:
    assert areas_report(country(200, 2), ASKED, 0)["largest"] == []


@pytest.mark.parametrize("n", [1, 6])
def test_a_handful_of_places_is_no_area(n: int) -> None:
    log = log_of(np.arange(n), np.arange(n), latitude=np.full(n, 48.0) + np.arange(n), longitude=np.full(n, 2.0))
    found = areas_report(log, ASKED, 0)
    assert found["any"]["areas"] == 0
    assert found["largest"] == []

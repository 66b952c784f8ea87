"""Buckets of times and distances: near is told from far, and what is not known is told from both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from components.models.config import config_of
from components.models.encoders.relative import space_buckets, time_buckets
from components.models.encoders.st_lstm import gaps_of
from components.models.sphere import great_circle_km
from components.training.gather import Slices, tokens_of
from tests.networks import network_params
from tests.toy import toy_store


def points(*degrees: tuple[float, float]) -> torch.Tensor:
    lat, lon = np.radians(np.array(degrees)).T
    return torch.from_numpy(np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)).float()


def _against_itself(point: torch.Tensor) -> torch.Tensor:
    return space_buckets(point, point)


def test_known_distances() -> None:
    paris, london, near = points((48.8566, 2.3522), (51.5074, -0.1278), (48.8567, 2.3522))
    assert float(great_circle_km((paris - london).norm())) == pytest.approx(343.6, abs=0.5)
    assert float(great_circle_km((paris - near).norm())) == pytest.approx(0.0111, rel=0.05)
    assert float(great_circle_km(torch.tensor(2.0))) == pytest.approx(np.pi * 6371, rel=1e-5)


def test_buckets_grow_with_distance_and_unknown_has_its_own() -> None:
    place = points((0, 0), (0, 0.005), (0, 0.05), (0, 5), (0, 179))
    bucket = _against_itself(torch.cat([place, torch.zeros(1, 3)])[None])[0]
    assert bucket[0].tolist() == [*sorted(set(bucket[0, :5].tolist())), 0]
    assert bool((bucket[5] == 0).all())
    assert bucket.equal(bucket.T)
    assert int(bucket.max()) < 40


def test_buckets_of_time_are_logarithmic_in_either_direction() -> None:
    gap = torch.tensor([0, 1, 60, 3600, 86_400, 2**31])
    bucket = time_buckets(gap)
    assert bucket.tolist() == sorted(bucket.tolist())
    assert len(set(bucket.tolist())) == 5  # nothing and a second are one
    assert bucket.equal(time_buckets(-gap))
    assert int(time_buckets(torch.tensor(2**62))) < 72


def test_gaps_are_those_of_the_store() -> None:
    store = toy_store()
    config = config_of(network_params("st_lstm"), store.encoding)
    length = np.array([6, 6])
    slices = Slices(store.offsets[:2], np.array([0, 4]), length, length)
    gaps = gaps_of(tokens_of(store, slices, config), "both")  # (2, 6, 4)
    assert gaps[0, :2].abs().sum() == 0  # the start and the first event have nothing before them
    assert gaps[1, 0].abs().sum() == 0  # what came before a cut is not in sight
    gap_s = np.asarray(store["gap_s"])[[1, 2, 3, 4]]
    np.testing.assert_allclose(gaps[0, 2:, 0].numpy() * 10, np.log1p(gap_s), rtol=1e-5)
    assert bool((gaps[0, 2:, 1] == 1).all())
    lat, lon = (np.radians(np.asarray(store[name], np.float64)[:5]) for name in ("latitude", "longitude"))
    half = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[1:]) * np.cos(lat[:-1]) * np.sin(np.diff(lon) / 2) ** 2
    np.testing.assert_allclose(np.expm1(gaps[0, 2:, 2].numpy() * 3), 2 * 6371 * np.arcsin(np.sqrt(half)), atol=2e-3)

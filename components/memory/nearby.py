"""What is near: items by their distance from where the user is, for everybody and for this user.

"Where the user is" is the request's place, else that of the last located event. Distances are great circles.
Reference: research/spatiotemporal.md §2.6 (near, gravity, ufreq·exp(-d/s)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.memory.ask import Ask, Floats
from components.memory.counter import EARTH_KM, Counter, Popularity
from components.memory.share import Share, dense_share, habit_share


def unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """(n, 3) points on the unit sphere of places (n,) in degrees; NaN stays NaN."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def great_circle_km(one: Floats, two: Floats) -> NDArray[np.float32]:
    """Distance of points whose dot product is known, by the chord; 0.1 m of rounding near zero.

    Parameters
    ----------
    one, two : unit vectors (B, 3) and (V, 3) → (B, V)
    """
    half_chord = np.sqrt(np.maximum(0.5 - 0.5 * (one @ two.T), 0.0)).astype(np.float32)
    return np.float32(2 * EARTH_KM) * np.arcsin(np.minimum(half_chord, np.float32(1)))


def distances_km(ask: Ask, counter: Counter) -> NDArray[np.float32]:
    """(B, V) km from each query's place to each item; inf where either is unknown."""
    world = counter.world
    here = unit_vectors(ask.place[:, 0], ask.place[:, 1])
    km = great_circle_km(here, unit_vectors(world.latitude, world.longitude))
    return np.where(np.isnan(km), np.float32(np.inf), km)


class Near(Counter):
    """p(v) ∝ (count(v) + 1) exp(-d / scale)."""

    kind = "near"
    required = frozenset({"scale_km"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        km = distances_km(ask, self)
        weight = np.exp(-km / np.float32(self.options["scale_km"])) * (popularity.count + 1).astype(np.float32)
        return dense_share(weight, self.world.prior)


class Gravity(Counter):
    """p(v) ∝ (count(v) + 1) / (1 + d / scale)^2."""

    kind = "gravity"
    required = frozenset({"scale_km"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        km = distances_km(ask, self)
        weight = (popularity.count + 1).astype(np.float32) / np.square(1 + km / np.float32(self.options["scale_km"]))
        return dense_share(weight, self.world.prior)


class OwnNear(Counter):
    """p(v | user) ∝ Σ 2^(-age / half-life) exp(-d / scale) over the user's events with v."""

    kind = "user_near"
    required = frozenset({"scale_km"})
    optional = frozenset({"half_life_days"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        here = unit_vectors(ask.place[:, 0], ask.place[:, 1])[ask.item_query]
        there = unit_vectors(self.world.latitude[ask.item_code], self.world.longitude[ask.item_code])
        half_chord = 0.5 * np.linalg.norm(here - there, axis=1)
        km = 2 * EARTH_KM * np.arcsin(np.minimum(half_chord, 1.0))
        weight = np.where(np.isnan(km), 0.0, np.exp(-km / self.options["scale_km"]))
        return habit_share(ask, weight * self.decay(ask.age_d[ask.known]), self.world.prior)

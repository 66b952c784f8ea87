"""What is near: items by their distance from where the user is, for everybody and for this user.

"Where the user is" is the request's place, else that of the last located event. Distances are chords of the
earth's sphere: shorter than the way on the ground by 0.1 % at 1,000 km, and twice as cheap.
Reference: research/spatiotemporal.md §2.6 (near, gravity, ufreq·exp(-d/s)).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.memory import loops
from components.memory.ask import Ask, Floats
from components.memory.counter import EARTH_KM, Counter, Popularity, World
from components.memory.popular import AtThisHour
from components.memory.share import Share, dense_share, habit_share


def distances_km(ask: Ask, world: World) -> NDArray[np.float32]:
    """(B, V) km from each query's place to each item, inf where either is unknown; made once for a block.

    Chords by the dot product in float64: rounding is 0.1 m near zero.
    """

    def make() -> NDArray[np.float32]:
        return _chords_km(ask.here, world.axes, world.nowhere_mask)

    return ask.once("distances_km", make)


@compiled
def _chords_km(here: Floats, axes: Floats, nowhere: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(B, V) km from unit vectors (B, 3), NaN = unknown, to (3, V); inf where either is unknown."""
    out = np.empty((len(here), len(nowhere)), np.float32)
    scale = np.float32(math.sqrt(2.0) * EARTH_KM)
    for b in range(len(here)):
        x, y, z = here[b, 0], here[b, 1], here[b, 2]
        if math.isnan(x):
            out[b] = np.inf
            continue
        for v in range(len(nowhere)):
            apart = 1.0 - (x * axes[0, v] + y * axes[1, v] + z * axes[2, v])
            km = np.sqrt(np.float32(max(apart, 0.0))) * scale
            out[b, v] = np.float32(np.inf) if nowhere[v] else km
    return out


class Near(Counter):
    """p(v) ∝ (count(v) + 1) exp(-d / scale)."""

    kind = "near"
    required = frozenset({"scale_km"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        weight = distances_km(ask, self.world) * np.float32(-1.0 / self.options["scale_km"])
        np.exp(weight, out=weight)
        weight *= popularity.plus_one
        return dense_share(weight, self.world.prior)


class NearAtHour(AtThisHour):
    """p(v | hour) ∝ (count(v) + 1) exp(-d / scale) lift(v, hour).

    lift is how much more the item is met at this hour than at any: Σ_h k(h) count(v, h) over count(v) Σ_h k(h) / 24
    with k the kernel of `item_hour`, both smoothed by `smoothing` events that are spread over the day.
    """

    kind = "near_hour"
    required = frozenset({"scale_km", "sigma_h", "smoothing"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        kernel = self.kernel(ask.hour)
        kernel *= (24.0 / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
        smoothing = np.float32(self.options["smoothing"])
        weight = kernel @ self.count.astype(np.float32)
        weight += smoothing
        weight /= self.count.sum(axis=0).astype(np.float32) + smoothing
        near = distances_km(ask, self.world) * np.float32(-1.0 / self.options["scale_km"])
        np.exp(near, out=near)
        weight *= near
        weight *= popularity.plus_one
        return dense_share(weight, self.world.prior)


class Gravity(Counter):
    """p(v) ∝ (count(v) + 1) / (1 + d / scale)^2."""

    kind = "gravity"
    required = frozenset({"scale_km"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        weight = distances_km(ask, self.world) * np.float32(1.0 / self.options["scale_km"])
        weight += 1
        np.square(weight, out=weight)
        np.divide(popularity.plus_one, weight, out=weight)
        return dense_share(weight, self.world.prior)


class OwnNear(Counter):
    """p(v | user) ∝ Σ 2^(-age / half-life) exp(-d / scale) over the user's events with v."""

    kind = "user_near"
    required = frozenset({"scale_km"})
    optional = frozenset({"half_life_days"})

    def share(self, ask: Ask, popularity: Popularity) -> Share:
        weight = self.decay(ask.item_age_d)
        loops.near(
            weight, ask.item_query, ask.item_code, ask.here, self.world.points, self.world.nowhere_mask,
            self.options["scale_km"], EARTH_KM,
        )  # fmt: skip
        return habit_share(ask, weight, self.world.prior)

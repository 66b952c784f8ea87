"""How good a map of profiles is: beside k-means of as many units, and beside maps of figures that are dealt anew.

Never here: what the units mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from components.evolution.profiles.kohonen import Map, distances, fit, nearest
from components.evolution.significance import p_value

Floats = NDArray[np.float32]
_TO_HELLINGER = np.sqrt(0.5)


@dataclass(frozen=True)
class Quality:
    """Of one way to make units of profiles.

    Attributes
    ----------
    way : `map`, `k-means`, `dealt anew` (a map of figures dealt among users, mean of several), `one for all`
    units : how many
    quantisation_error : mean distance (Hellinger's, 0..1) of a profile to its unit
    explained : share of the variance of the profiles, 0..1
    topographic_error : share of the profiles whose two nearest units do not touch, 0..1; NaN where none touch
    explained_later : share of the variance of the other weeks' profiles that units of these weeks explain; below 0:
        worse than one for all; NaN where not asked
    """

    way: str
    units: int
    quantisation_error: float
    explained: float
    topographic_error: float
    explained_later: float


@dataclass(frozen=True)
class Judged:
    """All ways, and whether the map is more than chance.

    Attributes
    ----------
    ways : the map first
    p_later : whether a user's other weeks are nearer to the user's unit than another user's are
    topographic_by_chance : topographic error where units lie anywhere
    """

    ways: list[Quality]
    p_later: float
    topographic_by_chance: float


def judged(
    found: Map, whole: Floats, half: Floats, other: Floats, rounds: int, deals: int, permutations: int, seed: int
) -> Judged:
    """Judge a map.

    Parameters
    ----------
    found : of `whole`
    whole : (n, D) profiles
    half, other : (m, D) profiles of the users' even weeks, and of their odd ones
    rounds : of every map that is fitted for it
    deals : maps of profiles each of whose figures is dealt anew among users: as varied, but no two figures go together
    permutations : shuffles of whose other weeks are whose
    seed : of all of it

    References
    ----------
    Kiviluoto (1996), Topology preservation in self-organizing maps (topographic error).
    """
    rng, size = np.random.default_rng(seed), (int(found.column.max()) + 1, int(found.row.max()) + 1)
    n = len(found.units)
    random = rng.permutation(n)
    touching = found.beside()
    by_chance = _topographic(whole, found.units, touching[np.ix_(random, random)])
    again = fit(half, *size, rounds)
    unit = nearest(half, again.units)[:, 0]
    far = distances(other, again.units)
    usual = float(((other - half.mean(axis=0)) ** 2).sum(axis=1).mean())
    later = float(far[np.arange(len(unit)), unit].mean())
    null = np.array([far[rng.permutation(len(unit)), unit].mean() for _ in range(permutations)], np.float64)
    centres = _centres(whole, n, seed)
    halves = _centres(half, n, seed)
    own = distances(other, halves)[np.arange(len(half)), nearest(half, halves)[:, 0]]
    dealt = [_of(_dealt(whole, rng), size, rounds) for _ in range(deals)]
    return Judged(
        [
            _quality("map", whole, found.units, touching, 1 - later / usual),
            _quality("k-means", whole, centres, None, 1 - float(own.mean()) / usual),
            _mean(dealt),
            _quality("one for all", whole, whole.mean(axis=0, keepdims=True), None, 0.0),
        ],
        float(p_value(later, null, "less")),
        by_chance,
    )


def _of(profiles: Floats, size: tuple[int, int], rounds: int) -> Quality:
    found = fit(profiles, *size, rounds)
    return _quality("dealt anew", profiles, found.units, found.beside(), np.nan)


def _mean(found: list[Quality]) -> Quality:
    """The figures of several maps, averaged."""
    quantisation, explained, topographic = (
        float(np.mean([getattr(one, name) for one in found]))
        for name in ("quantisation_error", "explained", "topographic_error")
    )
    return Quality(found[0].way, found[0].units, quantisation, explained, topographic, np.nan)


def _quality(way: str, profiles: Floats, units: Floats, touching: NDArray[np.bool_] | None, later: float) -> Quality:
    squared = distances(profiles, units).min(axis=1)
    whole = float(((profiles - profiles.mean(axis=0)) ** 2).sum(axis=1).mean()) or 1.0
    return Quality(
        way,
        len(units),
        float(_TO_HELLINGER * np.sqrt(squared).mean()),
        1 - float(squared.mean()) / whole,
        np.nan if touching is None else _topographic(profiles, units, touching),
        later,
    )


def _topographic(profiles: Floats, units: Floats, touching: NDArray[np.bool_]) -> float:
    best = nearest(profiles, units)
    return float(1 - touching[best[:, 0], best[:, 1]].mean())


def _centres(profiles: Floats, n: int, seed: int) -> Floats:
    return np.asarray(KMeans(n, n_init=3, random_state=seed).fit(profiles).cluster_centers_, np.float32)


def _dealt(profiles: Floats, rng: np.random.Generator) -> Floats:
    """Every figure dealt anew among the users."""
    return rng.permuted(profiles, axis=0)

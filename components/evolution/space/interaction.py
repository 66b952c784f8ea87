"""Whether events that are near in space are near in time as well: Knox's count and the space–time K function.

The null shuffles the times over the events, or within groups of them (users), so edges, busy places and busy hours
are the same under it; or whole days within groups, so that what is done where at which hour and weekday is as well.
Never here: which events are asked of, or a sample of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from components.compiled import released
from components.errors import DataError
from components.evolution.shuffles import bounds_of, shuffle_groups
from components.evolution.significance import p_value
from components.evolution.space.sphere import vectors
from components.features.place import EARTH_KM
from components.features.time import DAY_S

Floats = NDArray[np.float64]
_MOST_PAIRS, _WEEK = 20_000_000, 7


@dataclass(frozen=True)
class Interaction:
    """Pairs of events within D distances and S spans.

    Attributes
    ----------
    pairs : (D, S) Knox's X: pairs no farther apart than the distance and the span
    expected : (D, S) its mean under the null
    ratio : (D, S) pairs / expected = K(h, u) / (K(h) K(u)) where all times are shuffled; above 1: interaction
    p : (D, S) one-sided, by permutation
    p_family : (D, S) adjusted over the whole grid (the largest standardised excess of each permutation)
    p_overall : one-sided, of the sum of standardised excesses (Diggle et al. 1995)
    """

    pairs: NDArray[np.int64]
    expected: Floats
    ratio: Floats
    p: Floats
    p_family: Floats
    p_overall: float


def interaction(
    latitude: Floats,
    longitude: Floats,
    time_s: NDArray[np.int64],
    group: NDArray[np.integer],
    distances_km: Sequence[float],
    spans_s: Sequence[int],
    permutations: int,
    seed: int,
    *,
    between: bool = False,
    day: NDArray[np.integer] | None = None,
) -> Interaction:
    """Knox test and space–time K over a grid of distances and spans.

    Parameters
    ----------
    latitude, longitude : (N,) degrees, none missing; a few thousand events, as all near pairs are held
    time_s : (N,) seconds
    group : (N,) times are shuffled within equal values: zeros = over all events
    distances_km, spans_s : ascending
    permutations, seed : of the null
    between : count pairs of different groups alone. With users as groups: what one user does, such as to move once, is
        no interaction between people
    day : (N,) local days since 1970; a group's days then change places whole, with those of the same weekday, and times
        stay those of the clock: all who go downtown by day and home at night interact with nobody. None: single events
        do, at any time

    Raises
    ------
    DataError
        More than twenty million pairs lie within the largest distance.

    References
    ----------
    Knox (1964), The detection of space-time interactions; Diggle, Chetwynd, Häggkvist, Morris (1995), Second-order
    analysis of space-time clustering. The adjusted p-values: Westfall, Young (1993), Resampling-based multiple testing.
    """
    radii, spans = np.asarray(distances_km, np.float64), np.asarray(spans_s, np.int64)
    group = np.asarray(group)
    days = None if day is None else np.asarray(day, np.int64)
    order = np.argsort(group, kind="stable") if days is None else np.lexsort((days, days % _WEEK, group))
    points = vectors(np.asarray(latitude, np.float64)[order], np.asarray(longitude, np.float64)[order])
    tree = cKDTree(points)
    reach = 2 * np.sin(radii / EARTH_KM / 2)  # the chord of a great-circle distance
    held = (int(tree.count_neighbors(tree, reach[-1])) - len(points)) // 2
    if held > _MOST_PAIRS:
        raise DataError(
            f"at most {_MOST_PAIRS:,} pairs of events within {radii[-1]:g} km",
            found=f"{held:,} among {len(points):,} events",
            do="Ask of a sample of the events, or of shorter distances.",
        )
    near = tree.query_pairs(reach[-1] * (1 + 1e-12), output_type="ndarray")
    if between:
        owner = group[order]
        near = near[owner[near[:, 0]] != owner[near[:, 1]]]
    apart = np.linalg.norm(points[near[:, 0]] - points[near[:, 1]], axis=1)
    ring = np.minimum(np.searchsorted(reach * (1 + 1e-12), apart), len(radii) - 1).astype(np.int64)
    rng = np.random.default_rng(seed)
    times = np.asarray(time_s, np.int64)[order]
    observed = _pairs(near, ring, times, spans, len(radii))
    null = np.empty((permutations, *observed.shape))
    arrangements = _shuffled(times, group[order], None if days is None else days[order], permutations, rng)
    for one, moved in enumerate(arrangements):
        null[one] = _pairs(near, ring, moved, spans, len(radii))
    mean, spread = null.mean(axis=0), null.std(axis=0)
    room = np.where(spread > 0, spread, np.inf)
    excess, chance = (observed - mean) / room, (null - mean) / room
    most = chance.reshape(permutations, -1).max(axis=1)
    return Interaction(
        pairs=observed,
        expected=mean,
        ratio=np.divide(observed, mean, out=np.full(mean.shape, np.nan), where=mean > 0),
        p=p_value(observed, null, "greater"),
        p_family=p_value(excess, most[:, None, None], "greater"),
        p_overall=float(p_value(excess.sum(), chance.sum(axis=(1, 2)), "greater")),
    )


def _shuffled(
    time_s: NDArray[np.int64],
    group: NDArray[np.integer],
    day: NDArray[np.int64] | None,
    permutations: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    """Times (N,) of events in order of group, weekday and day: single ones, or whole days, in other places."""
    if day is None:
        moved, bounds = time_s.copy(), bounds_of(group)
        for _ in range(permutations):
            shuffle_groups(moved, bounds, rng)
            yield moved
        return
    key = (group.astype(np.int64) * _WEEK + day % _WEEK) * (int(day.max(initial=0)) + 1) + day
    starts = bounds_of(key)
    number = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    put, bounds = day[starts[:-1]].copy(), bounds_of(key[starts[:-1]] // (int(day.max(initial=0)) + 1))
    for _ in range(permutations):
        shuffle_groups(put, bounds, rng)
        yield time_s + (put[number] - day) * DAY_S


@released
def _pairs(
    near: NDArray[np.int64], ring: NDArray[np.int64], time_s: NDArray[np.int64], spans: NDArray[np.int64], rings: int
) -> NDArray[np.int64]:
    """(D, S) near pairs (M, 2) by ring and by span, each including the smaller ones."""
    found = np.zeros((rings, len(spans)), np.int64)
    for pair in range(len(near)):
        gap = abs(time_s[near[pair, 0]] - time_s[near[pair, 1]])
        for span in range(len(spans)):
            if gap <= spans[span]:
                found[ring[pair], span] += 1
                break
    for row in range(1, rings):
        found[row] += found[row - 1]
    for span in range(1, len(spans)):
        found[:, span] += found[:, span - 1]
    return found

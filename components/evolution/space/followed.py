"""How cells follow themselves, their neighbours and other kinds of behaviour from day to day: space–time Moran's I.

Fields are days by cells, with the rhythm of each cell's week and what all cells share taken out. The nulls keep what is
not asked: a cell's own past (its series is shifted in a circle), or the map of a day (whole days are shuffled). Never
here: causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from components.evolution.significance import adjusted, p_value
from components.evolution.space.autocorrelation import row_standardised
from components.evolution.space.lags import without_common, without_profile
from components.evolution.space.surface import Matrix

Floats = NDArray[np.float64]
_WEEK = 7


def field_of(counts: NDArray[np.integer], first_day: int) -> Floats:
    """(T, C) log1p of daily counts less each cell's mean of the weekday, and less what all cells share.

    Parameters
    ----------
    counts : (T, C)
    first_day : days since 1970 of the first row
    """
    weekday = (first_day + np.arange(len(counts)) + 3) % _WEEK
    return without_common(without_profile(np.log1p(counts), np.repeat(weekday[:, None], counts.shape[1], axis=1)))


@dataclass(frozen=True)
class Followed:
    """One part of space–time Moran's I.

    Attributes
    ----------
    part : "neighbours, same day", "itself, earlier" or "neighbours, earlier"
    lag : days
    value : correlation of a cell with that part, -1..1
    z, p : against the part's own null, two-sided
    """

    part: str
    lag: int
    value: float
    z: float
    p: float


def space_time_moran(
    field: Floats, neighbours: Matrix, lags: Sequence[int], permutations: int, seed: int
) -> list[Followed]:
    """Correlation of cells with their neighbours on the same day, with themselves and their neighbours days before.

    Parameters
    ----------
    field : (T, C) of `field_of`
    neighbours : (C, C)
    lags : days
    permutations, seed : of each null

    References
    ----------
    Cliff, Ord (1981), Spatial Processes; Martin, Oeppen (1975), The identification of regional forecasting models using
    space-time correlation functions.
    """
    weights = row_standardised(neighbours)
    if weights.nnz == 0 or not np.any(field) or len(field) <= 2 * max(lags):
        return []
    rng = np.random.default_rng(seed)
    names = [("neighbours, same day", 0), *(("neighbours, earlier", lag) for lag in lags)]

    def around(values: Floats) -> Floats:
        beside = np.asarray((weights @ values.T).T)
        return np.array([_correlation(values[lag:], beside[: len(values) - lag]) for _, lag in names])

    def own(values: Floats) -> Floats:
        return np.array([_correlation(values[lag:], values[: len(values) - lag]) for lag in lags])

    rows = np.arange(len(field))[:, None]
    shifted, mixed = [], []
    for _ in range(permutations):
        turn = rng.integers(0, len(field), field.shape[1])
        moved = field[(rows + turn) % len(field), np.arange(field.shape[1])]
        shifted.append(around(without_common(moved)))
        mixed.append(own(field[rng.permutation(len(field))]))
    return [
        *_tested(names, around(field), np.array(shifted)),
        *_tested([("itself, earlier", lag) for lag in lags], own(field), np.array(mixed)),
    ]


def _correlation(a: Floats, b: Floats) -> float:
    power = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / power) if power > 0 else 0.0


def _tested(names: Sequence[tuple[str, int]], value: Floats, null: Floats) -> list[Followed]:
    spread = null.std(axis=0, ddof=1)
    z = np.divide(value - null.mean(axis=0), spread, out=np.zeros(len(value)), where=spread > 0)
    p = p_value(value, null, "both")
    return [Followed(part, lag, float(value[at]), float(z[at]), float(p[at])) for at, (part, lag) in enumerate(names)]


@dataclass(frozen=True)
class Lagged:
    """Whether one kind of behaviour follows another, in the same cell and those that touch it.

    Attributes
    ----------
    lag : days by which the follower is later
    correlation : at that lag
    p : two-sided, of the correlation
    lead, p_lead : by how much it exceeds that of the other way round; one-sided
    """

    lag: int
    correlation: float
    p: float
    lead: float
    p_lead: float


def lagged_moran(leader: Floats, follower: Floats, neighbours: Matrix, lags: Sequence[int]) -> list[Lagged]:
    """Bivariate Moran's I of two fields at lags in time.

    Parameters
    ----------
    leader, follower : (T, C) of `field_of`, of the same days and cells
    neighbours : (C, C)
    lags : days; T is at least twenty times the longest, else nothing is told

    Notes
    -----
    The null shifts the whole leader in a circle against the follower: both keep their own maps and rhythms. Mean and
    spread over all shifts farther than three times the longest lag give a normal p, as shifts alone are too few.
    """
    steps, most = len(leader), max(lags)
    if steps < 20 * most:
        return []
    here = row_standardised(neighbours)
    beside = (leader + np.asarray((here @ leader.T).T)) / 2
    power = np.sqrt(np.sum(beside**2) * np.sum(follower**2))
    if power <= 0:
        return []
    gram = follower @ beside.T / power  # (T, T) follower on day t, leader on day s
    day = np.arange(steps)
    every = np.array([gram[day, (day - shift) % steps].sum() for shift in range(steps)])
    far = every[3 * most : steps - 3 * most]
    between = np.arange(3 * most + most, steps - 3 * most - most)
    found = []
    for lag in lags:
        lead = every[lag] - every[-lag]
        apart = every[between + lag] - every[between - lag]
        z = (every[lag] - far.mean()) / far.std(ddof=1)
        ahead = (lead - apart.mean()) / apart.std(ddof=1)
        found.append(
            Lagged(lag, float(every[lag]), float(2 * stats.norm.sf(abs(z))), float(lead), float(stats.norm.sf(ahead)))
        )
    return found


def held(p: Sequence[float]) -> list[float]:
    """q of many p (Benjamini–Hochberg)."""
    return [float(one) for one in adjusted(np.asarray(p, np.float64))] if len(p) else []

"""Exploration and preferential return: how the chance of a new place falls, and when people come back.

Never here: a simulation of mobility.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.significance import Estimate
from components.features.time import HOUR_S

Floats = NDArray[np.float64]
_LEAST = 1e-9


@dataclass(frozen=True)
class Steps:
    """The events of users after their first, as choices between a new place and a known one.

    Attributes
    ----------
    user : (M,) row of the user
    known : (M,) places the user knew before, at least 1
    new : (M,) whether this place is new
    """

    user: NDArray[np.integer]
    known: NDArray[np.integer]
    new: NDArray[np.bool_]


def steps(user: NDArray[np.integer], place: NDArray[np.integer]) -> Steps:
    """What every event (N,) but a user's first chose; users ascending, their events oldest first."""
    pair = user.astype(np.int64) * (int(place.max(initial=0)) + 1) + place
    new = np.zeros(len(pair), bool)
    new[np.unique(pair, return_index=True)[1]] = True
    total = np.cumsum(new)
    first = np.searchsorted(user, user, side="left")
    known = total - new - np.where(first > 0, total[first - 1], 0)
    return Steps(user[known > 0], known[known > 0], new[known > 0])


@dataclass(frozen=True)
class Exploration:
    """P(new) = ρ S^-γ with S places known.

    Attributes
    ----------
    rho, gamma : with their bootstrap intervals, users drawn anew
    new_share : share of events at a new place
    """

    rho: Estimate
    gamma: Estimate
    new_share: float


def exploration(found: Steps, draws: int, confidence: float, seed: int) -> Exploration:
    """Fit ρ and γ by maximum likelihood over all steps.

    Parameters
    ----------
    found : Steps of at least two users
    draws, confidence, seed : of the intervals

    Raises
    ------
    DataError
        There are no steps of at least two users.

    References
    ----------
    Song, Koren, Wang, Barabási (2010), Modelling the scaling properties of human mobility (ρ ≈ 0.6, γ ≈ 0.21 on
    phone records).
    """
    users, row = np.unique(found.user, return_inverse=True)
    if len(users) < 2:
        raise DataError(
            "two users with at least two located events each",
            found=f"{len(users)}",
            do="Leave exploration out for this log.",
        )
    shape = (len(users), int(found.known.max()) + 1)
    tried = sparse.csr_array((np.ones(len(row)), (row, found.known)), shape=shape)
    hits = sparse.csr_array((found.new.astype(np.float64), (row, found.known)), shape=shape)
    best = _fit(tried.sum(axis=0), hits.sum(axis=0))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(users), np.full(len(users), 1 / len(users)), size=draws).astype(np.float64)
    fits = np.array([_fit(tried.T @ weight, hits.T @ weight) for weight in weights])
    low, high = np.percentile(fits, [50 * (1 - confidence), 50 * (1 + confidence)], axis=0)
    rho, gamma = (Estimate(*(float(x) for x in one)) for one in zip(best, low, high, strict=True))
    return Exploration(rho, gamma, float(found.new.mean()))


def _fit(tried: Floats, hits: Floats) -> tuple[float, float]:
    """ρ in (0, 1] and γ that make the hits of each S most likely."""
    there = np.flatnonzero(tried > 0)
    tried, hits, log_known = tried[there], hits[there], np.log(there)

    def loss(x: Floats) -> float:
        p = np.clip(np.exp(x[0] - x[1] * log_known), _LEAST, 1 - _LEAST)
        return float(-np.sum(hits * np.log(p) + (tried - hits) * np.log1p(-p)) / tried.sum())

    share = max(hits.sum() / tried.sum(), _LEAST)
    start = np.array([min(0.0, np.log(share) + 0.2 * np.average(log_known, weights=tried)), 0.2])
    found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=[(-12.0, 0.0), (-2.0, 4.0)])
    return float(np.exp(found.x[0])), float(found.x[1])


def heaps_exponent(found: Steps, length: int) -> float:
    """μ of S(n) ∝ n^μ, the places known after n steps, over users with at least `length` steps; NaN if none.

    The slope of log mean S on log(n + 1), n = 1..length, the first place among the visits; 1 = every place is new, 0 =
    none is.

    References
    ----------
    Heaps (1978), Information Retrieval; Song et al. (2010) μ ≈ 0.6.
    """
    _, start, count = np.unique(found.user, return_index=True, return_counts=True)
    start = start[count >= length]
    if not len(start) or length < 2:
        return np.nan
    rows = start[:, None] + np.arange(length)
    known = (found.known + found.new)[rows].mean(axis=0)
    return float(np.polyfit(np.log(np.arange(1, length + 1) + 1), np.log(known), 1)[0])


def return_hours(log: Log, resolution: int, hours: int) -> Floats:
    """(hours,) share of returns to a place after 0, 1, … whole hours, of those within `hours`.

    A return is the next located event of a user in the same cell, with or without others between. Peaks at 24, 48 …
    are the daily rhythm (González, Hidalgo, Barabási 2008, figure 2c).
    """
    _, index = log.cells(resolution)
    row = np.flatnonzero(index >= 0)
    order = row[np.lexsort((log.time_s[row], index[row], log.user[row]))]
    same = (log.user[order][1:] == log.user[order][:-1]) & (index[order][1:] == index[order][:-1])
    after = np.diff(log.time_s[order])[same] // HOUR_S
    count = np.bincount(after[after < hours], minlength=hours)
    return count / max(int(count.sum()), 1)

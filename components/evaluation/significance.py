"""How sure a figure is: bootstrap over users, paired differences, several seeds.

Queries of one user depend on each other, so users are drawn, not queries. All figures of one judgement share the
same draws, and two models are compared on the same draws. Nothing here knows what a figure means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_DRAWN = 4_000_000  # draws held at once


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; low and high are NaN where nothing can be said (fewer than two users)."""

    value: float
    low: float
    high: float

    def record(self) -> dict[str, float | None]:
        """As JSON; NaN becomes null."""
        return {
            name: None if np.isnan(number) else float(number)
            for name, number in (("value", self.value), ("low", self.low), ("high", self.high))
        }


@dataclass(frozen=True)
class Bootstrap:
    """Draws of users, the same for every figure that is asked for.

    Attributes
    ----------
    user : (Q,) who asked each query
    draws : number of resamples
    confidence : coverage of the interval, e.g. 0.95
    seed : of the draws

    References
    ----------
    Efron, Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 13 (percentile intervals); users as
    clusters: Cameron, Gelbach, Miller (2008), Bootstrap-based improvements for inference with clustered errors.

    Examples
    --------
    >>> estimate = Bootstrap(np.array([0, 0, 1, 1]), 200, 0.95, 0).mean(np.array([1.0, 1.0, 0.0, 0.0]))
    >>> estimate.value, estimate.low, estimate.high
    (0.5, 0.0, 1.0)
    """

    user: NDArray[np.integer]
    draws: int
    confidence: float
    seed: int
    _group: NDArray[np.int64] = field(init=False, repr=False)
    _users: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names, group = np.unique(self.user, return_inverse=True)
        object.__setattr__(self, "_group", group.astype(np.int64))
        object.__setattr__(self, "_users", len(names))

    def mean(self, values: Floats) -> Estimate:
        """Mean over queries of values (Q,), NaN left out, and its interval."""
        return self.means(np.asarray(values)[:, None])[0]

    def means(self, values: Floats) -> list[Estimate]:
        """Means over queries of values (Q, M), NaN left out column by column, with their intervals."""
        values = np.asarray(values, np.float64)
        count = ~np.isnan(values)
        total = np.sum(count, axis=0)
        value = np.where(total > 0, np.nansum(values, axis=0) / np.maximum(total, 1), np.nan)
        if self._users < 2:
            return [Estimate(float(v), float("nan"), float("nan")) for v in value]
        sample = self._resample(self._by_user(np.where(count, values, 0.0)), self._by_user(count.astype(np.float64)))
        low, high = self.interval(sample)
        return [Estimate(*(float(x) for x in row)) for row in zip(value, low, high, strict=True)]

    def samples(self, values: Floats) -> Floats:
        """(draws,) or (draws, M): resampled means of values (Q,) or (Q, M), NaN left out."""
        columns = np.asarray(values, np.float64).reshape(len(values), -1)
        count = ~np.isnan(columns)
        found = self._resample(self._by_user(np.where(count, columns, 0.0)), self._by_user(count.astype(np.float64)))
        return found[:, 0] if np.ndim(values) == 1 else found

    def interval(self, sample: Floats) -> tuple[Floats, Floats]:
        """Percentile interval over axis 0 of resampled figures, NaN left out."""
        tail = 50 * (1 - self.confidence)
        if sample.size == 0 or np.isnan(sample).all():
            nothing = np.full(sample.shape[1:], np.nan)
            return nothing, nothing
        empty = np.isnan(sample).all(axis=0)
        edges = np.nanpercentile(np.where(empty, 0.0, sample), [tail, 100 - tail], axis=0)
        return np.where(empty, np.nan, edges[0]), np.where(empty, np.nan, edges[1])

    def _by_user(self, values: Floats) -> Floats:
        """(U, M) sums over each user's queries."""
        columns = [np.bincount(self._group, weights=column, minlength=self._users) for column in values.T]
        return np.stack(columns, axis=1)

    def _resample(self, sums: Floats, counts: Floats) -> Floats:
        """(draws, M) means of resamples of the users."""
        rng = np.random.default_rng(self.seed)
        step = max(1, _DRAWN // self._users)
        parts = []
        for done in range(0, self.draws, step):
            n = min(step, self.draws - done)
            drawn = rng.integers(0, self._users, (n, self._users)) + np.arange(n)[:, None] * self._users
            weight = np.bincount(drawn.ravel(), minlength=n * self._users).reshape(n, self._users).astype(np.float64)
            top, bottom = weight @ sums, weight @ counts
            parts.append(np.where(bottom > 0, top / np.maximum(bottom, 1), np.nan))
        return np.concatenate(parts)


def paired_difference(a: Floats, b: Floats, bootstrap: Bootstrap) -> Estimate:
    """Mean of a - b over the same queries, with the interval of the paired bootstrap.

    Parameters
    ----------
    a, b : (Q,) a metric of two models on the same queries; a query that either lacks (NaN) is left out

    Returns
    -------
    Estimate
        The difference is significant where the interval does not hold 0.
    """
    return bootstrap.mean(np.asarray(a, np.float64) - np.asarray(b, np.float64))


def over_seeds(values: Sequence[Floats], bootstrap: Bootstrap) -> tuple[Estimate, float]:
    """A metric over several seeds of one model.

    Parameters
    ----------
    values : per seed (Q,), the same queries
    bootstrap : of those queries' users

    Returns
    -------
    Estimate
        Mean over seeds and queries; its interval draws seeds and users.
    float
        Standard deviation of the seeds' means (ddof 1); NaN for one seed.
    """
    if len(values) == 1:
        return bootstrap.mean(values[0]), float("nan")
    drawn = np.stack([bootstrap.samples(one) for one in values])  # (S, draws): the same users for every seed
    picks = np.random.default_rng(bootstrap.seed + 1).integers(0, len(values), (bootstrap.draws, len(values)))
    sample = drawn[picks, np.arange(bootstrap.draws)[:, None]].mean(axis=1)
    low, high = bootstrap.interval(sample[:, None])
    means = np.array([np.nanmean(one) for one in values])
    return Estimate(float(means.mean()), float(low[0]), float(high[0])), float(means.std(ddof=1))

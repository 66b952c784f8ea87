"""Cohorts by the month in which users were first seen, and who of them is active later.

The first month of a log holds everybody who was there before as well, and a month that the log does not reach the end
of counts as unknown, not as lost. Never here: a model of why people leave (the life cycle).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import Log
from components.evolution.significance import wilson
from components.features.time import DAY_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cohorts:
    """C cohorts, the months from the first of the log to the last whole one; K ages.

    Attributes
    ----------
    months : (C,) local months since January 1970
    size : (C,) users first seen in it
    active : (C, C) of them, those with an event so many months later; -1 = not known yet
    retention, low, high : (C, C) active / size and its Wilson interval; NaN where not known or nobody is
    """

    months: NDArray[np.int64]
    size: NDArray[np.int64]
    active: NDArray[np.int64]
    retention: Floats
    low: Floats
    high: Floats

    def pooled(self, but_first: bool) -> Floats:
        """(C,) retention by age over the cohorts that reached it; without the first one, whose age is not known."""
        active, size = self.active[int(but_first) :], self.size[int(but_first) :, None]
        known = active >= 0
        total = np.sum(np.where(known, size, 0), axis=0)
        return np.divide(
            np.sum(np.where(known, active, 0), axis=0), total, out=np.full(len(total), np.nan), where=total > 0
        )


def cohorts(log: Log, confidence: float) -> Cohorts:
    """Retention of monthly cohorts.

    Parameters
    ----------
    log : Log
    confidence : of the intervals, e.g. 0.95

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    if not log.n_events:
        nothing = np.zeros((0, 0))
        return Cohorts(np.zeros(0, np.int64), np.zeros(0, np.int64), nothing.astype(np.int64), *(nothing,) * 3)
    begin = int(log.month.min())
    end_s = int(log.local_s.max()) // DAY_S * DAY_S + DAY_S  # logs come in whole days
    n = int(np.int64(end_s).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)) - begin
    user_month = np.unique(log.user * (int(log.month.max()) - begin + 1) + log.month - begin)
    user, month = np.divmod(user_month, int(log.month.max()) - begin + 1)
    first = np.full(log.n_users, -1, np.int64)
    first[user[::-1]] = month[::-1]  # ascending, so that the earliest is written last
    inside = month < n
    active = np.zeros((n, n), np.int64)
    np.add.at(active, (first[user[inside]], (month - first[user])[inside]), 1)
    size = np.bincount(first[(first >= 0) & (first < n)], minlength=n)
    future = np.add.outer(np.arange(n), np.arange(n)) >= n
    known = ~future & (size[:, None] > 0)
    active[future] = -1
    share = np.where(known, active / np.maximum(size, 1)[:, None], np.nan)
    low, high = wilson(share, size[:, None], confidence)
    return Cohorts(begin + np.arange(n), size, active, share, low, high)

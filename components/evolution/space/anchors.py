"""Where home and work are: the cell that a user is most seen in at night, and by day on weekdays.

A guess by hours, never an address: it says nothing of those who work at night or were hardly seen. Its support stands
beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import HOURS_OF_WEEK, Log


@dataclass(frozen=True)
class Hours:
    """Local hours in which an anchor is looked for.

    Attributes
    ----------
    begin, end : 0..24; from `begin` up to, not with, `end`; over midnight where begin > end
    weekdays_only : Monday to Friday
    """

    begin: int
    end: int
    weekdays_only: bool

    def mask(self) -> NDArray[np.bool_]:
        """(168,) which hours of the week."""
        hour = np.arange(HOURS_OF_WEEK) % 24
        weekday = np.arange(HOURS_OF_WEEK) // 24
        over = self.begin > self.end
        within = (hour >= self.begin) | (hour < self.end) if over else (hour >= self.begin) & (hour < self.end)
        return within & (weekday < 5) if self.weekdays_only else within


@dataclass(frozen=True)
class Anchors:
    """Of U users.

    Attributes
    ----------
    cells : (C,) H3 cells
    cell : (U,) index into `cells`, -1 = not enough seen
    events : (U,) located events in the hours
    share : (U,) of them in the cell; NaN without any
    """

    cells: NDArray[np.uint64]
    cell: NDArray[np.int64]
    events: NDArray[np.int64]
    share: NDArray[np.float64]


def anchors(
    log: Log, resolution: int, hours: Hours, least_events: int, least_share: float, but: Anchors | None
) -> Anchors:
    """The most visited cell of each user within some hours.

    Parameters
    ----------
    log : Log
    resolution : H3 resolution, 0..15
    hours : Hours
    least_events : events that a user needs within the hours
    least_share : share of them that the cell needs, 0..1
    but : Anchors, optional
        Cells that do not count, user by user: work is not where home is. Of the same log and resolution.

    Returns
    -------
    Anchors
        Of equally visited cells, the one that was visited on more days, then the first.

    References
    ----------
    Ahas et al. (2010), Using mobile positioning data to model locations meaningful to users of mobile phones.
    """
    cells, index = log.cells(resolution)
    kept = (index >= 0) & hours.mask()[log.hour_of_week]
    events = np.bincount(log.user[kept], minlength=log.n_users)
    if but is not None:
        kept &= index != but.cell[log.user]
    n = max(len(cells), 1)
    pair, back, count = np.unique(log.user[kept] * n + index[kept], return_inverse=True, return_counts=True)
    day = log.day[kept]
    span = int(day.max(initial=0)) + 1
    days = np.bincount(np.unique(back * span + day) // span, minlength=len(pair))
    order = np.lexsort((pair, -days, -count, pair // n))
    user, first = np.unique(pair[order] // n, return_index=True)
    cell, share = np.full(log.n_users, -1, np.int64), np.full(log.n_users, np.nan)
    share[user] = count[order][first] / events[user]
    sure = (events[user] >= least_events) & (share[user] >= least_share)
    cell[user[sure]] = (pair[order] % n)[first][sure]
    return Anchors(cells, cell, events, share)

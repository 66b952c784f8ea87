"""Labels of users or segments in order of time, and windows over them, which are slices.

Never here: what a label means or any measure of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.evolution.log import Log
from components.evolution.shuffles import bounds_of, shuffle_groups
from components.features.time import DAY_S

_SPAN_DAYS = 100_000  # more than any log has


@dataclass(frozen=True)
class Sequences:
    """N labelled events of U units (users, or segments of them), by local day and then oldest first within each unit.

    So days are slices, and within a day an hour that the clock shows twice is not mixed up.

    Attributes
    ----------
    offsets : (U+1,) unit u owns the rows `offsets[u]:offsets[u+1]`
    local_s : (N,) seconds since 1970 on the local clock
    label : (N,) 0..K-1
    n_labels : K
    user : (N,) row of the user, within which labels are shuffled
    by_user : (N,) the rows by user, local day and time
    """

    offsets: NDArray[np.int64]
    local_s: NDArray[np.int64]
    label: NDArray[np.int64]
    n_labels: int
    user: NDArray[np.int64]
    by_user: NDArray[np.int64]

    @property
    def n_units(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def _prepared(self) -> dict[bool, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Labels by user, and blocks, by kind of block: they are shuffled a thousand times."""
        return {}

    @property
    def unit(self) -> NDArray[np.int64]:
        """(N,) unit of each event."""
        return np.repeat(np.arange(self.n_units), np.diff(self.offsets))

    def shuffled(self, by_day: bool, rng: np.random.Generator) -> NDArray[np.int64]:
        """(N,) labels in another order: the null that each user's labels come in no order.

        Parameters
        ----------
        by_day : whole local days change places, so that what belongs together within a day stays together; else events
        rng : np.random.Generator
        """
        if by_day not in self._prepared:
            self._prepared[by_day] = (self.label[self.by_user], *self.blocks(by_day))
        found = np.empty_like(self.label)
        found[self.by_user] = in_new_order(*self._prepared[by_day], rng)
        return found

    def blocks(self, by_day: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where blocks of the rows by user begin (B+1,), each a local day of a user or an event; and users' (…,) first.

        Returns
        -------
        starts : (B+1,) rows
        owners : (V+1,) blocks at which each of the V users with events begins
        """
        user = self.user[self.by_user]
        fresh = np.ones(len(user), bool)
        if by_day:
            day = self.local_s[self.by_user] // DAY_S
            fresh[1:] = (user[1:] != user[:-1]) | (day[1:] != day[:-1])
        starts = np.append(np.flatnonzero(fresh), len(user))
        return starts, bounds_of(user[fresh])


def sequences(log: Log, label: NDArray[np.integer], n_labels: int, segment: NDArray[np.integer] | None) -> Sequences:
    """The labelled events of every user, or of every segment.

    Parameters
    ----------
    log : Log
    label : (N,) 0..K-1, e.g. `log.category`; events with -1 are left out
    n_labels : K
    segment : (U,) segment of each user, 0..S-1; None: each user by themselves
    """
    kept = np.flatnonzero(label >= 0)
    user = log.user[kept]
    unit = user if segment is None else np.asarray(segment, np.int64)[user]
    n_units = log.n_users if segment is None else int(np.max(segment, initial=-1)) + 1
    order = np.lexsort((log.time_s[kept], log.day[kept], unit))
    count = np.bincount(unit, minlength=n_units)
    rows = kept[order]
    return Sequences(
        offsets=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        local_s=log.local_s[rows],
        label=np.asarray(label, np.int64)[rows],
        n_labels=n_labels,
        user=log.user[rows],
        by_user=np.lexsort((log.time_s[rows], log.day[rows], log.user[rows])),
    )


def once_a_day(log: Log, label: NDArray[np.integer]) -> NDArray[np.int64]:
    """(N,) labels of which a user has each once a local day, −1 for the others: like events of a day are one choice.

    Parameters
    ----------
    label : (N,) 0..K-1; -1 = none
    """
    known = np.flatnonzero(label >= 0)
    width = int(label.max(initial=0)) + 1
    day = log.user[known] * _SPAN_DAYS + log.day[known] - log.day.min(initial=2**40)
    _, first = np.unique(day * width + label[known], return_index=True)
    found = np.full(len(label), -1, np.int64)
    found[known[first]] = label[known[first]]
    return found


@dataclass(frozen=True)
class Windows:
    """W windows over the events of U units.

    Attributes
    ----------
    starts_s : (W,) begin, seconds since 1970 on the local clock
    length_s : of each
    low, high : (U, W) the rows `low:high` of a unit that lie in a window
    """

    starts_s: NDArray[np.int64]
    length_s: int
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def sliding(found: Sequences, length_s: int, step_s: int) -> Windows:
    """Windows of one length, each a step after the one before, from the first whole day to the last.

    Parameters
    ----------
    found : Sequences
    length_s, step_s : s, whole days; windows overlap where the step is shorter

    Returns
    -------
    Windows
        Whole windows only; none where the log is shorter than one.
    """
    first = int(found.local_s.min(initial=2**62)) // DAY_S * DAY_S
    end = (int(found.local_s.max(initial=-1)) // DAY_S + 1) * DAY_S
    starts = np.arange(first, end - length_s + 1, step_s, dtype=np.int64)
    return Windows(starts, length_s, _rows(found, starts), _rows(found, starts + length_s))


def months(found: Sequences) -> Windows:
    """Whole calendar months of the local clock, of which the first and last may have begun before or end after the log.

    Their lengths differ; `length_s` is 0.
    """
    month = found.local_s.astype("datetime64[s]").astype("datetime64[M]")
    if not len(month):
        return Windows(*(np.zeros(0, np.int64), 0), *(np.zeros((found.n_units, 0), np.int64),) * 2)
    edges = np.arange(month.min(), month.max() + 2).astype("datetime64[s]").astype(np.int64)
    rows = _rows(found, edges)
    return Windows(edges[:-1], 0, rows[:, :-1], rows[:, 1:])


def _rows(found: Sequences, edges_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """(U, E) the first row of each unit at or after each midnight."""
    base = int(min(found.local_s.min(initial=0), edges_s.min(initial=0)))
    span = int(max(found.local_s.max(initial=0), edges_s.max(initial=0))) - base + 1
    key = found.unit * span + (found.local_s - base)
    asked = np.arange(found.n_units)[:, None] * span + (edges_s - base)
    return np.searchsorted(key, asked, side="left")


@released
def in_new_order(
    label: NDArray[np.int64], starts: NDArray[np.int64], owners: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Labels (N,) by user with the blocks of each user in random order, the events of a block together."""
    order = np.arange(len(starts) - 1)
    found = np.empty_like(label)
    row = 0
    shuffle_groups(order, owners, rng)
    for block in order:
        for one in range(starts[block], starts[block + 1]):
            found[row] = label[one]
            row += 1
    return found

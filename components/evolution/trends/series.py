"""The series of a log that are shown: the total, and the largest values of each dimension with the rest as one.

Steps are those of the users' local clocks; the first and the last are left out where the log does not cover them whole.
Values that fewer users have than may be shown are pooled. Never here: reading day files (`counts`), or a forecast.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.trends.counts import OTHER, UNKNOWN
from components.evolution.trends.hierarchy import least_change
from components.evolution.trends.panel import SEASONS, Floats, Panel, Step
from components.features.place import cell_name
from components.features.time import DAY_S, HOUR_S

TOTAL = "all"
_CROSS = " × "
_EPOCH = dt.datetime(1970, 1, 1)  # local time of users; a Thursday
LENGTH_S: Mapping[Step, int] = {"hour": HOUR_S, "day": DAY_S, "week": 7 * DAY_S}


@dataclass(frozen=True, eq=False)
class Split:
    """One way to split the events.

    Attributes
    ----------
    name : such as "action" or "action × category"
    code : (N,) 0..V-1
    values : (V,) names, the largest first; what is pooled is "other"
    """

    name: str
    code: NDArray[np.int16]
    values: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shown:
    """Series of one step.

    Attributes
    ----------
    panel : (S, T); keys `by` and `value`; the first series is the total, the parts of each split follow
    users : (S, T) users with an event
    parts : split → rows of its parts, which sum to the total
    """

    panel: Panel
    users: NDArray[np.int64]
    parts: Mapping[str, NDArray[np.int64]]

    def latest(self, steps: int) -> Shown:
        """The last steps, at most so many."""
        panel = self.panel
        skip = max(panel.steps - steps, 0)
        start = begin_of(panel, skip)
        cut = Panel(panel.values[:, skip:], panel.keys, panel.seasons, panel.step, start, panel.zone)
        return Shown(cut, self.users[:, skip:], self.parts)


def name_of(dimensions: Sequence[str]) -> str:
    """Name of a split by one dimension, or by several at once."""
    return _CROSS.join(dimensions)


def crossed(name: str) -> bool:
    """Whether a split of this name is by several dimensions at once."""
    return _CROSS in name


def begin_of(panel: Panel, step: int) -> dt.datetime:
    """Beginning of a step, also of one to come, on the users' clocks."""
    assert panel.start is not None
    assert panel.step is not None
    return panel.start + dt.timedelta(seconds=step * LENGTH_S[panel.step])


def split(log: Log, dimensions: Sequence[str], resolution: int, most: int, least_users: int) -> Split:
    """Split the events by one dimension, or by several at once.

    Parameters
    ----------
    log : Log
    dimensions : of action, category, region
    resolution : of the H3 cells that are regions
    most : values that are kept, of all dimensions together; what has fewer events is pooled
    least_users : values of fewer users are pooled; where what is pooled has too few, the smallest kept joins it
    """
    codes, names = zip(*(_values(log, one, resolution) for one in dimensions), strict=True)
    whole = np.zeros(log.n_events, np.int64)
    for code, name in zip(codes, names, strict=True):
        whole = whole * len(name) + code
    count = np.bincount(whole, minlength=int(np.prod([len(name) for name in names])))
    there = np.flatnonzero(count)
    place, events = (np.cumsum(count > 0) - 1)[whole], count[there]
    users = _distinct(log.user, place, len(there))
    order = np.lexsort((there, -events))
    kept = [int(one) for one in order if users[one] >= least_users][:most]
    while len(kept) < len(there) and kept and _users_outside(log, place, kept) < least_users:
        kept.pop()
    final = np.full(len(there), len(kept), np.int16)
    final[kept] = np.arange(len(kept))
    values = [_joined(int(there[one]), names) for one in kept] + [OTHER] * (len(kept) < len(there))
    return Split(name_of(dimensions), final[place], tuple(values))


def _users_outside(log: Log, place: NDArray[np.integer], kept: list[int]) -> int:
    return len(np.unique(log.user[~np.isin(place, kept)]))


def _joined(code: int, names: Sequence[Sequence[str]]) -> str:
    parts = []
    for name in reversed(names):
        code, here = divmod(code, len(name))
        parts.append(str(name[here]))
    return " · ".join(reversed(parts))


def _values(log: Log, dimension: str, resolution: int) -> tuple[NDArray[np.int64], Sequence[str]]:
    """(N,) codes and their names, the last of which is what is not known."""
    if dimension == "region":
        cells, found = log.cells(resolution)
        names = [cell_name(int(cell)) for cell in cells]
    elif dimension in ("action", "category"):
        found = (log.action if dimension == "action" else log.category).astype(np.int64)
        names = [str(one) for one in (log.actions if dimension == "action" else log.categories)]
    else:
        raise DataError("action, category or region", found=dimension, do="Correct `evolve.trends`.")
    return np.where(found < 0, len(names), found), [*names, UNKNOWN]


def _distinct(user: NDArray[np.integer], key: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(size,) users with an event of each key; `user` ascending."""
    pairs = np.sort(user.astype(np.int64) * size + key)  # faster than np.unique, which hashes
    fresh = np.ones(len(pairs), bool)
    fresh[1:] = pairs[1:] != pairs[:-1]
    return np.bincount(pairs[fresh] % size, minlength=size)


def shown(log: Log, splits: Sequence[Split], step: Step, counted_users: bool = True) -> Shown:
    """Counts of the total and of every part, on a complete grid of whole steps.

    Parameters
    ----------
    counted_users : also count the users of each cell; else they are −1

    Raises
    ------
    DataError
        The log covers no whole step.
    """
    low, count = _whole_steps(log, step)
    at = _number(log.local_s, step) - low
    inside = (at >= 0) & (at < count)
    at, user = at[inside], log.user[inside]
    whole = [Split(TOTAL, np.zeros(log.n_events, np.int16), (TOTAL,)), *splits]
    values, users, keys, parts, row = [], [], [], {}, 0
    for one in whole:
        size = len(one.values) * count
        cell = one.code[inside].astype(np.int64) * count + at
        values.append(np.bincount(cell, minlength=size).reshape(-1, count).astype(np.float64))
        told = _distinct(user, cell, size) if counted_users else np.full(size, -1)
        users.append(told.reshape(-1, count))
        keys += [{"by": one.name, "value": value} for value in one.values]
        parts[one.name] = np.arange(row, row + len(one.values))
        row += len(one.values)
    del parts[TOTAL]
    start = _EPOCH + dt.timedelta(seconds=low * LENGTH_S[step] - _shift_s(step))
    panel = Panel(np.concatenate(values), pl.DataFrame(keys), SEASONS[step], step, start)
    return Shown(panel, np.concatenate(users), parts)


def _shift_s(step: Step) -> int:
    """Seconds from the beginning of a step to 1970: weeks begin on Monday, 1970 began on a Thursday."""
    return 3 * DAY_S if step == "week" else 0


def _number(local_s: NDArray[np.int64], step: Step) -> NDArray[np.int64]:
    """(N,) number of the step."""
    return (local_s + _shift_s(step)) // LENGTH_S[step]


def _whole_steps(log: Log, step: Step) -> tuple[int, int]:
    """First whole step and how many there are: whole days (UTC) of the log are taken to be whole."""
    if not log.n_events:
        raise DataError("events", found="none", do="Ingest first.")
    offset = log.local_s - log.time_s
    begin = int(log.time_s.min()) // DAY_S * DAY_S + int(offset.max()) + _shift_s(step)
    end = (int(log.time_s.max()) // DAY_S + 1) * DAY_S + int(offset.min()) + _shift_s(step)
    low, high = -(-begin // LENGTH_S[step]), end // LENGTH_S[step]
    if high <= low:
        raise DataError(f"a whole {step} of log", found="fewer", do="Leave the step out of `evolve.trends.steps`.")
    return low, high - low


def adding_up(series: Shown, point: Floats, spread: Floats) -> Floats:
    """Points of all series changed least so that the parts of every split sum to the total.

    Parameters
    ----------
    point : (S, H)
    spread : (S,) error scale of each series: the surer are changed less

    Returns
    -------
    (S, H), not below 0: where the least change would go there, the parts share the total in proportion to the rest.
    """
    rows = list(series.parts.values())
    if not rows:
        return point
    constraint = np.zeros((len(rows), len(point)))
    for place, part in enumerate(rows):
        constraint[place, part], constraint[place, 0] = 1.0, -1.0
    known = spread[np.isfinite(spread) & (spread > 0)]
    least = 1e-3 * float(known.min()) if len(known) else 1.0
    weight = np.where(np.isfinite(spread) & (spread > 0), spread, least) ** 2
    found = np.maximum(least_change(point, constraint, weight), 0.0)
    for part in rows:
        total = found[part].sum(0)
        found[part] *= np.where(total > 0, found[0] / np.where(total > 0, total, 1.0), 1.0)
    return np.asarray(found)

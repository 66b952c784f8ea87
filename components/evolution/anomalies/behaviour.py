"""What each user does in some figures, in both directions of which behaviour may be strange: too fast, too regular.

Never here: what is strange (`peers`, `detectors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import Log
from components.features.place import haversine_km
from components.features.time import DAY_S, HOUR_S

Floats = NDArray[np.float64]
_SLOTS = 6  # of a day, in the mix of hours that is compared between parts of a history
_QUARTERS = 4
_SLOW_S = 60  # shorter steps tell of clocks and receivers, not of speed

#: Name of each figure → what it is, for people.
FIGURES: Mapping[str, str] = {
    "rate": "events an active day (log)",
    "busiest_day": "events of the busiest day over the mean of active days (log)",
    "burstiness": "(σ − μ) / (σ + μ) of the pauses, −1 a clock … 1 bursts",
    "pause_spread": "spread of the log of the pauses (interquartile range): 0 is a machine's",
    "same_pauses": "share of pauses that last as long as the one before, to the second",
    "hour_entropy": "entropy of the hours of the day, bits",
    "odd_hours": "mean surprise of the hours under everybody's, bits",
    "repeat_share": "share of events at items seen before",
    "commonest_item": "share of the commonest item",
    "action_surprise": "mean surprise of the actions under everybody's, bits",
    "category_surprise": "mean surprise of the categories under everybody's, bits",
    "speed": "largest speed between two places, km/h (log)",
    "turn": "largest difference between a history's earlier and later part: items, categories or hours",
    "own_items": "how much better the user's earlier items tell the later half's than everybody's do, nats",
    "own_kinds": "the same of categories by part of the day, nats",
    "own_places": "the same of cells, nats",
    "likelihood": "mean log-likelihood of the events under a model, nats",
    "least_likely": "mean of the least likely tenth of the events, nats",
}
#: Spreads that chance alone has, of figures that are 0 for most: a coincidence or two.
_LEAST_SPREAD: Mapping[str, float] = {"same_pauses": 0.05}


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Attributes
    ----------
    user : (V,) rows of the users with enough events
    events : (V,) their events
    names : (F,) of FIGURES
    values : (V, F), NaN where a user does not tell
    """

    user: NDArray[np.int64]
    events: NDArray[np.int64]
    names: tuple[str, ...]
    values: Floats

    @property
    def least_spread(self) -> Floats:
        """(F,) spreads that users differ by at least (`peers.deviations`)."""
        return np.array([_LEAST_SPREAD.get(name, 1e-10) for name in self.names])


def behaviour(log: Log, least_events: int, resolution: int, likelihood: Floats | None = None) -> Behaviour:
    """Figures of every user with enough events.

    Parameters
    ----------
    log : Log
    least_events : fewer tell little
    resolution : of the cells that places are compared by
    likelihood : (U, 2) mean log-likelihood of a user's events and of the least likely tenth; NaN: not known
    """
    count = np.diff(log.offsets)
    user = np.flatnonzero(count >= least_events)
    log = log.only(np.isin(log.user, user))
    pause_s, same = _pauses(log)
    found: dict[str, Floats] = {
        **_pace(log),
        **_rhythm(log, pause_s, same),
        "hour_entropy": _entropy(log, log.local_s // HOUR_S % 24, 24),
        "odd_hours": _surprise(log, log.local_s // HOUR_S % 24),
        **_repeats(log),
        "action_surprise": _surprise(log, log.action),
        "category_surprise": _surprise(log, log.category),
        "speed": _speed(log, pause_s, same),
        "turn": turn(log),
        **_own(log, resolution),
    }
    if likelihood is not None:
        found |= {"likelihood": likelihood[:, 0], "least_likely": likelihood[:, 1]}
    values = {name: found[name][user] for name in FIGURES if name in found}
    told = {name: one for name, one in values.items() if np.isfinite(one).any() and np.nanstd(one) > 0}
    matrix = np.stack(list(told.values()), axis=1) if told else np.zeros((len(user), 0))
    return Behaviour(user, count[user], tuple(told), matrix)


def _pauses(log: Log) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(N − 1,) seconds to the next event, and whether it is the same user's."""
    return np.diff(log.time_s), np.diff(log.user) == 0


def _pace(log: Log) -> dict[str, Floats]:
    days, events = np.unique(log.user * 100_000 + log.day, return_counts=True)
    owner = days // 100_000
    active = np.bincount(owner, minlength=log.n_users)
    most = np.zeros(log.n_users)
    np.maximum.at(most, owner, events)
    rate = np.where(active > 0, np.diff(log.offsets) / np.maximum(active, 1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"rate": np.log(rate), "busiest_day": np.log(most / rate)}


def _rhythm(log: Log, pause_s: NDArray[np.int64], same: NDArray[np.bool_]) -> dict[str, Floats]:
    owner, pause = log.user[:-1][same], pause_s[same].astype(np.float64)
    count = np.bincount(owner, minlength=log.n_users)
    safe = np.maximum(count, 1)
    mean = np.bincount(owner, pause, log.n_users) / safe
    spread = np.sqrt(np.maximum(np.bincount(owner, pause**2, log.n_users) / safe - mean**2, 0))
    both = spread + mean
    order = np.lexsort((pause, owner))
    logged = np.log1p(pause[order])
    first = np.concatenate([[0], np.cumsum(count)])[:-1]
    low, high = (
        logged[np.minimum(first + (share * (count - 1)).astype(np.int64), max(len(logged) - 1, 0))]
        if len(logged)
        else np.zeros(log.n_users)
        for share in (0.25, 0.75)
    )
    told = count >= 4
    again = np.flatnonzero((np.diff(owner) == 0) & (np.abs(np.diff(pause)) <= 1) & (pause[1:] > 1)) + 1
    return {
        "same_pauses": np.where(told, np.bincount(owner[again], minlength=log.n_users) / safe, np.nan),
        "burstiness": np.where(told & (both > 0), (spread - mean) / np.where(both > 0, both, 1), np.nan),
        "pause_spread": np.where(told, high - low, np.nan),
    }


def _entropy(log: Log, label: NDArray[np.integer], size: int) -> Floats:
    """(U,) plug-in entropy, bits."""
    table = np.bincount(log.user * size + label, minlength=log.n_users * size).reshape(-1, size)
    total = table.sum(1, keepdims=True)
    share = table / np.maximum(total, 1)
    bits = -(share * np.log2(np.where(share > 0, share, 1))).sum(1)
    return np.where(total[:, 0] > 0, bits, np.nan)


def _surprise(log: Log, label: NDArray[np.integer]) -> Floats:
    """(U,) mean of −log₂ of everybody's share of each event's label; events without one do not count."""
    known = label >= 0
    if not known.any():
        return np.full(log.n_users, np.nan)
    total = np.bincount(label[known])
    bits = -np.log2(np.maximum(total, 1) / total.sum())
    count = np.bincount(log.user[known], minlength=log.n_users)
    told = np.bincount(log.user[known], bits[label[known]], log.n_users)
    return np.where(count > 0, told / np.maximum(count, 1), np.nan)


def _repeats(log: Log) -> dict[str, Floats]:
    known = log.item >= 0
    pairs, events = np.unique(log.user[known] * len(log.items) + log.item[known], return_counts=True)
    owner = pairs // max(len(log.items), 1)
    total = np.bincount(log.user[known], minlength=log.n_users)
    most = np.zeros(log.n_users)
    np.maximum.at(most, owner, events)
    safe = np.maximum(total, 1)
    distinct = np.bincount(owner, minlength=log.n_users)
    return {
        "repeat_share": np.where(total > 0, 1 - distinct / safe, np.nan),
        "commonest_item": np.where(total > 0, most / safe, np.nan),
    }


def _speed(log: Log, pause_s: NDArray[np.int64], same: NDArray[np.bool_]) -> Floats:
    lat, lon = log.latitude, log.longitude
    steps = same & ~np.isnan(lat[1:]) & ~np.isnan(lat[:-1]) & (pause_s >= _SLOW_S)
    at = np.flatnonzero(steps)
    km = haversine_km(lat[at], lon[at], lat[at + 1], lon[at + 1])
    found = np.full(log.n_users, -1.0)
    np.maximum.at(found, log.user[at], np.log1p(km / (pause_s[at] / HOUR_S)))
    return np.where(found >= 0, found, np.nan)


def _own(log: Log, resolution: int) -> dict[str, Floats]:
    cells, cell = log.cells(resolution)
    slot = log.local_s % DAY_S * _SLOTS // DAY_S
    kind = np.where(log.category >= 0, log.category * _SLOTS + slot, -1)
    return {
        "own_items": gain(log, log.item.astype(np.int64), len(log.items)),
        "own_kinds": gain(log, kind, len(log.categories) * _SLOTS),
        "own_places": gain(log, cell, len(cells)),
    }


def gain(log: Log, label: NDArray[np.int64], size: int) -> Floats:
    """(U,) mean over a history's later half of log (½ everybody's + ½ own earlier share) − log everybody's share.

    What a user keeps doing is told by what the same user did; what somebody else does with the account is not.

    Parameters
    ----------
    label : (N,) 0..size-1, −1 = none
    """
    known = label >= 0
    if not known.any():
        return np.full(log.n_users, np.nan)
    everybody = np.bincount(label[known], minlength=size) / known.sum()
    place = np.arange(log.n_events) - log.offsets[log.user]
    late = known & (2 * place >= np.diff(log.offsets)[log.user])
    early = known & ~late
    key = log.user * size + label
    seen, times = np.unique(key[early], return_counts=True)
    if not len(seen):
        return np.full(log.n_users, np.nan)
    before = np.bincount(log.user[early], minlength=log.n_users)
    owner, asked = log.user[late], key[late]
    at = np.minimum(np.searchsorted(seen, asked), len(seen) - 1)
    own = np.where(seen[at] == asked, times[at], 0) / np.maximum(before[owner], 1)
    told = np.log(0.5 + 0.5 * own / everybody[label[late]])
    count = np.bincount(owner, minlength=log.n_users)
    mean = np.bincount(owner, told, log.n_users) / np.maximum(count, 1)
    return np.where((count > 0) & (before > 0), mean, np.nan)


def turn(log: Log) -> Floats:
    """(U,) how much a history's later part differs from its earlier one, in standard deviations of chance.

    The largest over three places to cut and over items, categories and hours of the day. The likelihood-ratio
    statistic of a table of two rows has the mean and twice the variance of its degrees of freedom.
    """
    place = np.arange(log.n_events) - log.offsets[log.user]
    quarter = place * _QUARTERS // np.diff(log.offsets)[log.user]
    labels = (
        (log.item.astype(np.int64), len(log.items)),
        (log.category.astype(np.int64), len(log.categories)),
        (log.local_s % DAY_S * _SLOTS // DAY_S, _SLOTS),
    )
    found = np.full(log.n_users, np.nan)
    for label, size in labels:
        known = label >= 0
        if known.any() and size > 1:
            found = np.fmax(found, _turn_of(log.user[known], label[known], size, quarter[known], log.n_users))
    return found


def _turn_of(
    user: NDArray[np.int64], label: NDArray[np.int64], size: int, quarter: NDArray[np.int64], n_users: int
) -> Floats:
    pairs, row = np.unique(user * size + label, return_inverse=True)
    table = np.bincount(row * _QUARTERS + quarter, minlength=len(pairs) * _QUARTERS).reshape(-1, _QUARTERS)
    owner, whole = pairs // size, table.sum(1).astype(np.float64)
    n = np.bincount(owner, whole, n_users)
    free = np.bincount(owner, minlength=n_users) - 1.0
    found = np.full(n_users, np.nan)
    before = np.zeros(len(pairs))
    for cut in range(_QUARTERS - 1):
        before = before + table[:, cut]
        early = np.bincount(owner, before, n_users)
        g = np.zeros(len(pairs))
        for part, size_of in ((before, early), (whole - before, n - early)):
            expected = whole * (size_of / np.maximum(n, 1))[owner]
            g += np.where(part > 0, part * np.log(np.where(part > 0, part, 1) / np.maximum(expected, 1e-300)), 0.0)
        statistic = 2 * np.bincount(owner, g, n_users)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.fmax(found, np.where(free > 0, (statistic - free) / np.sqrt(2 * free), np.nan))
    return found

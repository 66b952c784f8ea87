"""What each user does in some figures, in both directions of which behaviour may be strange: too fast, too regular.

Never here: what is strange (`peers`, `detectors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.anomalies.likelihoods import Likelihoods
from components.evolution.anomalies.turns import Turns
from components.evolution.log import Log
from components.features.place import haversine_km
from components.features.time import HOUR_S

Floats = NDArray[np.float64]
_DASH_S = 600
_RUN = 5  # items in a row that two users seldom go through in the same order by themselves
_PRIME = np.uint64(1_099_511_628_211)
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
    "dash": "most events within ten minutes (log)",
    "awake": "hours of one day with events, of the day with most",
    "copied": "share of events in runs of five items that another user went through in the same order",
    "turn": "how much likelier a later part of the history is another's than the same user's, nats",
    "likelihood": "mean log-likelihood of the events under a model, nats",
    "least_likely": "mean of the least likely tenth of the events, nats",
    "less_likely": "mean log-likelihood of a day before that later part, less from it on, nats",
}
#: Spreads that chance alone has, of figures that are 0 for most: a coincidence or two.
_LEAST_SPREAD: Mapping[str, float] = {"same_pauses": 0.05, "copied": 0.1, "awake": 1.0, "dash": 0.2}


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


def enough(log: Log, least_events: int) -> NDArray[np.int64]:
    """(V,) rows of the users with enough events: fewer tell little."""
    return np.flatnonzero(np.diff(log.offsets) >= least_events)


def behaviour(log: Log, changed: Turns, likelihood: Likelihoods | None = None) -> Behaviour:
    """Figures of the users that `turns` was asked about.

    Parameters
    ----------
    log : Log
    changed : of the users with enough events
    likelihood : of events under a model, where there is one
    """
    count, user = np.diff(log.offsets), changed.user
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
        "dash": _dash(log),
        "awake": _awake(log),
        "copied": _copied(log),
    }
    values = {name: one[user] for name, one in found.items()} | {"turn": changed.score}
    if likelihood is not None:
        values |= {"likelihood": likelihood.mean[user], "least_likely": likelihood.least[user],
                   "less_likely": likelihood.fallen(user, changed.since)}  # fmt: skip
    values = {name: values[name] for name in FIGURES if name in values}
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


def _dash(log: Log) -> Floats:
    """(U,) logarithm of the most events within ten minutes."""
    key = log.user * 10**11 + log.time_s
    within = np.searchsorted(key, key + _DASH_S, side="right") - np.arange(log.n_events)
    most = np.zeros(log.n_users)
    np.maximum.at(most, log.user, within)
    return np.log(np.maximum(most, 1))


def _awake(log: Log) -> Floats:
    """(U,) most hours of a local day with an event."""
    hours = np.unique(log.user * 10**8 + log.local_s // HOUR_S)
    days, count = np.unique(hours // 10**8 * 10**8 + hours % 10**8 // 24, return_counts=True)
    most = np.zeros(log.n_users)
    np.maximum.at(most, days // 10**8, count)
    return most


def _copied(log: Log) -> Floats:
    """(U,) share of events in runs of items that another user went through in the same order.

    Further events at the item of the one before are the same step.
    """
    step = np.flatnonzero(log.item >= 0)
    user, item = log.user[step], log.item[step].astype(np.uint64)
    fresh = np.ones(len(step), bool)
    fresh[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    user, item = user[fresh], item[fresh]
    if len(user) < _RUN:
        return np.full(log.n_users, np.nan)
    runs = len(user) - _RUN + 1
    name = np.zeros(runs, np.uint64)
    for place in range(_RUN):
        name = (name ^ (item[place : place + runs] + np.uint64(1))) * _PRIME  # wraps: a hash (FNV-1a)
    whole = np.flatnonzero(user[:runs] == user[_RUN - 1 :])
    _, code = np.unique(name[whole], return_inverse=True)
    users = np.unique(code * log.n_users + user[whole]) // log.n_users
    shared = np.bincount(users, minlength=int(code.max(initial=-1)) + 1)[code] > 1
    covered = np.zeros(len(user), bool)
    for place in range(_RUN):
        covered[whole[shared] + place] = True
    steps = np.bincount(user, minlength=log.n_users)
    return np.where(steps >= _RUN, np.bincount(user, covered, log.n_users) / np.maximum(steps, 1), np.nan)

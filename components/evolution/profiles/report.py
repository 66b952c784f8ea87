"""Kinds of users on a map, as one JSON record: how many are of each unit, what those do and when, how good the map is.

Never here: a unit, or a part of one, of too few users; or a user.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.profiles.kohonen import Map, fit, nearest
from components.evolution.profiles.quality import judged
from components.evolution.profiles.weeks import PART_H, PARTS, Kinds, counts, kinds_of, parts, profiles
from components.evolution.record import plain
from components.evolution.suppression import Line, linked, suppress
from components.params import ProfileParams

Record = dict[str, Any]
Codes = NDArray[np.integer]
Floats = NDArray[np.float64]
_USERS_A_UNIT = 3  # times `least_users`, on average at least: many of fewer would have to be hidden
_LEAST_UNITS = 3
_WEEK_DAYS = 7
_TIMES = (("early morning", 5, 8), ("morning", 8, 11), ("lunchtime", 11, 14), ("afternoon", 14, 17),
          ("evening", 17, 21), ("late evening", 21, 24), ("night", 0, 5))  # fmt: skip


def profile_report(log: Log, params: ProfileParams, seed: int) -> Record:
    """The map of one log's users.

    Parameters
    ----------
    log : with local times
    params : ProfileParams
    seed : of what the map is judged by; the map itself draws nothing

    Raises
    ------
    DataError
        Fewer users than a map of three units needs, or no category that so many have that it may be told.
    """
    enough = np.flatnonzero(np.diff(log.offsets) >= params.least_events)
    units = min(params.units, len(enough) // (_USERS_A_UNIT * params.least_users))
    if units < _LEAST_UNITS:
        needed = _LEAST_UNITS * _USERS_A_UNIT * params.least_users
        raise DataError(f"{needed} users with {params.least_events} events or more", found=str(len(enough)),
                        do="Wait for more, or ask for fewer in evolve.profiles.")  # fmt: skip
    rows = int(np.sqrt(units))
    size = units // rows, rows
    place = np.full(log.n_users, -1, np.int64)
    place[enough] = np.arange(len(enough))
    kind = kinds_of(log, place[log.user] >= 0, params.categories, params.least_users)
    if not kind.names:
        raise DataError(f"a category or an action of {params.least_users} users or more", found="none",
                        do="Bring coarser categories, or ask for fewer users in evolve.profiles.")  # fmt: skip
    mine = np.flatnonzero(kind.code >= 0)
    owner, hour, what = place[log.user[mine]], log.hour_of_week[mine], kind.code[mine]
    whole = counts(owner, hour, what, len(enough), len(kind.names))
    profile = profiles(whole, params.bandwidth_h, params.prior)
    found = fit(profile, *size, params.rounds)
    even = (log.day[mine] + 3) // _WEEK_DAYS % 2 == 0
    half, other = (counts(owner[rows], hour[rows], what[rows], len(enough), len(kind.names)) for rows in (even, ~even))
    both = np.minimum(half.sum(axis=(0, 2)), other.sum(axis=(0, 2))) * 4 >= params.least_events
    quality: Record = {"missing": "Too few users have events in even and in odd weeks."}
    if both.sum() > 2 * len(found.units):
        these, those = (profiles(one[:, both], params.bandwidth_h, params.prior) for one in (half, other))
        quality = plain(judged(found, profile, these, those, params.rounds, params.deals, params.permutations, seed))
    unit = nearest(profile, found.units)[:, 0]
    return dict(plain({
        "users": len(enough), "later_users": int(both.sum()), "columns": size[0], "rows": size[1],
        "quality": quality, **_described(found, unit, whole, kind, params.least_users),
    }))  # fmt: skip


def _described(found: Map, unit: NDArray[np.int64], count: Floats, kind: Kinds, least: int) -> Record:
    """Units, and their shares by part of the week and by category; what is of too few users is null."""
    n = len(found.units)
    table = pl.DataFrame({"users": np.bincount(unit, minlength=n), "of": 0})
    told = suppress(table, "users", [], least, ["of"])
    hidden = told["suppressed"].to_numpy()
    total = np.maximum(count.sum(axis=(0, 2)), 1.0)
    by_part = parts(count.sum(axis=0))
    by_kind = count.sum(axis=2).T
    by_time = _by_time(count.sum(axis=0))
    names = [f"{chr(ord('A') + int(c))}{int(r) + 1}" for c, r in zip(found.column, found.row, strict=True)]
    hours = _table(by_part, total, unit, hidden, least)
    what = _table(by_kind, total, unit, hidden, least)
    when = _table(by_time, total, unit, hidden, least)
    all_kind, all_time = ((one / total[:, None]).mean(axis=0) for one in (by_kind, by_time))
    answer: list[Record] = []
    for one in range(n):
        shown = None if hidden[one] else int(table["users"][one])
        answer.append(
            {"unit": names[one], "column": int(found.column[one]), "row": int(found.row[one]), "users": shown,
             "share": None if shown is None else shown / len(unit),
             **_most("what", what[one], all_kind, kind.named), **_most("when", when[one], all_time, _time_names())}
        )  # fmt: skip
    return {
        "units": answer,
        "hours": [
            {"unit": names[one], "weekday": part * PART_H // 24, "hour": part * PART_H % 24,
             "share": hours[one, part]}
            for one in range(n) if not hidden[one] and table["users"][one] for part in range(PARTS)
        ],
        "categories": [
            {"unit": names[one], "category": name, "share": what[one, place], "of_all": all_kind[place]}
            for one in range(n) if not hidden[one] and table["users"][one] for place, name in enumerate(kind.names)
        ],
    }  # fmt: skip


def _table(count: Floats, total: Floats, unit: NDArray[np.int64], hidden: NDArray[np.bool_], least: int) -> Floats:
    """(M, K) mean share of the users of each unit, one vote a user; NaN: of too few users, or it would betray those.

    Parameters
    ----------
    count : (U, K) events of each user
    total : (U,) of all
    hidden : (M,) units that are not told at all; the shares of everybody are told, and those of a unit sum to 1
    """
    n, kinds = len(hidden), count.shape[1]
    people, share = np.zeros((n, kinds), np.int64), np.zeros((n, kinds))
    np.add.at(people, unit, (count > 0).astype(np.int64))
    np.add.at(share, unit, count / total[:, None])
    cell = np.arange(n * kinds).reshape(n, kinds)
    seen = np.flatnonzero(~hidden)
    unseen = bool(hidden.any())
    lines = [Line(cell[one]) for one in seen] + [Line(cell[seen, one], unseen=unseen) for one in range(kinds)]
    users = np.where(hidden[:, None], 0, people)
    blank = linked(users.ravel(), lines, least).reshape(n, kinds) | hidden[:, None]
    size = np.maximum(np.bincount(unit, minlength=n), 1)[:, None]
    return np.where(blank, np.nan, share / size)


def _by_time(hours: Floats) -> Floats:
    """(U, 14) events of weekdays, then of weekends, by time of the day."""
    day = hours.reshape(len(hours), 7, 24)
    sides = [day[:, :5].sum(axis=1), day[:, 5:].sum(axis=1)]
    return np.stack([side[:, begin:end].sum(axis=1) for side in sides for _, begin, end in _TIMES], axis=1)


def _time_names() -> list[str]:
    return [f"{days} {name}s" for days in ("weekday", "weekend") for name, _, _ in _TIMES]


def _most(name: str, share: Floats, usual: Floats, names: list[str]) -> Record:
    """What a unit has most more of than everybody, in points, of what has a name; there may be no names."""
    more = np.where(np.isnan(share), -np.inf, share - usual)[: len(names)]
    best = int(more.argmax()) if names else -1
    if best < 0 or not more[best] > 0:
        return {name: None, f"{name}_share": None, f"{name}_all": None}
    return {name: names[best], f"{name}_share": share[best], f"{name}_all": usual[best]}

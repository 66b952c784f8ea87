"""Recurring patterns of a log, named by when, where and who, as one JSON record.

Never here: a pattern of too few users, or a user.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from components.errors import DataError
from components.evolution.log import HOURS_OF_WEEK, Log
from components.evolution.patterns.found import Pattern, Rules, Visits, patterns
from components.evolution.patterns.windows import SLOTS, Window, month_windows, slots_of, week_windows
from components.evolution.record import plain
from components.evolution.space.anchors import Anchors, Hours, anchors
from components.features.place import cell_name
from components.params import PatternParams, SpaceParams

Record = dict[str, Any]
_WEEK_DAYS = 7
_LEAST_WEEKS = 4
_NEAR = 0.1  # points by which the share of visits near work or home must exceed those users' usual


def pattern_report(log: Log, params: PatternParams, space: SpaceParams, free: NDArray[np.integer], seed: int) -> Record:
    """Patterns of the week, of holidays and of months, by category, action and cell.

    Parameters
    ----------
    log : with local times
    params : PatternParams
    space : whose rules tell homes and places of work
    free : (H,) public holidays, days since 1970

    Raises
    ------
    DataError
        The log is shorter than four weeks.
    """
    weeks = (int(log.day.max()) - int(log.day.min()) + 1) / _WEEK_DAYS
    if weeks < _LEAST_WEEKS:
        raise DataError(f"{_LEAST_WEEKS} weeks of events", found=f"{weeks:.1f}", do="Wait: what recurs needs weeks.")
    slot, windows = slots_of(log.day, log.hour_of_week % 24, free), week_windows()
    days = np.arange(log.day.min(), log.day.max() + 1)
    hours = slots_of(np.repeat(days, 24), np.tile(np.arange(24), len(days)), free)
    often = np.bincount(hours, minlength=SLOTS).astype(np.float64)
    months, month = np.unique(log.month, return_inverse=True)
    waves = month_windows(months)
    plain_day = ~np.isin(
        days, np.concatenate([free, free - 1])
    )  # holidays lie in some months, and are no wave of these
    lengths = np.bincount(np.searchsorted(months, _month_of(days[plain_day])), minlength=len(months)).astype(np.float64)
    near = _near(log, params, space)
    week = (log.day + 3) // _WEEK_DAYS
    rules = Rules(params.level, params.ratio, params.weeks, params.least_users, params.most)
    listed: list[Record] = []
    tested = 0
    for kind, place, names in _places(log, params):
        asked = _frequent(log, place, params)
        if asked is None:
            continue
        code, kept = asked
        tested += len(kept) * (len(windows) + len(waves))
        labels = [names[one] for one in kept]
        ordinary = np.where(slot < HOURS_OF_WEEK, code, -1)
        for looked, at, slots, moment, size in (
            (windows, code, slot, log.day, often), (waves, ordinary, month, month, lengths)
        ):  # fmt: skip
            visits = Visits.of(log.user, at, slots, moment, week)
            for one in patterns(visits, looked, size, rules, params.permutations, seed):
                if one.place < len(labels):  # not elsewhere
                    listed.append(_told(log, one, looked[one.window], kind, labels, near, params))
    listed.sort(key=lambda one: -one["z"])
    seen = {(one["when"], one["place"]) for one in listed if one["kind"] != "cell"}
    listed = [one for one in listed if one["kind"] != "cell" or (one["when"], one["place"]) not in seen]
    chosen = listed[: params.most]
    return dict(plain({"tested": tested, "users": log.n_users, "weeks": weeks, "patterns": chosen,
                       "hours": _hours(log, chosen, params)}))  # fmt: skip


def _month_of(days: NDArray[np.int64]) -> NDArray[np.int64]:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _places(log: Log, params: PatternParams) -> list[tuple[str, NDArray[np.int64], list[str]]]:
    """What can be a place: kind, code (N,) of each event or -1, names."""
    found = []
    if len(log.categories):
        found.append(("category", log.category.astype(np.int64), [str(one) for one in log.categories]))
    if len(log.actions) > 1:
        found.append(("action", log.action.astype(np.int64), [str(one) for one in log.actions]))
    cells, index = log.cells(params.resolution)
    if len(cells):
        found.append(("cell", index, [cell_name(int(cell)) for cell in cells]))
    return found


def _frequent(log: Log, place: NDArray[np.int64], params: PatternParams) -> tuple[NDArray[np.int64], list[int]] | None:
    """Codes of the places with most users, and of everything else as one more; None where fewer than two are left."""
    known = place >= 0
    n = int(place.max(initial=-1)) + 1
    pairs = np.unique(place[known] * log.n_users + log.user[known])
    users = np.bincount(pairs // log.n_users, minlength=n)
    kept = np.argsort(-users, kind="stable")[: params.places]
    kept = np.sort(kept[users[kept] >= params.least_users])
    if not len(kept):
        return None
    code = np.full(n + 1, len(kept), np.int64)
    code[kept], code[n] = np.arange(len(kept)), -1
    return code[place], kept.tolist()


def _near(log: Log, params: PatternParams, space: SpaceParams) -> dict[str, NDArray[np.bool_]]:
    """(N,) whether each event is in the cell of the user's work, or home; nothing where nobody has one."""
    cells, index = log.cells(params.resolution)
    if not len(cells):
        return {}
    hours = {name: Hours(of.begin, of.end, of.weekdays_only) for name, of in (("home", space.home),
                                                                             ("work", space.work))}  # fmt: skip
    rule = space.anchor_events, space.anchor_share
    home = anchors(log, params.resolution, hours["home"], *rule, None)
    work = anchors(log, params.resolution, hours["work"], *rule, home)
    return {name: _at(one, log, index) for name, one in (("work", work), ("home", home)) if (one.cell >= 0).any()}


def _at(anchor: Anchors, log: Log, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (anchor.cell[log.user] == index) & (index >= 0)


def _told(
    log: Log,
    one: Pattern,
    window: Window,
    kind: str,
    labels: list[str],
    near: dict[str, NDArray[np.bool_]],
    params: PatternParams,
) -> Record:
    where = labels[one.place]
    spot = where if kind == "cell" else _spot(log, one, params)
    few = any(0 < n < params.least_users for n in (one.regulars, one.users - one.regulars))
    side = None if kind == "cell" else _side(log, one, near, params.least_users)
    often = f", {one.regulars} of them in three weeks or more" if one.regulars and not few else ""
    told = f"{one.users} users{often}"
    return {
        "name": f"{window.name} at {where}" if kind != "action" else f"{window.name}: {where}",
        "kind": kind,
        "where": where,
        "place": spot,
        "when": window.when,
        "who": told + ("" if side is None else f"; {side}"),
        "users": one.users,
        "regulars": None if few else one.regulars,
        "visits": one.visits,
        "expected": one.expected,
        "ratio": one.visits / one.expected,
        "z": one.z,
        "p": one.p,
        "q": one.q,
        "weeks_share": one.weeks_share,
    }


def _spot(log: Log, one: Pattern, params: PatternParams) -> str | None:
    """The cell that most of a pattern's visits are in, if enough users are seen there."""
    cells, index = log.cells(params.resolution)
    at = index[one.rows]
    if not (at >= 0).any():
        return None
    count = np.bincount(at[at >= 0])
    best = int(count.argmax())
    users = len(np.unique(log.user[one.rows][at == best]))
    return cell_name(int(cells[best])) if users >= params.least_users else None


def _side(log: Log, one: Pattern, near: dict[str, NDArray[np.bool_]], least: int) -> str | None:
    """Whether its users come near work or home more than those users are there at other times."""
    for name, there in near.items():
        users = np.unique(log.user[one.rows])
        mine = np.isin(log.user, users)
        total, hits = (np.bincount(log.user[mine], weights=None if rows is None else rows[mine].astype(float),
                                   minlength=log.n_users)[users] for rows in (None, there))  # fmt: skip
        came = np.bincount(log.user[one.rows], minlength=log.n_users)[users]
        at = np.bincount(log.user[one.rows], weights=there[one.rows].astype(float), minlength=log.n_users)[users]
        difference = at - came * hits / np.maximum(total, 1)
        moved = np.sum(difference**2)
        seen = int((at > 0).sum())
        if moved <= 0 or seen < least or difference.sum() / came.sum() < _NEAR:
            continue
        if stats.norm.sf(difference.sum() / np.sqrt(moved)) <= 0.01:
            return f"where they {'work' if name == 'work' else 'live'}, {at.sum() / came.sum():.0%} of the visits"
    return None


def _hours(log: Log, chosen: list[Record], params: PatternParams) -> list[Record]:
    """Share of the events at each pattern's place in each hour of the week; null where too few users were there."""
    found: list[Record] = []
    by_kind = {kind: (place, names) for kind, place, names in _places(log, params)}
    for where, kind in dict.fromkeys((one["where"], one["kind"]) for one in chosen):
        place, names = by_kind[kind]
        rows = place == names.index(where)
        hour, user = log.hour_of_week[rows], log.user[rows]
        count = np.bincount(hour, minlength=HOURS_OF_WEEK)
        users = np.bincount(np.unique(hour * log.n_users + user) // log.n_users, minlength=HOURS_OF_WEEK)
        found += [
            {"where": where, "weekday": at // 24, "hour": at % 24,
             "share": None if 0 < users[at] < params.least_users else float(count[at] / len(hour))}
            for at in range(HOURS_OF_WEEK)
        ]  # fmt: skip
    return found

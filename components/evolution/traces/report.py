"""What raw traces tell, as one JSON record: stays, trips, homes and places of work, flows, courses that people share.

Never here: a place or a way of too few users, or anybody's home.
"""

from __future__ import annotations

from typing import Any

import h3
import numpy as np
from numpy.typing import NDArray

from components.errors import DataError
from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.significance import mean_by_user
from components.evolution.space.anchors import Anchors, Hours, anchors
from components.evolution.space.courses import courses
from components.evolution.space.flows import flows
from components.evolution.space.mobility import mobility
from components.evolution.space.places import dense_areas
from components.evolution.space.stays import Stays, stays, trajectories
from components.evolution.traces.positions import Positions
from components.evolution.traces.trips import Trips, stay_log, trips, venues_of
from components.features.place import cell_name, haversine_km
from components.features.time import HOUR_S, MINUTE_S, NO_OFFSET, utc_offset
from components.params import SpaceParams, TraceParams

Record = dict[str, Any]
_SHUFFLES = 99
_LARGEST = 20
_DAY_H = 24


def trace_report(found: Positions, log: Log, zone: str, params: TraceParams, space: SpaceParams, seed: int) -> Record:
    """Every figure of this room.

    Parameters
    ----------
    found : positions, sorted
    log : of events, whose items' places are the venues that stays may be at
    zone : IANA time zone of the local clocks
    params : TraceParams
    space : resolutions, and the rules of homes and places of work
    seed : of every draw

    Raises
    ------
    DataError
        No stay was found, or stays of fewer than `least_users` users.
    """
    silence = round(params.silence_min * MINUTE_S)
    least = round(params.least_min * MINUTE_S)
    there = stays(found.user, found.time_s, found.latitude, found.longitude, params.radius_m, least, silence)
    users = len(np.unique(there.user))
    if users < params.least_users:
        raise DataError(
            f"stays of {params.least_users} users", found=f"those of {users}" if users else "none",
            do="Bring more positions, or ask for shorter stays.",
        )  # fmt: skip
    no_offset = np.full(len(there.user), NO_OFFSET, np.int16)
    offset = utc_offset(there.begin_s.astype(np.int64), no_offset, zone).astype(np.int64) * MINUTE_S
    moved = trips(there, round(params.pause_h * HOUR_S), params.radius_m)
    each = stay_log(there, found.users, offset, hourly=False)
    return dict(plain({
        "positions": len(found.user), "dropped": found.dropped, "users": users, "stays": len(there.user),
        "stay_minutes": _quantiles((there.end_s - there.begin_s) / MINUTE_S),
        "trips": _trips(there, moved, offset, params, space, seed),
        "flows": _flows(each, params, space),
        "anchors": _anchors(stay_log(there, found.users, offset, hourly=True), params, space),
        "radius_km": _quantiles(_known(mobility(each, space.place_resolution, space.core_places).radius_km)),
        "places": _places(there, params),
        "venues": _venues(there, log, params),
        "courses": _courses(each, there, params, space, seed),
    }))  # fmt: skip


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _quantiles(values: NDArray[np.floating]) -> Record:
    if not len(values):
        return dict.fromkeys(("p10", "p50", "p90"))
    return dict(zip(("p10", "p50", "p90"), np.quantile(values, [0.1, 0.5, 0.9]), strict=True))


def _trips(
    there: Stays, moved: Trips, offset: NDArray[np.int64], params: TraceParams, space: SpaceParams, seed: int
) -> Record:
    """How many, how long, how far, and in which hours they begin."""
    owner = there.user[moved.origin]
    users = len(np.unique(owner))
    if users < params.least_users:
        return {"missing": f"Fewer than {params.least_users} users made a trip." if users else "Nobody made a trip."}
    hour = ((there.end_s + offset)[moved.origin] // HOUR_S) % _DAY_H
    people = np.bincount(np.unique(hour * (int(there.user.max()) + 1) + owner) // (int(there.user.max()) + 1),
                         minlength=_DAY_H)  # fmt: skip
    share = np.bincount(hour, minlength=_DAY_H) / len(hour)
    total = np.bincount(owner, weights=moved.km)
    count = np.bincount(owner)
    return {
        "trips": len(owner),
        "users": users,
        "km": _quantiles(moved.km),
        "minutes": _quantiles(moved.minutes),
        "mean_km": mean_by_user(total, count, space.draws, space.confidence, seed),
        "hours": [None if 0 < n < params.least_users else float(one) for n, one in zip(people, share, strict=True)],
    }


def _flows(each: Log, params: TraceParams, space: SpaceParams) -> list[Record]:
    found = flows(each, space.resolution, round(params.pause_h * HOUR_S)).shown(params.least_users)
    moving = np.flatnonzero(found.origin != found.destination)
    best = moving[np.argsort(-found.steps[moving], kind="stable")[:_LARGEST]]
    return [
        {"origin": cell_name(int(found.cells[found.origin[one]])),
         "destination": cell_name(int(found.cells[found.destination[one]])),
         "trips": int(found.steps[one]), "users": int(found.users[one])}
        for one in best
    ]  # fmt: skip


def _anchors(hourly: Log, params: TraceParams, space: SpaceParams) -> Record:
    """Who has a home and a place of work by hours of presence, and how far they are apart."""
    rules = space.anchor_events, space.anchor_share
    home = anchors(hourly, space.place_resolution, _hours(space.home), *rules, None)
    work = anchors(hourly, space.place_resolution, _hours(space.work), *rules, home)
    both = np.flatnonzero((home.cell >= 0) & (work.cell >= 0))
    counts = {
        "with_home": int((home.cell >= 0).sum()),
        "with_work": int((work.cell >= 0).sum()),
        "with_both": len(both),
    }
    shown = {name: None if 0 < n < params.least_users else n for name, n in counts.items()}
    apart = _apart(home, work, both) if len(both) >= params.least_users else np.zeros(0)
    return shown | {"commute_km": _quantiles(apart)}


def _hours(of: Any) -> Hours:
    return Hours(of.begin, of.end, of.weekdays_only)


def _apart(home: Anchors, work: Anchors, both: NDArray[np.int64]) -> NDArray[np.float64]:
    ends = [
        np.array([h3.cell_to_latlng(cell_name(int(one.cells[cell]))) for cell in one.cell[both]])
        for one in (home, work)
    ]
    return np.asarray(haversine_km(ends[0][:, 0], ends[0][:, 1], ends[1][:, 0], ends[1][:, 1]))


def _places(there: Stays, params: TraceParams) -> list[Record]:
    """Dense areas of stays that enough users share."""
    found = dense_areas(there.latitude, there.longitude, np.ones(len(there.user)), params.radius_m / 1000,
                        max(params.least_users, 2))  # fmt: skip
    answer: list[Record] = []
    for area in range(len(found.weight)):
        mine = found.label == area
        users = len(np.unique(there.user[mine]))
        if users >= params.least_users and len(answer) < _LARGEST:
            answer.append(
                {"latitude": found.latitude[area], "longitude": found.longitude[area], "stays": int(mine.sum()),
                 "users": users, "median_minutes": float(np.median(there.end_s[mine] - there.begin_s[mine])) / MINUTE_S}
            )  # fmt: skip
    return answer


def _venues(there: Stays, log: Log, params: TraceParams) -> Record:
    """Stays at venues of the log: how many, and how long by category."""
    located = np.flatnonzero(np.isfinite(log.latitude) & (log.item >= 0))
    item, first = np.unique(log.item[located], return_index=True)
    lat, lon = (np.full(len(log.items), np.nan) for _ in range(2))
    lat[item], lon[item] = log.latitude[located[first]], log.longitude[located[first]]
    kind = np.full(len(log.items), -1)
    kind[item] = log.category[located[first]]
    at = venues_of(there, lat, lon, params.radius_m)
    of = np.where(at >= 0, kind[at], -1)
    rows: list[Record] = []
    for category in np.unique(of[of >= 0]):
        mine = of == category
        users = len(np.unique(there.user[mine]))
        if users >= params.least_users:
            minutes = float(np.median((there.end_s - there.begin_s)[mine])) / MINUTE_S
            name = str(log.categories[category])
            rows.append({"category": name, "stays": int(mine.sum()), "users": users, "median_minutes": minutes})
    return {"share": float((at >= 0).mean()), "categories": sorted(rows, key=lambda row: -row["stays"])[:_LARGEST]}


def _courses(each: Log, there: Stays, params: TraceParams, space: SpaceParams, seed: int) -> Record:
    number = trajectories(there.user, there.begin_s, round(params.pause_h * HOUR_S))
    cell = each.cells(space.resolution)[1]
    found = courses(number, cell, there.user, there.latitude, there.longitude, params.compared, _SHUFFLES, seed)
    if found is None or found.users < params.least_users:
        return {"missing": "Too few users went from one cell to another."}
    return dict(plain(found))

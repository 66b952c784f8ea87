"""What the log says of space, as one JSON record: of areas and of all users together, never of one user.

Never here: how a figure is computed, or a page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.evolution.log import Log
from components.evolution.record import plain
from components.evolution.significance import mean_by_user
from components.evolution.space.anchors import Hours, anchors
from components.evolution.space.areas import areas_report
from components.evolution.space.autocorrelation import gearys_c, morans_i
from components.evolution.space.courses import courses
from components.evolution.space.emerging import CLASSES, emerging
from components.evolution.space.exploration import exploration, heaps_exponent, return_hours, steps
from components.evolution.space.flows import flows
from components.evolution.space.hotspots import getis_ord, local_moran
from components.evolution.space.information import mutual_information
from components.evolution.space.interaction import interaction
from components.evolution.space.kinds import kinds_report
from components.evolution.space.lags import leads, without_common, without_profile
from components.evolution.space.mobility import mobility
from components.evolution.space.stays import trajectories
from components.evolution.space.surface import Surface, hours_of_week, surface
from components.features.place import cell_name
from components.features.time import DAY_S, HOUR_S
from components.params import HoursParams, SpaceParams

Record = dict[str, Any]
Floats = NDArray[np.float64]
_SHUFFLES = 99  # of courses
_PERIODS = 12  # of the map in time, the newest


def space_report(log: Log, params: SpaceParams, seed: int, sample: Log | None = None) -> Record:
    """Every figure of this room for one log.

    Parameters
    ----------
    log : Log
    params : SpaceParams
    seed : of every draw
    sample : histories that mobility and shared information are asked of; None: all

    Raises
    ------
    DataError
        The log has no places, or is shorter than three periods.
    """
    found = {
        "surface": _surface(log, params, seed),
        "interaction": _interaction(log, params, seed),
        "leads": _leads(log, params),
        "kinds": kinds_report(log, params, seed),
        "information": _information(log if sample is None else sample, params, seed),
        "flows": _flows(log, params),
        "mobility": _mobility(log if sample is None else sample, params, seed),
        "areas": areas_report(log, params, seed),
        "courses": _courses(log if sample is None else sample, params, seed),
    }
    return dict(plain(found))


def _surface(log: Log, params: SpaceParams, seed: int) -> Record:
    """Autocorrelation and hot spots, each period brought to the mean level: where, not how much in all."""
    found = surface(log, params.resolution, params.period_days * DAY_S, params.around)
    total = found.counts.sum(axis=1, keepdims=True)
    level = np.log1p(found.counts * total.mean() / np.maximum(total, 1))
    whole = np.log1p(found.counts.sum(axis=0))
    spots = getis_ord(level, found.neighbours, params.permutations, seed)
    classes = emerging(spots, params.level) if len(level) >= 3 else None
    local = local_moran(whole, found.neighbours, params.permutations, seed)
    state = spots.state(params.level)
    answer: Record = {
        "cells": len(found.cells),
        "periods": len(found.counts),
        "morans_i": morans_i(whole, found.neighbours, params.permutations, seed),
        "gearys_c": gearys_c(whole, found.neighbours, params.permutations, seed),
        "clusters": int(((local.q <= params.level) & (local.quadrant == 1)).sum()),
        "outliers": int(((local.q <= params.level) & np.isin(local.quadrant, [2, 4])).sum()),
        "starts_s": found.starts_s[:-1],
        "hot": (state == 1).sum(axis=1),
        "cold": (state == -1).sum(axis=1),
    }
    if classes is not None:
        known = _users_of(log, found.cells, params.resolution) >= params.least_users
        for kind, names in (("hot", classes.hot), ("cold", classes.cold)):
            answer[f"{kind}_classes"] = {name: int((names == name).sum()) for name in CLASSES}
            answer[f"{kind}_cells"] = {
                cell_name(int(cell)): name
                for cell, name, shown in zip(found.cells, names, known, strict=True)
                if shown and name != CLASSES[0]
            }
        shown = known & _enough(log, found, params.resolution, params.least_users)
        answer["map"] = _map(found, spots.z, state, shown)
    return answer


def _map(found: Surface, z: Floats, state: NDArray[np.integer], shown: NDArray[np.bool_]) -> list[Record]:
    """How hot cells were in each of the newest periods, to one digit; none where none differ.

    Parameters
    ----------
    shown : (T', C) of the newest periods
    """
    names = [cell_name(int(one)) for one in found.cells]
    z, state, starts_s = z[-len(shown) :], state[-len(shown) :], found.starts_s[-len(shown) - 1 :]
    return [
        {
            "start_s": starts_s[period],
            "cell": names[one],
            "z": round(float(z[period, one]), 1),
            "state": ("cold", "neither", "hot")[int(state[period, one]) + 1],
        }
        for period, one in np.argwhere(shown & ~np.isnan(z))
    ]


def _enough(log: Log, found: Surface, resolution: int, least: int) -> NDArray[np.bool_]:
    """(T', C) whether nobody or `least` users were in a cell in each of the newest periods, and around it.

    Around it too, as the figure of an empty cell is one of its neighbours, and would tell of who is alone there.
    """
    first, last = max(len(found.counts) - _PERIODS, 0), len(found.counts)
    cells, index = log.cells(resolution)
    period = np.searchsorted(found.starts_s, log.local_s, side="right") - 1
    rows = np.flatnonzero((index >= 0) & (period >= first) & (period < last))
    who, line = np.unique((period[rows] - first) * log.n_users + log.user[rows], return_inverse=True)
    column = np.searchsorted(found.cells, cells)[index[rows]]
    there = sparse.csr_array((np.ones(len(rows)), (line.ravel(), column)), shape=(len(who), len(found.cells)))
    of_period = sparse.csr_array((np.ones(len(who)), (who // log.n_users, np.arange(len(who)))),
                                 shape=(last - first, len(who)))  # fmt: skip
    here, around = ((of_period @ (one > 0)).toarray() for one in (there, there + there @ found.neighbours))
    return ((here == 0) | (here >= least)) & ((around == 0) | (around >= least))


def _interaction(log: Log, params: SpaceParams, seed: int) -> Record:
    located = np.flatnonzero(~np.isnan(log.latitude))
    rng = np.random.default_rng(seed)
    row = np.sort(rng.choice(located, min(len(located), params.interaction_events), replace=False))
    spans = [hours * HOUR_S for hours in params.spans_h]
    answer: Record = {"events": len(row), "distances_km": list(params.distances_km), "spans_h": list(params.spans_h)}
    for name, group in (("all", np.zeros(len(row), np.int64)), ("between_users", log.user[row])):
        between = name == "between_users"
        found = interaction(
            log.latitude[row], log.longitude[row], log.time_s[row], group, params.distances_km, spans,
            min(params.permutations, 999), seed, between=between, day=log.day[row] if between else None,
        )  # fmt: skip
        answer[name] = found
    return answer


def _leads(log: Log, params: SpaceParams) -> Record:
    cells, index = log.cells(params.region_resolution)
    shown = _users_of(log, cells, params.region_resolution) >= params.least_users
    total = np.where(shown, np.bincount(index[index >= 0], minlength=len(cells)), -1)
    busiest = np.sort(np.argsort(-total, kind="stable")[: min(params.regions, int(shown.sum()))])
    found = surface(log, params.region_resolution, HOUR_S, 0, utc=True, only=cells[busiest])
    if len(busiest) < 2 or len(found.counts) < 20 * params.lag_h:
        return {"regions": len(busiest), "pairs": []}
    hour = hours_of_week(log, found, params.region_resolution, np.arange(len(busiest)))
    series = without_profile(np.log1p(found.counts), hour)
    answer = leads(without_common(series), params.lag_h)
    pairs = np.argwhere(answer.q <= params.level)
    names = [cell_name(int(cell)) for cell in found.cells]
    return {
        "regions": len(busiest),
        "pairs": [
            {
                "leader": names[a],
                "follower": names[b],
                "lag_h": int(answer.lag[a, b]),
                "correlation": float(answer.correlation[a, b]),
                "q": float(answer.q[a, b]),
            }
            for a, b in pairs
        ],
    }


def _information(log: Log, params: SpaceParams, seed: int) -> Record:
    """What hour, place and kind tell of each other beyond who it is; a user's like events of a day are one evidence.

    Not over all users at once: habits of forty users, drawn without regard to each other, are no forty times sixty
    events, and would tell of each other.
    """
    _, cell = log.cells(params.resolution)
    hour = log.local_s // HOUR_S % 24
    _, day = np.unique(log.user * (int(log.day.max()) + 1) + log.day, return_inverse=True)
    sides: dict[str, tuple[NDArray, NDArray]] = {
        "hour_place_given_user": (hour, cell),
        "hour_category_given_user": (hour, log.category),
        "place_category_given_user": (cell, log.category),
    }
    answer = {}
    for name, (x, y) in sides.items():
        known = (x >= 0) & (y >= 0)
        key = (day[known] * (int(x.max()) + 1) + x[known]) * (int(y.max()) + 1) + y[known]
        visit = np.unique(key, return_inverse=True)[1].ravel()
        answer[name] = mutual_information(x[known], y[known], log.user[known], 99, seed, block=visit)
    return answer


def _flows(log: Log, params: SpaceParams) -> Record:
    found = flows(log, params.resolution, params.flow_h * HOUR_S)
    shown = found.shown(params.least_users)
    moving = shown.origin != shown.destination
    order = np.argsort(-shown.steps * moving, kind="stable")[: min(20, int(moving.sum()))]
    return {
        "steps": int(found.steps.sum()),
        "stay_share": float(found.steps[found.origin == found.destination].sum() / max(found.steps.sum(), 1)),
        "shown_share": float(shown.steps.sum() / max(found.steps.sum(), 1)),
        "largest": [
            {
                "origin": cell_name(int(found.cells[shown.origin[one]])),
                "destination": cell_name(int(found.cells[shown.destination[one]])),
                "steps": int(shown.steps[one]),
                "users": int(shown.users[one]),
            }
            for one in order
        ],
    }


def _mobility(log: Log, params: SpaceParams, seed: int) -> Record:
    found = mobility(log, params.place_resolution, params.core_places)
    seen = found.events > 0
    cell = log.cells(params.place_resolution)[1]
    walked = steps(log.user[cell >= 0], cell[cell >= 0])
    explored = exploration(walked, params.draws, params.confidence, seed)
    rules = params.anchor_events, params.anchor_share
    home = anchors(log, params.place_resolution, _hours(params.home), *rules, None)
    work = anchors(log, params.place_resolution, _hours(params.work), *rules, home)
    able = found.places > params.core_places  # nobody else can be an explorer
    share = mean_by_user(found.explorer[able], np.ones(int(able.sum())), params.draws, params.confidence, seed)
    quantiles = np.quantile(found.radius_km[seen], [0.1, 0.5, 0.9])
    return {
        "users": int(seen.sum()),
        "radius_km": dict(zip(("p10", "p50", "p90"), quantiles, strict=True)),
        "places": float(np.median(found.places[seen])),
        "beyond_core": int(able.sum()),
        "explorers": share,
        "rho": explored.rho,
        "gamma": explored.gamma,
        "new_share": explored.new_share,
        "heaps_exponent_50": heaps_exponent(walked, 50),
        "return_hours": return_hours(log, params.place_resolution, 100),
        "with_home": float((home.cell >= 0).sum() / seen.sum()),
        "with_work": float((work.cell >= 0).sum() / seen.sum()),
    }


def _courses(log: Log, params: SpaceParams, seed: int) -> Record:
    """Whether people take the same courses; a course ends where its user is not seen for `flow_h` hours."""
    cell = log.cells(params.resolution)[1]
    rows = np.flatnonzero(cell >= 0)
    number = trajectories(log.user[rows], log.time_s[rows], params.flow_h * HOUR_S)
    found = courses(
        number, cell[rows], log.user[rows], log.latitude[rows], log.longitude[rows], params.compared, _SHUFFLES, seed
    )
    if found is None or found.users < params.least_users:
        return {"missing": "Too few users went from one cell to another."}
    return dict(plain(found))


def _users_of(log: Log, cells: NDArray[np.uint64], resolution: int) -> NDArray[np.int64]:
    """(C,) users with an event in each cell."""
    names, index = log.cells(resolution)
    there = index >= 0
    place = np.searchsorted(cells, names)[index[there]]
    pairs = np.unique(place * log.n_users + log.user[there])
    return np.bincount(pairs // log.n_users, minlength=len(cells))


def _hours(of: HoursParams) -> Hours:
    return Hours(of.begin, of.end, of.weekdays_only)

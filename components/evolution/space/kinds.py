"""What is asked of kinds of behaviour in space: which happen side by side, which follow each other, how cells follow.

Kinds are actions, or categories where there is one action. Never here: statistics (`bivariate`, `followed`).
"""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import Log
from components.evolution.space.bivariate import bivariate_moran, moran_maps, without
from components.evolution.space.followed import field_of, held, lagged_moran, space_time_moran
from components.evolution.space.surface import neighbours_of
from components.params import SpaceParams

Record = dict[str, Any]
_MOST_KINDS = 6
_MOST_CELLS = 800  # of eigenvectors
_SHUFFLES = 999


def kinds_report(log: Log, params: SpaceParams, seed: int) -> Record:
    """Bivariate, lagged and space–time Moran's I.

    Parameters
    ----------
    log : with places
    params : SpaceParams
    seed : of every draw
    """
    cells, index = log.cells(params.resolution)
    name, code, labels = _kinds(log, index, params.least_users)
    shuffles = min(params.permutations, _SHUFFLES)
    return {
        "of": name,
        "kinds": labels,
        "pairs": _pairs(cells, index, code, labels, shuffles, seed),
        **_in_time(log, cells, index, code, labels, params, seed),
    }


def _kinds(log: Log, index: NDArray[np.int64], least: int) -> tuple[str, NDArray[np.int64], list[str]]:
    """Kind (N,) of each event, -1 = another or nowhere: the most frequent that enough users show."""
    name = "action" if len(log.actions) > 1 else "category"
    code, names = (log.action, log.actions) if name == "action" else (log.category, log.categories)
    known = (code >= 0) & (index >= 0)
    count = np.bincount(code[known], minlength=len(names))
    pairs = np.unique(code[known].astype(np.int64) * log.n_users + log.user[known])
    users = np.bincount(pairs // log.n_users, minlength=len(names))
    kept = [int(one) for one in np.argsort(-count, kind="stable")[:_MOST_KINDS] if users[one] >= least]
    place = np.full(len(names) + 1, -1, np.int64)
    place[kept] = np.arange(len(kept))
    return name, np.where(known, place[code], -1), [str(names[one]) for one in kept]


def _busiest(cells: NDArray[np.uint64], index: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    count = np.bincount(index[index >= 0], minlength=len(cells))
    return np.sort(np.argsort(-count, kind="stable")[:most])


def _pairs(
    cells: NDArray[np.uint64],
    index: NDArray[np.int64],
    code: NDArray[np.int64],
    labels: list[str],
    shuffles: int,
    seed: int,
) -> list[Record]:
    """Every pair of kinds: side by side, and beyond how busy with anything else a cell is."""
    kept = _busiest(cells, index, _MOST_CELLS)
    if len(kept) < 3 or len(labels) < 2:
        return []
    neighbours = neighbours_of(cells[kept], 1)
    maps = moran_maps(neighbours)
    total = np.bincount(index[index >= 0], minlength=len(cells))[kept].astype(np.float64)
    count = [np.bincount(index[code == kind], minlength=len(cells))[kept].astype(np.float64)
             for kind in range(len(labels))]  # fmt: skip
    found: list[Record] = []
    for a, b in combinations(range(len(labels)), 2):
        rest = np.log1p(total - count[a] - count[b])
        plain = [np.log1p(count[one]) for one in (a, b)]
        row: Record = {"first": labels[a], "second": labels[b], "cells": len(kept)}
        for name, (x, y) in (("", plain), ("beyond_", [without(one, rest) for one in plain])):
            one = bivariate_moran(x, y, neighbours, maps, shuffles, seed)
            row |= {f"{name}value": one.value, f"{name}z": one.z, f"{name}p": one.p}
        found.append(row)
    for name in ("", "beyond_"):
        for row, q in zip(found, held([row[f"{name}p"] for row in found]), strict=True):
            row[f"{name}q"] = q
    return found


def _in_time(
    log: Log,
    cells: NDArray[np.uint64],
    index: NDArray[np.int64],
    code: NDArray[np.int64],
    labels: list[str],
    params: SpaceParams,
    seed: int,
) -> Record:
    """Space–time Moran's I of all events, and its lagged form between kinds, by day over the busiest cells."""
    kept = _busiest(cells, index, params.busiest)
    column = np.full(len(cells) + 1, -1, np.int64)
    column[kept] = np.arange(len(kept))
    at, first = column[index], int(log.day.min())
    days = int(log.day.max()) - first + 1
    neighbours = neighbours_of(cells[kept], 1)

    def field(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        known = rows & (at >= 0)
        key = (log.day[known] - first) * len(kept) + at[known]
        return field_of(np.bincount(key, minlength=days * len(kept)).reshape(days, len(kept)), first)

    lags = [lag for lag in params.lags_days if days >= 20 * lag]
    if not lags or len(kept) < 3:
        return {"days": days, "cells": len(kept), "space_time": [], "lagged": []}
    whole = space_time_moran(field(np.ones(len(at), bool)), neighbours, lags, min(params.permutations, 199), seed)
    fields = [field(code == kind) for kind in range(len(labels))]
    lagged: list[Record] = [
        {"leader": labels[a], "follower": labels[b], "lag_days": one.lag, "correlation": one.correlation, "p": one.p,
         "lead": one.lead, "p_lead": one.p_lead}
        for a, b in permutations(range(len(labels)), 2)
        for one in lagged_moran(fields[a], fields[b], neighbours, lags)
    ]  # fmt: skip
    for name in ("p", "p_lead"):
        for row, q in zip(lagged, held([row[name] for row in lagged]), strict=True):
            row[name.replace("p", "q", 1)] = q
    return {"days": days, "cells": len(kept), "space_time": whole, "lagged": lagged}

"""Dense areas of a log: of a stated density among all its places, and of any density, found in a sample of them.

Never here: an area of too few users, or how clusters are found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from components.evolution.log import Log
from components.evolution.space.places import Clusters, areas_of_any_density, dense_areas, described
from components.evolution.space.sphere import vectors
from components.features.place import EARTH_KM, haversine_km, point_keys, to_e7
from components.params import SpaceParams

Record = dict[str, Any]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Places = tuple[Floats, Codes, Codes]  # points, the point of each event, events of each point
_MOST_POINTS = 20_000  # of a stated density; of more, a grid is looked at
_LARGEST = 10
_LEAST_PLACES = 5  # of an area


def areas_report(log: Log, params: SpaceParams, seed: int) -> Record:
    """The largest areas of both sorts.

    Parameters
    ----------
    log : with places
    params : SpaceParams
    seed : of the places that are drawn where there are more than `area_sample`
    """
    located = ~np.isnan(log.latitude)
    lat, lon, user = log.latitude[located], log.longitude[located], log.user[located]
    places = _distinct(lat, lon)
    found = _stated(lat, lon, places, user, log.n_users, params)
    shown = _any(places, user, log.n_users, params, seed)
    return {
        "areas": found["areas"],
        "share": found["share"],
        "any": {name: shown[name] for name in ("areas", "share", "places", "agreement")},
        "largest": [{"density": "stated"} | one for one in found["largest"]]
        + [{"density": "any"} | one for one in shown["largest"]],
    }


def _stated(lat: Floats, lon: Floats, places: Places, user: Codes, n_users: int, params: SpaceParams) -> Record:
    """Of a stated density; of a grid of a tenth of the radius where nearly every event has a place of its own."""
    points, index, weight = places
    if len(points) > _MOST_POINTS:
        step = np.degrees(params.area_radius_km / 10 / EARTH_KM)
        wide = step / max(float(np.cos(np.radians(np.abs(lat).mean()))), 0.01)
        points, index, weight = _distinct(np.round(lat / step) * step, np.round(lon / wide) * wide)
    events = weight.astype(np.float64)
    found = dense_areas(points[:, 0], points[:, 1], events, params.area_radius_km, params.area_events)
    return _largest(found, points, index, user, n_users, params.least_users)


def _any(places: Places, user: Codes, n_users: int, params: SpaceParams, seed: int) -> Record:
    """Of any density, found among at most `area_sample` places; how far two samples agree where there are more.

    Each other place is of the area of the nearest of them, or of none as that one: events and users are of the whole
    log, as those of a stated density are.
    """
    points, index, weight = places
    order, most = np.random.default_rng(seed).permutation(len(points)), params.area_sample
    kept = np.sort(order[:most])
    found = _clustered(points[kept], weight[kept], params)
    near = cKDTree(vectors(*points[kept].T)).query(vectors(*points.T))[1]
    agreement = None
    if len(points) >= 2 * most:
        again = np.sort(order[most : 2 * most])
        other = _clustered(points[again], weight[again], params)
        agreement = float(adjusted_rand_score(found.label[near[again]], other.label))
    whole = described(found.label[near], points[:, 0], points[:, 1], weight.astype(np.float64))
    answer = _largest(whole, points, index, user, n_users, params.least_users)
    return answer | {"places": len(kept), "agreement": agreement}


def _clustered(points: Floats, weight: Codes, params: SpaceParams) -> Clusters:
    least = max(_LEAST_PLACES, round(params.area_share * len(points)))
    if len(points) < 2 * least:
        empty = np.zeros(0)
        return Clusters(np.full(len(points), -1), empty, empty, empty)
    return areas_of_any_density(points[:, 0], points[:, 1], weight.astype(np.float64), least)


def _largest(found: Clusters, points: Floats, index: Codes, user: Codes, n_users: int, least: int) -> Record:
    """How many areas, their share of the events, and the largest of enough users.

    Parameters
    ----------
    points, index, user : (P, 2), and the point and the user of each event
    """
    label = found.label[index].astype(np.int64)
    inside = label >= 0
    pairs = np.unique(label[inside] * n_users + user[inside])
    users = np.bincount(pairs // n_users, minlength=len(found.weight))
    total = max(len(index), 1)
    answer: list[Record] = []
    for one in np.flatnonzero(users >= least)[:_LARGEST]:
        mine = points[found.label == one]
        apart = haversine_km(found.latitude[one], found.longitude[one], mine[:, 0], mine[:, 1])
        answer.append(
            {"latitude": float(found.latitude[one]), "longitude": float(found.longitude[one]),
             "radius_km": float(np.median(apart)), "events": int(found.weight[one]),
             "share": float(found.weight[one] / total), "users": int(users[one])}
        )  # fmt: skip
    return {"areas": len(found.weight), "share": float(found.weight.sum() / total), "largest": answer}


def _distinct(lat_deg: Floats, lon_deg: Floats) -> Places:
    """Distinct points (P, 2) to 1e-7 degrees, the point of each place (n,), and how many places each has."""
    keys = point_keys(to_e7(lat_deg), to_e7(lon_deg))
    _, first, index, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return np.stack([lat_deg[first], lon_deg[first]], axis=1), index.astype(np.int64).ravel(), count

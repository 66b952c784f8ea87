"""How far and how widely each user moves: radius of gyration, number of places, who explores and who returns.

Places are H3 cells of one resolution. Never here: where home is (`anchors`), or stays from raw traces (`stays`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evolution.log import Log
from components.evolution.space.sphere import centres
from components.features.place import haversine_km

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mobility:
    """Figures of U users, by their located events.

    Attributes
    ----------
    events, places : (U,) how many, and in how many cells
    radius_km : (U,) radius of gyration, √ mean squared great-circle distance to the centre; NaN without events
    core_radius_km : (U,) the same over the events in the k most visited cells
    explorer : (U,) core_radius_km < radius_km / 2: the most visited places do not span where the user goes; never of a
        user with k places or fewer
    """

    events: NDArray[np.int64]
    places: NDArray[np.int64]
    radius_km: Floats
    core_radius_km: Floats
    explorer: NDArray[np.bool_]


def mobility(log: Log, resolution: int, core: int) -> Mobility:
    """Radius of gyration and places of every user.

    Parameters
    ----------
    log : Log
    resolution : H3 resolution, 0..15
    core : k, how many of the most visited cells are the core; 2 in the literature

    References
    ----------
    González, Hidalgo, Barabási (2008), Understanding individual human mobility patterns; Pappalardo et al. (2015),
    Returners and explorers dichotomy in human mobility.
    """
    cells, index = log.cells(resolution)
    row = np.flatnonzero(index >= 0)
    user, place = log.user[row], index[row]
    key = user * max(len(cells), 1) + place
    pair, back, count = np.unique(key, return_inverse=True, return_counts=True)
    owner = pair // max(len(cells), 1)
    order = np.lexsort((pair, -count, owner))
    rank = np.empty(len(pair), np.int64)
    places = np.bincount(owner, minlength=log.n_users)
    rank[order] = np.arange(len(pair)) - np.repeat(np.cumsum(places) - places, places)
    inside = rank[back] < core
    lat, lon = log.latitude[row], log.longitude[row]
    radius = radius_of_gyration(lat, lon, user, log.n_users)
    core_radius = radius_of_gyration(lat[inside], lon[inside], user[inside], log.n_users)
    return Mobility(
        events=np.bincount(user, minlength=log.n_users),
        places=places,
        radius_km=radius,
        core_radius_km=core_radius,
        explorer=core_radius < radius / 2,
    )


def radius_of_gyration(latitude: Floats, longitude: Floats, unit: NDArray[np.integer], n_units: int) -> Floats:
    """(n_units,) km, of the points (N,) in degrees that each unit (N,) has; NaN where it has none.

    The centre is the mean on the sphere, so that the antimeridian is no wall.
    """
    lat, lon = centres(latitude, longitude, np.ones(len(latitude)), unit, n_units)
    apart = haversine_km(latitude, longitude, lat[unit], lon[unit])
    count = np.bincount(unit, minlength=n_units)
    total = np.bincount(unit, weights=apart**2, minlength=n_units)
    return np.sqrt(np.divide(total, count, out=np.full(n_units, np.nan), where=count > 0))

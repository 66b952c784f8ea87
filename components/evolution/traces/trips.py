"""From stays to trips, to presence hour by hour, and to the venues that stays were at.

Never here: how a stay is found (`space.stays`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import BallTree

from components.evolution.log import Log
from components.evolution.space.stays import Stays
from components.features.place import EARTH_KM, haversine_km
from components.features.time import HOUR_S

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trips:
    """M trips: from one stay of a user to the next, elsewhere.

    Attributes
    ----------
    origin, destination : (M,) stays
    minutes : (M,) from the last position of the one to the first of the other
    km : (M,) great-circle distance between them
    """

    origin: NDArray[np.int64]
    destination: NDArray[np.int64]
    minutes: Floats
    km: Floats


def trips(found: Stays, pause_s: int, radius_m: float) -> Trips:
    """Trips between the stays of every user.

    Parameters
    ----------
    found : Stays
    pause_s : a longer time between two stays is no trip: nobody knows what happened
    radius_m : stays that are no farther apart are at one place
    """
    first = np.arange(max(len(found.user) - 1, 0))
    gap_s = found.begin_s[1:] - found.end_s[:-1]
    km = haversine_km(found.latitude[:-1], found.longitude[:-1], found.latitude[1:], found.longitude[1:])
    kept = (found.user[1:] == found.user[:-1]) & (gap_s <= pause_s) & (km > radius_m / 1000)
    return Trips(first[kept], first[kept] + 1, gap_s[kept] / 60, km[kept])


def stay_log(found: Stays, users: NDArray[np.object_], offset_s: NDArray[np.integer], *, hourly: bool) -> Log:
    """Stays as a log: one event for each, or for each hour of the local clock that it touches.

    Parameters
    ----------
    found : Stays, whose users are rows of `users`
    offset_s : (S,) seconds that the local clock is ahead at each stay
    hourly : presence: who stays eight hours is seen eight times
    """
    begin = found.begin_s + offset_s
    hours = (found.end_s + offset_s) // HOUR_S - begin // HOUR_S + 1 if hourly else np.ones(len(begin), np.int64)
    row = np.repeat(np.arange(len(begin)), hours)
    later = np.arange(len(row)) - np.repeat(np.cumsum(hours) - hours, hours)
    local_s = np.where(later > 0, (begin[row] // HOUR_S + later) * HOUR_S, begin[row])
    nothing = np.zeros(len(row), np.int32)
    return Log(
        users=users,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(found.user[row], minlength=len(users)))]).astype(np.int64),
        time_s=(local_s - offset_s[row]).astype(np.int64),
        local_s=local_s.astype(np.int64),
        item=nothing,
        category=nothing - 1,
        action=nothing,
        items=np.array(["stay"], dtype=object),
        categories=np.empty(0, object),
        actions=np.array(["stay"], dtype=object),
        latitude=found.latitude[row],
        longitude=found.longitude[row],
    )


def venues_of(found: Stays, latitude: Floats, longitude: Floats, radius_m: float) -> NDArray[np.int64]:
    """(S,) nearest venue of each stay, -1 where none is within the radius.

    Parameters
    ----------
    latitude, longitude : (V,) degrees of the venues, NaN = unknown
    radius_m : great-circle distance, m
    """
    known = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    answer = np.full(len(found.user), -1, np.int64)
    if not len(known) or not len(answer):
        return answer
    tree = BallTree(np.radians(np.stack([latitude[known], longitude[known]], axis=1)), metric="haversine")
    apart, nearest = tree.query(np.radians(np.stack([found.latitude, found.longitude], axis=1)), k=1)
    near = apart[:, 0] * EARTH_KM * 1000 <= radius_m
    answer[near] = known[nearest[near, 0]]
    return answer

"""From raw positions to stays: where somebody remained, from when to when; and trajectories between long pauses.

A stay is a stretch of positions within a radius of its first, long enough and without a long silence. Never here: what
the place is, or matching to streets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.compiled import released
from components.errors import DataError
from components.evolution.space.sphere import centres
from components.features.place import EARTH_KM

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stays:
    """S stays, by user and time.

    Attributes
    ----------
    user : (S,) as given
    begin_s, end_s : (S,) first and last position
    latitude, longitude : (S,) degrees, centre of its positions
    positions : (S,) how many
    """

    user: NDArray[np.integer]
    begin_s: NDArray[np.integer]
    end_s: NDArray[np.integer]
    latitude: Floats
    longitude: Floats
    positions: NDArray[np.integer]


def stays(
    user: NDArray[np.integer],
    time_s: NDArray[np.integer],
    latitude: Floats,
    longitude: Floats,
    radius_m: float,
    least_s: int,
    silence_s: int,
) -> Stays:
    """Detect the stays of every user.

    Parameters
    ----------
    user, time_s : (N,) codes and seconds, in ascending order of both
    latitude, longitude : (N,) degrees, none missing
    radius_m : no position of a stay is farther from its first; 200 m in the literature
    least_s : shortest stay; 20–30 minutes in the literature
    silence_s : a longer gap between two positions ends a stay: nobody knows what happened

    Raises
    ------
    DataError
        Positions are not in order, or one has no place.

    References
    ----------
    Hariharan, Toyama (2004), Project Lachesis; Li et al. (2008), Mining user similarity based on location history,
    definition 2 and figure 3.
    """
    user, time_s = np.asarray(user, np.int64), np.asarray(time_s, np.int64)
    latitude, longitude = np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    wrong = (np.diff(user) < 0) | ((np.diff(user) == 0) & (np.diff(time_s) < 0))
    if wrong.any() or not (np.isfinite(latitude) & np.isfinite(longitude)).all():
        where = f"position {int(np.argmax(wrong)) + 1} comes before its predecessor" if wrong.any() else "a missing one"
        raise DataError(
            "positions in order of user and time, each with coordinates",
            found=where,
            do="Sort the trace by user and time and leave out what has no place.",
        )
    label = _label(user, time_s, np.radians(latitude), np.radians(longitude), radius_m / 1000, least_s, silence_s)
    row = np.flatnonzero(label >= 0)
    n = int(label.max(initial=-1)) + 1
    positions = np.bincount(label[row], minlength=n)
    begin = np.searchsorted(label[row], np.arange(n))
    first, last = row[begin], row[begin + positions - 1]
    lat, lon = centres(latitude[row], longitude[row], np.ones(len(row)), label[row], n)
    return Stays(user[first], time_s[first], time_s[last], lat, lon, positions)


@released
def _label(
    user: NDArray[np.integer],
    time_s: NDArray[np.integer],
    phi: Floats,
    theta: Floats,
    radius_km: float,
    least_s: int,
    silence_s: int,
) -> NDArray[np.int64]:
    """(N,) number of the stay of each position, -1 = on the way; latitude and longitude in radians."""
    label = np.full(len(user), -1, np.int64)
    start, number = 0, 0
    while start < len(user):
        stop = start + 1
        while stop < len(user) and user[stop] == user[start] and time_s[stop] - time_s[stop - 1] <= silence_s:
            chord = np.sin((phi[stop] - phi[start]) / 2) ** 2
            chord += np.cos(phi[stop]) * np.cos(phi[start]) * np.sin((theta[stop] - theta[start]) / 2) ** 2
            if 2 * EARTH_KM * np.arcsin(min(1.0, np.sqrt(chord))) > radius_km:
                break
            stop += 1
        if time_s[stop - 1] - time_s[start] >= least_s:
            label[start:stop] = number
            number += 1
            start = stop
        else:
            start += 1
    return label


def trajectories(user: NDArray[np.integer], time_s: NDArray[np.integer], pause_s: int) -> NDArray[np.int64]:
    """(N,) number of the trajectory of each event, 0, 1, … over all; a longer gap, or another user, begins a new one.

    Parameters
    ----------
    user, time_s : (N,) in ascending order of both
    pause_s : 24 h in the literature on check-ins (research of next places)
    """
    fresh = (np.diff(user) != 0) | (np.diff(time_s) > pause_s)
    return np.concatenate([np.zeros(min(len(user), 1), np.int64), np.cumsum(fresh)])

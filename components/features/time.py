"""The clock of an event: local hour and weekday, holidays, gaps and sessions; vectorised over events.

Pure functions of arrays: nothing here knows what a user or an item is, and no event ever sees a later one.
`first` marks the first event of each user, `start` is the row of that event.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from functools import lru_cache

import holidays
import numpy as np
from numpy.typing import NDArray

from components.errors import ConfigError

DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60
#: utc_offset_min of an event whose source gives none.
NO_OFFSET = -32_768
#: How an event's session id relates to that of the user's previous event.
NO_ID, SAME_ID, OTHER_ID = 0, 1, 2
_ZONE_YEARS = (1950, 2120)
#: So many changes of the clock are looked for one after the other, which is faster than by bisection.
_FEW_CHANGES = 8


@lru_cache(maxsize=64)
def zone_changes(zone: str) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """When the local clock of an IANA time zone changes, and to what.

    Parameters
    ----------
    zone : str
        An IANA name, e.g. "America/New_York".

    Returns
    -------
    at_s : (C,) int64
        UTC seconds of each change, ascending; the clock before the first is that of `offset_min[0]`.
    offset_min : (C+1,) int16
        Minutes east of UTC before the first change, and after each.

    Raises
    ------
    ConfigError
        There is no such zone.

    Notes
    -----
    From the zone database through `zoneinfo`, sampled at every UTC midnight of 1950–2119 and bisected to the
    second within a day whose ends differ. Two changes within one day that cancel each other would be missed;
    the database has none. Fractions of a minute (before 1972) are rounded down.
    """
    try:
        clock = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            "an IANA time zone at `events.timezone`", found=f"{zone!r}", do='Write one such as "Europe/Paris".'
        ) from error

    def offset(second: int) -> int:
        moment = dt.datetime.fromtimestamp(second, dt.UTC).astimezone(clock).utcoffset()
        return int((moment or dt.timedelta()).total_seconds() // MINUTE_S)

    begin, end = (int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) for year in _ZONE_YEARS)
    midnights = range(begin, end, DAY_S)
    offsets = np.array([offset(second) for second in midnights], np.int16)
    at_s = []
    for day in np.flatnonzero(np.diff(offsets)):
        low, high = midnights[day], midnights[day + 1]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offsets[day] else (low, middle)
        at_s.append(high)
    return np.array(at_s, np.int64), np.append(offsets[:1], offsets[1:][np.diff(offsets) != 0])


def offset_minutes(time_s: NDArray[np.int64], zone: str) -> NDArray[np.int16]:
    """(N,) minutes east of UTC of the zone's clock at (N,) UTC seconds."""
    at_s, offset_min = zone_changes(zone)
    if not len(time_s):
        return np.zeros(0, np.int16)
    first, last = np.searchsorted(at_s, [time_s.min(), time_s.max()], side="right").tolist()
    if last - first > _FEW_CHANGES:
        return offset_min[np.searchsorted(at_s, time_s, side="right")]
    found = np.full(len(time_s), offset_min[first])
    for change in range(first, last):
        found[time_s >= at_s[change]] = offset_min[change + 1]
    return found


def utc_offset(time_s: NDArray[np.int64], given_min: NDArray[np.int16], zone: str) -> NDArray[np.int16]:
    """(N,) minutes east of UTC: what the source gave, else the zone's clock at that time.

    Parameters
    ----------
    time_s : (N,) int64 UTC seconds
    given_min : (N,) int16 minutes, NO_OFFSET = not given
    zone : str
        IANA name.
    """
    absent = given_min == NO_OFFSET
    if not absent.any():
        return given_min
    return np.where(absent, offset_minutes(time_s, zone), given_min)


@lru_cache(maxsize=64)
def holidays_of(country: str, first_year: int, last_year: int) -> NDArray[np.int64]:
    """(H,) public holidays of a country, as days since 1970-01-01, ascending.

    Parameters
    ----------
    country : str
        ISO 3166 code that the library `holidays` knows, with a subdivision or without: "FR", "US-NY".
    first_year, last_year : int
        Both included.

    Raises
    ------
    ConfigError
        The library does not know the country.
    """
    state, _, subdivision = country.partition("-")
    try:
        found = holidays.country_holidays(state, subdiv=subdivision or None, years=range(first_year, last_year + 1))
    except NotImplementedError as error:
        raise ConfigError(
            "an ISO 3166 country with known holidays at `events.country`",
            found=f"{country!r}",
            do='Write one such as "FR", or null for none.',
        ) from error
    epoch = dt.date(1970, 1, 1)
    return np.array(sorted((day - epoch).days for day in found), np.int64)


def calendar(
    time_s: NDArray[np.int64], offset_min: NDArray[np.int16], country: str | None
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """Local hour, weekday and holiday of events.

    Parameters
    ----------
    time_s : (N,) int64 UTC seconds
    offset_min : (N,) int16 minutes east of UTC
    country : str or None
        ISO 3166 code; None: no day is a holiday.

    Returns
    -------
    hour : (N,) int8, 0..23
    weekday : (N,) int8, 0 = Monday .. 6
    holiday : (N,) int8, 1 on a public holiday of the local date. Looked up once per distinct date.
    """
    local_s = time_s + offset_min.astype(np.int64) * MINUTE_S
    day = local_s // DAY_S
    hour = ((local_s - day * DAY_S) // HOUR_S).astype(np.int8)
    weekday = ((day + 3) % 7).astype(np.int8)  # 1970-01-01 was a Thursday
    if country is None or not len(day):
        return hour, weekday, np.zeros(len(day), np.int8)
    low, high = int(day.min()), int(day.max())
    years = [int(np.datetime64(edge, "D").astype("datetime64[Y]").astype(int)) + 1970 for edge in (low, high)]
    free = holidays_of(country, *years)
    table = np.zeros(high - low + 1, np.int8)
    table[free[(free >= low) & (free <= high)] - low] = 1
    return hour, weekday, table[day - low]


def gaps(time_s: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N,) seconds since the user's previous event, -1 at a user's first."""
    gap_s = np.empty_like(time_s)
    np.subtract(time_s[1:], time_s[:-1], out=gap_s[1:])
    gap_s[first] = -1
    return gap_s


def sessions(
    gap_s: NDArray[np.int64], link: NDArray[np.int8], start: NDArray[np.int32], limit_s: int
) -> NDArray[np.int32]:
    """Number the sessions of each user.

    Parameters
    ----------
    gap_s : (N,) int64 seconds since the user's previous event, -1 for the first
    link : (N,) int8
        SAME_ID or OTHER_ID where the source names sessions (one name and one blank differ), else NO_ID.
    start : (N,) int32 row of the user's first event
    limit_s : int
        A gap above it begins a new session where there is NO_ID.

    Returns
    -------
    (N,) int32, 0, 1, … within the user
    """
    fresh = np.where(link == NO_ID, gap_s > limit_s, link == OTHER_ID) & (gap_s >= 0)
    count = np.cumsum(fresh, dtype=np.int32)
    return count - count[start]


def rank_in_day(time_s: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(N,) how many events of the same user and UTC day came before this one: 0, 1, …"""
    row = np.arange(len(time_s), dtype=np.int32)
    day = time_s // DAY_S
    fresh = first.copy()
    fresh[1:] |= day[1:] != day[:-1]
    return row - np.maximum.accumulate(np.where(fresh, row, 0))

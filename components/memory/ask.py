"""A block of queries with its histories gathered, and a block of events to be learned.

Both are views that compute a column when somebody needs it and keep it for the next. Nothing here counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.features.store import Store
from components.once import made_once
from components.predictor import Queries

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
DAY_S = 86_400


def local_hour(time_s: NDArray[np.integer], utc_offset_min: NDArray[np.integer]) -> Floats:
    """Hour of the local day with its fraction, in [0, 24)."""
    return ((time_s + 60 * utc_offset_min.astype(np.int64)) % DAY_S) / 3600.0


def weekend(time_s: NDArray[np.integer], utc_offset_min: NDArray[np.integer]) -> Bools:
    """Whether the local day is a Saturday or Sunday (1970-01-01 was a Thursday)."""
    return ((time_s + 60 * utc_offset_min.astype(np.int64)) // DAY_S + 3) % 7 >= 5


def unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """(n, 3) points on the unit sphere of places (n,) in degrees; NaN stays NaN."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


@dataclass(frozen=True)
class Ask:
    """B queries and the n events of their histories (the newest `max_history` of each), oldest first.

    `query` and `row` run over all n events; names that begin with `item` run over the m events of known items.
    """

    queries: Queries
    max_history: int
    _made: dict[str, NDArray] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], NDArray]) -> NDArray:
        """What several counters need, made for the first of them."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @made_once
    def size(self) -> int:
        """B."""
        return len(self.queries)

    def column(self, name: str) -> NDArray:
        """(n,) a column of the store over the gathered events; of one query it is a view."""
        column = np.asarray(self.queries.store[name])
        if self.size == 1:
            stop = int(self.queries.stop[0])
            return column[stop - int(self.length[0]) : stop]
        return column[self.row]

    @made_once
    def length(self) -> Ints:
        """(B,) events visible to each query, at most max_history."""
        return np.minimum(self.queries.stop - self.queries.start, self.max_history).astype(np.int64, copy=False)

    @made_once
    def edges(self) -> Ints:
        """(B+1,) the events of query b are edges[b]:edges[b+1]."""
        if self.size == 1:
            return np.array([0, self.length[0]], np.int64)
        return np.concatenate([[0], np.cumsum(self.length)]).astype(np.int64)

    @made_once
    def query(self) -> Ints:
        """(n,) which query an event belongs to."""
        if self.size == 1:
            return np.zeros(self.length[0], np.int64)
        return np.repeat(np.arange(self.size), self.length)

    @made_once
    def row(self) -> Ints:
        """(n,) row of the event in the store."""
        shift = self.queries.stop - self.length - self.edges[:-1]
        return np.arange(self.edges[-1]) + np.repeat(shift, self.length)

    @made_once
    def item(self) -> Ints:
        """(n,) item codes."""
        return self.column("item").astype(np.int64, copy=False)

    @made_once
    def time_s(self) -> Ints:
        """(n,) time of the events."""
        return self.column("time_s").astype(np.int64, copy=False)

    @made_once
    def age_d(self) -> Floats:
        """(n,) days from the event to the request, at least 0."""
        asked_s = self.queries.time_s if self.size == 1 else self.queries.time_s[self.query]
        return np.maximum(asked_s - self.time_s, 0) / DAY_S

    @made_once
    def hour(self) -> Floats:
        """(B,) local hour of the request, [0, 24)."""
        return local_hour(self.queries.time_s, self.queries.utc_offset_min)

    @made_once
    def known(self) -> Ints:
        """(m,) positions among the n events of those with a known item."""
        return np.flatnonzero(self.item > UNKNOWN)

    def of_known(self, values: NDArray) -> NDArray:
        """(m,) of (n,); the same array where every item is known, as it nearly always is."""
        return values if len(self.known) == len(values) else values[self.known]

    @made_once
    def item_query(self) -> Ints:
        """(m,) query of each known event."""
        return self.of_known(self.query)

    @made_once
    def item_edges(self) -> Ints:
        """(B+1,) the known events of query b are item_edges[b]:item_edges[b+1]."""
        if self.size == 1:
            return np.array([0, len(self.known)], np.int64)
        return np.searchsorted(self.item_query, np.arange(self.size + 1))

    @made_once
    def item_code(self) -> Ints:
        """(m,) item of each known event."""
        return self.of_known(self.item)

    @made_once
    def item_age_d(self) -> Floats:
        """(m,) days from each known event to the request, at least 0."""
        return self.of_known(self.age_d)

    @made_once
    def here(self) -> Floats:
        """(B, 3) `place` on the unit sphere."""
        return unit_vectors(self.place[:, 0], self.place[:, 1])

    @made_once
    def last_item(self) -> Ints:
        """(B,) newest known item, 0 where there is none."""
        if self.size == 1:
            newest = self.item[-1:]
            if len(newest) and newest.item() > UNKNOWN:  # as it nearly always is
                return newest
            return self.item_code[-1:] if len(self.item_code) else np.zeros(1, np.int64)
        last = np.zeros(self.size, np.int64)
        last[self.item_query] = self.item_code  # of equal indices the last is kept: the newest
        return last

    @made_once
    def place(self) -> NDArray[np.float64]:
        """(B, 2) latitude and longitude of the request, else of the last located event, else NaN; degrees."""
        latitude, longitude = self.column("latitude"), self.column("longitude")
        if self.size == 1:
            at = self.queries.latitude.item(0), self.queries.longitude.item(0)
            if not (math.isnan(at[0]) or math.isnan(at[1])):
                return np.array([at], np.float64)
            if len(latitude) and not (math.isnan(latitude.item(-1)) or math.isnan(longitude.item(-1))):
                return np.array([[latitude.item(-1), longitude.item(-1)]], np.float64)
        located = np.flatnonzero(~np.isnan(latitude) & ~np.isnan(longitude))
        here = np.full((self.size, 2), np.nan)
        here[self.query[located]] = np.stack([latitude[located], longitude[located]], axis=1)
        asked = np.stack([self.queries.latitude, self.queries.longitude], axis=1).astype(np.float64)
        return np.where(np.isnan(asked).any(axis=1, keepdims=True), here, asked)


@dataclass(frozen=True)
class Events:
    """n events that have happened, to be added to (or taken from) the tables.

    Attributes
    ----------
    store : holds them and, just before each, the user's previous event
    rows : (n,) int64
    """

    store: Store
    rows: Ints

    def column(self, name: str) -> NDArray:
        """(n,) a column of the store over the events."""
        return np.asarray(self.store[name][self.rows])

    @made_once
    def item(self) -> Ints:
        """(n,) item codes."""
        return self.column("item").astype(np.int64)

    @made_once
    def known(self) -> Bools:
        """(n,) whether the item is in the catalogue."""
        return self.item > UNKNOWN

    @made_once
    def followers(self) -> Ints:
        """(f,) positions among the n events of those whose user has an earlier event."""
        user = np.searchsorted(self.store.offsets, self.rows, side="right") - 1
        return np.flatnonzero(self.rows > self.store.offsets[user])

    @made_once
    def gap_s(self) -> Ints:
        """(f,) seconds between the previous event and the follower."""
        rows = self.rows[self.followers]
        time_s = self.store["time_s"]
        return np.asarray(time_s[rows]).astype(np.int64) - np.asarray(time_s[rows - 1]).astype(np.int64)

    def before(self, name: str) -> NDArray:
        """(f,) a column of the store at the followers' previous events."""
        return np.asarray(self.store[name][self.rows[self.followers] - 1])

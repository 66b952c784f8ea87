"""The log as analysis sees it: who, when, what and where, flat and sorted by user and time.

Made from the packed store or from a frame of events; never changes, filters or repairs what happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import SchemaError
from components.features.encoding import UNKNOWN
from components.features.place import cells_of, to_e7
from components.features.store import Store
from components.features.time import DAY_S, HOUR_S, MINUTE_S, NO_OFFSET, utc_offset

HOURS_OF_WEEK = 168
_NEEDED = ("user_id", "item_id", "timestamp")


@dataclass(frozen=True)
class Log:
    """N events of U users, oldest first within each user.

    Attributes
    ----------
    users : (U,) ids, sorted
    offsets : (U+1,) user u owns the rows `offsets[u]:offsets[u+1]`
    time_s : (N,) UTC seconds since 1970
    local_s : (N,) seconds since 1970 on the local clock
    item : (N,) code into `items`; -1 = none, or one that the store does not know
    category : (N,) code into `categories`; -1 = not told
    action : (N,) code into `actions`; -1 = not told
    items, categories, actions : names, sorted
    latitude, longitude : (N,) degrees, NaN = no place
    device : (N,) code into `devices`, -1 = not told; (0,) where the log has no devices
    devices : names
    """

    users: NDArray[np.object_]
    offsets: NDArray[np.int64]
    time_s: NDArray[np.int64]
    local_s: NDArray[np.int64]
    item: NDArray[np.int32]
    category: NDArray[np.int32]
    action: NDArray[np.int32]
    items: NDArray[np.object_]
    categories: NDArray[np.object_]
    actions: NDArray[np.object_]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    device: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    devices: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))

    @property
    def n_events(self) -> int:
        return len(self.time_s)

    @property
    def n_users(self) -> int:
        return len(self.users)

    @cached_property
    def user(self) -> NDArray[np.int64]:
        """(N,) row of the user of each event."""
        return np.repeat(np.arange(self.n_users), np.diff(self.offsets))

    @cached_property
    def hour_of_week(self) -> NDArray[np.int64]:
        """(N,) local hour of the week, 0 = Monday 00:00 .. 167."""
        return (self.local_s // HOUR_S + 3 * 24) % HOURS_OF_WEEK  # 1970-01-01 was a Thursday

    @cached_property
    def _cells(self) -> dict[int, tuple[NDArray[np.uint64], NDArray[np.int32]]]:
        """What `cells` has found, by resolution: many ask for the same."""
        return {}

    @cached_property
    def day(self) -> NDArray[np.int64]:
        """(N,) local days since 1970-01-01."""
        return self.local_s // DAY_S

    @cached_property
    def month(self) -> NDArray[np.int64]:
        """(N,) local months since January 1970."""
        return self.local_s.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)

    def cells(self, resolution: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """H3 cells (C,) that hold an event, ascending, and the index (N,) of each event's; -1 = no place."""
        if resolution not in self._cells:
            found, index = cells_of(to_e7(self.latitude), to_e7(self.longitude), resolution)
            nowhere = len(found) > 0 and found[0] == 0
            self._cells[resolution] = found[int(nowhere) :], index.astype(np.int32) - np.int32(nowhere)
        cells, place = self._cells[resolution]
        return cells, place.astype(np.int64)

    def only(self, rows: NDArray[np.bool_]) -> Log:
        """The events where `rows` (N,); users and codes stay as they are, also those without events."""
        count = np.bincount(self.user[rows], minlength=self.n_users)
        columns = ["time_s", "local_s", "item", "category", "action", "latitude", "longitude"]
        kept = {name: getattr(self, name)[rows] for name in columns + ["device"] * bool(len(self.device))}
        return replace(self, offsets=np.concatenate([[0], np.cumsum(count)]), **kept)

    def sample(self, most_events: int, seed: int) -> tuple[Log, NDArray[np.int64]]:
        """The whole histories of users drawn at random, as many as hold about `most_events` events; and their rows.

        Users are what figures are drawn by, so the intervals of a sample say what it leaves unsure. A log that is no
        larger is returned as it is.
        """
        if self.n_events <= most_events:
            return self, np.arange(self.n_users)
        order = np.random.default_rng(seed).permutation(self.n_users)
        held = np.cumsum(np.diff(self.offsets)[order])
        kept = np.sort(order[: max(int(np.searchsorted(held, most_events, side="right")), 1)])
        log = self.only(np.isin(self.user, kept))
        count = np.diff(log.offsets)[kept]
        return replace(log, users=self.users[kept], offsets=np.concatenate([[0], np.cumsum(count)])), kept

    @classmethod
    def of_store(cls, store: Store) -> Self:
        """The log of a packed store; categories are those of its catalogue."""
        item = np.asarray(store["item"], np.int32)
        words = store.encoding.vocabularies
        names = words["category"].ids if "category" in words else np.empty(2, object)
        code = np.asarray(store.encoding.catalogue.category, np.int32)[item]
        action = np.asarray(store["action"], np.int32)
        time_s = np.asarray(store["time_s"], np.int64)
        device = np.asarray(store["device"], np.int32)
        known = (device > UNKNOWN).any()
        return cls(
            users=store.users,
            offsets=np.asarray(store.offsets, np.int64),
            time_s=time_s,
            local_s=time_s + np.asarray(store["utc_offset_min"], np.int64) * MINUTE_S,
            item=np.where(item > UNKNOWN, item - 2, -1),
            category=np.where(code > UNKNOWN, code - 2, -1),
            action=np.where(action > UNKNOWN, action - 2, -1),
            items=words["item"].ids[2:],
            categories=names[2:],
            actions=words["action"].ids[2:] if "action" in words else np.empty(0, object),
            latitude=np.asarray(store["latitude"], np.float64),
            longitude=np.asarray(store["longitude"], np.float64),
            device=np.where(device > UNKNOWN, device - 2, -1).astype(np.int32) if known else np.zeros(0, np.int32),
            devices=words["device"].ids[2:] if known else np.empty(0, object),
        )

    @classmethod
    def of_frame(cls, events: pl.DataFrame, items: pl.DataFrame | None, zone: str) -> Self:
        """The log of a frame under the event contract.

        Parameters
        ----------
        events : pl.DataFrame
            user_id, item_id, timestamp (UTC); of action, utc_offset_min, latitude, longitude, device, source_seq what
            there is.
        items : pl.DataFrame or None
            item_id and category, where categories are known.
        zone : str
            IANA time zone of events without an offset.

        Raises
        ------
        SchemaError
            A needed column is missing.
        """
        missing = [name for name in _NEEDED if name not in events.columns]
        if missing:
            raise SchemaError(
                f"columns {', '.join(_NEEDED)} in the events",
                found=f"none named {', '.join(missing)} among {', '.join(events.columns)}",
                do="Load the log through a source (`components.events.load`).",
            )
        order = [name for name in ("user_id", "timestamp", "source_seq") if name in events.columns]
        frame = events.sort(order, maintain_order=True)
        known = pl.DataFrame(schema={"item_id": pl.String, "category": pl.String}) if items is None else items
        kinds = frame.select("item_id").join(
            known.select("item_id", "category").unique("item_id", keep="first"),
            on="item_id",
            how="left",
            maintain_order="left",
        )["category"]
        time_s = frame["timestamp"].dt.epoch("s").to_numpy().astype(np.int64)
        offset = _column(frame, "utc_offset_min", NO_OFFSET).astype(np.int16)
        users, row = _ranked(frame["user_id"])
        item, names = _codes(frame["item_id"])
        category, categories = _codes(kinds)
        told = (
            frame["action"] if "action" in frame.columns else pl.repeat(None, len(frame), dtype=pl.String, eager=True)
        )
        action, actions = _codes(told)
        device, devices = _codes(frame["device"] if "device" in frame.columns else pl.Series([], dtype=pl.String))
        return cls(
            users=users,
            offsets=np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(users)))]).astype(np.int64),
            time_s=time_s,
            local_s=time_s + utc_offset(time_s, offset, zone).astype(np.int64) * MINUTE_S,
            item=item,
            category=category,
            action=action,
            items=names,
            categories=categories,
            actions=actions,
            latitude=_column(frame, "latitude", np.nan),
            longitude=_column(frame, "longitude", np.nan),
            device=device if len(devices) else device[:0],
            devices=devices,
        )


def _column(frame: pl.DataFrame, name: str, absent: float) -> NDArray[np.float64]:
    if name not in frame.columns:
        return np.full(len(frame), absent)
    return frame[name].cast(pl.Float64).fill_null(absent).to_numpy()


def _ranked(column: pl.Series) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Distinct strings, sorted, and the place (N,) of each among them."""
    names = column.unique().sort()
    code = column.cast(pl.Enum(names)).to_physical().cast(pl.Int64).to_numpy()
    return np.array(names.to_list(), dtype=object), code


def _codes(column: pl.Series) -> tuple[NDArray[np.int32], NDArray[np.object_]]:
    """Code of each string among the distinct ones, sorted; -1 = null."""
    names = column.drop_nulls().unique().sort()
    code = column.cast(pl.Enum(names)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
    return code, np.array(names.to_list(), dtype=object)

"""What is happening, in numbers that a page can show: the counts of the live page.

`applied` listens to the live log, `answered` is told of every prediction; `snapshot` is what `GET /v1/live` gives.
All windows are on the clock of receipt: a log replayed at 60 times its speed is as lively as it comes in. The clock of
the events themselves is told beside them. Never here: HTTP, or anything that a prediction depends on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import orjson

from components.serving.pulse.cells import Cells, by_cell, shape
from components.serving.pulse.hits import Hits
from components.serving.pulse.rolling import WINDOWS, Windows
from components.serving.pulse.source import Item, Source
from components.serving.pulse.spread import Spread
from components.serving.state.protocol import Stored
from components.serving.state.record import Record

CHAMPION = "champion"
MOST_BYTES = 50_000  # of a snapshot
MOST_ACTIONS = 12
MOST_CATEGORIES = 200
SHOWN_CATEGORIES = 12
NEWEST = 40
MOST_NEW_ITEMS = 10_000
OTHER = "other"
MOST_GONE, GONE_S = 100, 10.0  # users who were just forgotten, and for how long pages are told
_RATE_SLOTS = 2  # full slots of five seconds that the rate is the mean of
_SHORT = 80  # characters of a title that a list of events shows


class Pulse:
    """Rolling aggregates of the live log and of the service's answers; safe for threads.

    Parameters
    ----------
    source : what events do not say
    clock : seconds since 1970
    """

    def __init__(self, source: Source, clock: Callable[[], float] = time.time) -> None:
        self._source, self._clock = source, clock
        self._lock = threading.Lock()
        self._zone = ZoneInfo(source.timezone)
        self._secret = os.urandom(16)
        self._started_s = clock()
        self._count = 0
        self._event_us, self._behind_s = 0, 0.0
        self._actions: list[str] = []
        self._events: Windows[str] = Windows()  # by action
        self._cells = Cells()
        self._hours: Windows[int] = Windows()  # of the week, local: 24 × weekday + hour, Monday is 0
        self._categories: Windows[str] = Windows()
        self._category_names: set[str] = set()
        self._fresh, self._latency = Spread(), Spread()
        self._hits = Hits()
        self._new_items: OrderedDict[str, None] = OrderedDict()
        self._newest: deque[dict[str, object]] = deque(maxlen=NEWEST)
        self._gone: deque[tuple[float, str]] = deque(maxlen=MOST_GONE)  # when, and who was forgotten

    @property
    def count(self) -> int:
        """How many events and answers were told of: equal numbers mean that nothing came in between."""
        return self._count

    def applied(self, stored: Sequence[Stored]) -> None:
        """Take records that the service has just applied; only events count, and a tombstone clears its user."""
        now_s = self._clock()
        with self._lock:
            for one in stored:
                if one.record.kind == "event":
                    self._event(one.record, now_s)
                elif one.record.kind == "tombstone":
                    self._forget(one.record.user_id, now_s)

    def answered(self, user_id: str | None, item_ids: Sequence[str], seconds: float, arm: str = CHAMPION) -> None:
        """Take an answer: its list (best first), and how long it took."""
        now_s = self._clock()
        with self._lock:
            self._count += 1
            self._latency.add(seconds, now_s)
            if user_id is not None:
                self._hits.shown(arm, user_id, item_ids)

    def shown(self, arm: str, user_id: str, item_ids: Sequence[str]) -> None:
        """Take a list that nobody waited for, such as a challenger's in the shadow.

        It is judged by the same event as the champion's; one that comes after that event is not judged.
        """
        with self._lock:
            self._hits.beside(CHAMPION, arm, user_id, item_ids)

    def pseudonym(self, user_id: str) -> str:
        """A short name for a user that says nothing about them and changes when the service restarts."""
        return "user " + hashlib.blake2s(user_id.encode(), key=self._secret, digest_size=3).hexdigest()

    def _event(self, record: Record, now_s: float) -> None:
        payload = record.payload
        received_s = min(record.received_us / 1e6, now_s)  # another worker's clock may be ahead
        if received_s >= self._started_s:
            self._fresh.add(now_s - received_s, now_s)
        self._count += 1
        if record.time_us >= self._event_us:
            self._event_us, self._behind_s = record.time_us, received_s - record.time_us / 1e6
        action = self._action(str(payload.get("action", OTHER)))
        item_id = payload.get("item_id")
        item = None if item_id is None else self._source.item(str(item_id))
        self._events.add(action, received_s)
        self._hours.add(self._hour(record), received_s)
        if item is not None and item.category is not None:
            self._categories.add(self._category(item.category), received_s)
        place = _place(record, item)
        cell = None if place is None else self._cells.add(*place, action, received_s)
        ranks: dict[str, int] = {}
        if item_id is not None:
            ranks = self._hits.happened(record.user_id, str(item_id), received_s)
            if item is None:
                self._new_item(str(item_id))
        self._newest.append({
            "n": self._count, "user": record.user_id, "action": action, "item": item_id,
            "title": (item.title if item else "")[:_SHORT] or None, "category": item.category if item else None,
            "time_ms": record.time_us // 1000, "cell": cell,
            "rank": ranks.get(CHAMPION, next(iter(ranks.values()), None)),
            "new": item_id is not None and item is None,
        })  # fmt: skip

    def _action(self, name: str) -> str:
        if name not in self._actions:
            if len(self._actions) >= MOST_ACTIONS:
                return OTHER
            self._actions.append(name)
        return name

    def _category(self, name: str) -> str:
        if name not in self._category_names:
            if len(self._category_names) >= MOST_CATEGORIES:
                return OTHER
            self._category_names.add(name)
        return name

    def _hour(self, record: Record) -> int:
        at = dt.datetime.fromtimestamp(record.time_us / 1e6, dt.UTC)
        offset = record.payload.get("utc_offset_min")
        local = at.astimezone(self._zone) if offset is None else at + dt.timedelta(minutes=int(offset))
        return 24 * local.weekday() + local.hour

    def _new_item(self, item_id: str) -> None:
        self._new_items.pop(item_id, None)
        self._new_items[item_id] = None
        if len(self._new_items) > MOST_NEW_ITEMS:
            self._new_items.popitem(last=False)

    def _forget(self, user_id: str, now_s: float) -> None:
        self._count += 1
        self._gone.append((now_s, user_id))
        self._hits.forget(user_id)
        kept = [one for one in self._newest if one["user"] != user_id]
        self._newest.clear()
        self._newest.extend(kept)

    def snapshot(self, names: bool = False) -> dict[str, object]:
        """Everything that the page shows, as plain JSON values of at most `MOST_BYTES` bytes.

        Parameters
        ----------
        names : whether users are told by their ids; else by pseudonyms

        Returns
        -------
        dict
            Counts are lists in the order of `windows`, times are milliseconds since 1970, durations milliseconds.
            `event_ms` is the newest event's own time and `behind_ms` how long after it that was received.
            `gone` names users who were forgotten a moment ago: a page that shows something of them lets go of it.
            `map.cells` has for each cell rows of an action's place in `actions` and its counts; `map.shapes` is
            `cells.shape` of each; `map.left_out` says how many cells had no room. `hours` are of the local week.
        """
        now_s = self._clock()
        with self._lock:
            for one in (self._events, self._cells, self._hours, self._categories):
                one.move(now_s)
            cells, resolution = self._cells.counts.copied(), self._cells.resolution
            events, hours, categories = self._events.copied(), self._hours.copied(), self._categories.copied()
            series = self._events.shortest()
            while self._gone and now_s - self._gone[0][0] > GONE_S:
                self._gone.popleft()
            gone = [user_id for _, user_id in self._gone]
            newest, new_items = list(self._newest), list(self._new_items)[-5:]
            event_us, behind_s = self._event_us, self._behind_s
            n_new, actions = len(self._new_items), [*self._actions, OTHER]
            freshness, latency, arms = (one.told(now_s) for one in (self._fresh, self._latency, self._hits))
        most = sorted(categories.rows(), key=lambda row: (-row[1][-1], row[0]))[:SHOWN_CATEGORIES]
        told: dict[str, object] = {
            "time_ms": round(1000 * now_s),
            "started_ms": round(1000 * self._started_s),
            "event_ms": event_us // 1000 or None,
            "behind_ms": round(1000 * behind_s),
            "windows": list(WINDOWS),
            "actions": actions,
            "events": dict(sorted(events.rows())),
            "rate": {"per_s": _rate(series), "series": series},
            "freshness_ms": freshness,
            "latency_ms": latency,
            "arms": arms,
            "new_items": {"count": n_new, "newest": new_items[::-1]},
            "state": vars(self._source.sizes()),
            "model": dict(self._source.model()),
            "hours": {str(hour): counts for hour, counts in sorted(hours.rows())},
            "categories": dict(most),
            "names": names,
            "newest": newest if names else [one | {"user": self.pseudonym(str(one["user"]))} for one in newest],
            "gone": gone if names else [self.pseudonym(user_id) for user_id in gone],
        }
        number = {name: place for place, name in enumerate(actions)}
        rows = {cell: [[number[action], *counts] for action, counts in each] for cell, each in by_cell(cells).items()}
        return told | {"map": _map(rows, resolution, MOST_BYTES - len(orjson.dumps(told)))}


def _rate(series: Sequence[int]) -> float:
    """Events per second over the newest full slots and the open one's share."""
    full = series[-1 - _RATE_SLOTS : -1]
    return round(sum(full) / (len(full) * WINDOWS["5m"][0] / WINDOWS["5m"][1]), 2)


def _place(record: Record, item: Item | None) -> tuple[float, float] | None:
    """Where an event was: its own place, else that of its item."""
    latitude, longitude = record.payload.get("latitude"), record.payload.get("longitude")
    if latitude is None or longitude is None:
        if item is None or item.latitude is None or item.longitude is None:
            return None
        return item.latitude, item.longitude
    return float(latitude), float(longitude)


def _map(rows: dict[str, list[list[int]]], resolution: int, room: int) -> dict[str, object]:
    """The cells that fit into so many bytes, busiest first."""
    cells: dict[str, list[list[int]]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    room -= 200  # keys and brackets
    for cell, counts in rows.items():
        corners = shape(cell)
        room -= len(orjson.dumps(counts)) + len(orjson.dumps(corners)) + 2 * len(cell) + 8
        if room < 0:
            break
        cells[cell], shapes[cell] = counts, corners
    return {"resolution": resolution, "cells": cells, "shapes": shapes, "left_out": len(rows) - len(cells)}

"""What a user did last, for people: newest first, named as the catalogue names it. Nothing is predicted here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from components.features.encoding import UNKNOWN
from components.serving.histories import History

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class TimelineEvent:
    """One event of a user.

    Attributes
    ----------
    item_id : None where the event has no item, or one whose name the artifact did not keep
    title, category : of the catalogue; "" and None where it has none
    action : None where the model does not know it
    time : UTC; whole seconds where it came before the model was packed
    latitude, longitude : degrees, None = no place
    offset : its place in the live log; 0 = it came before the model was packed
    new_item : whether the item came after the model was trained
    """

    item_id: str | None
    title: str
    category: str | None
    action: str | None
    time: dt.datetime
    latitude: float | None
    longitude: float | None
    offset: int
    new_item: bool


def timeline(history: History, n: int) -> list[TimelineEvent]:
    """The newest `n` events of a history, newest first."""
    return [_told(history, row) for row in range(len(history) - 1, max(len(history) - n, 0) - 1, -1)]


def _told(history: History, row: int) -> TimelineEvent:
    store, sent = history.store, history.payload(row)
    words, catalogue = store.encoding.vocabularies, store.encoding.catalogue
    item, action = int(store["item"][row]), int(store["action"][row])
    category = int(catalogue.category[item])
    place = [float(store[name][row]) for name in ("latitude", "longitude")]
    name = str(words["action"].ids[action]) if action > UNKNOWN else None
    return TimelineEvent(
        item_id=history.item_id(row),
        title=str(catalogue.title[item] or "") if item > UNKNOWN else "",
        category=str(words["category"].ids[category]) if item > UNKNOWN and category > UNKNOWN else None,
        action=name if sent is None else str(sent.get("action") or name),
        time=_EPOCH + dt.timedelta(microseconds=int(history.time_us[row])),
        latitude=None if place[0] != place[0] else place[0],
        longitude=None if place[1] != place[1] else place[1],
        offset=int(history.offset[row]),
        new_item=item == UNKNOWN,
    )

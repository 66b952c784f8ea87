"""What the pulse asks of the service around it: names of items, the model in production, the size of the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from components.features.encoding import UNKNOWN
from components.serving.champion import Champion
from components.serving.state.protocol import Sizes


@dataclass(frozen=True)
class Item:
    """What people call an item; None where the catalogue does not say."""

    title: str
    category: str | None
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True)
class Source:
    """Where the pulse learns what events do not say.

    Attributes
    ----------
    item : id → what the champion's catalogue says; None: it has no such item, so the item is new
    model : name, version, digest, since of the champion, of the one before, and why a newer one was refused
    sizes : of the state
    timezone : of events that carry no offset of their own
    """

    item: Callable[[str], Item | None]
    model: Callable[[], Mapping[str, object]]
    sizes: Callable[[], Sizes]
    timezone: str


def item_in(champion: Champion, item_id: str) -> Item | None:
    """What a champion's catalogue says of an item; None if training never saw it."""
    encoding = champion.encoding
    code = encoding.vocabularies["item"].code_of.get(item_id)
    if code is None:
        return None
    items, category = encoding.catalogue, int(encoding.catalogue.category[code])
    latitude, longitude = float(items.latitude[code]), float(items.longitude[code])
    placed = bool(np.isfinite(latitude) and np.isfinite(longitude))
    return Item(
        title=str(items.title[code] or ""),
        category=str(encoding.vocabularies["category"].ids[category]) if category > UNKNOWN else None,
        latitude=latitude if placed else None,
        longitude=longitude if placed else None,
    )


def model_of(champion: Champion, previous: Champion | None, refused: str | None) -> dict[str, object]:
    """The model in production, for people."""

    def told(one: Champion) -> dict[str, object]:
        entry = one.entry
        return {"name": entry.model, "version": entry.sequence, "digest": entry.digest[:12], "since": entry.time}

    return told(champion) | {"previous": told(previous) if previous else None, "refused": refused}

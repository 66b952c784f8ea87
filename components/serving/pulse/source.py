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


def places_in(champion: Champion, most: int = 4000) -> list[int]:
    """Where the items of a champion's catalogue are, for a map: latitude, longitude, … in 1e-4 degrees (about 11 m).

    Parameters
    ----------
    champion : whose catalogue
    most : places; beyond it an even choice of them

    Returns
    -------
    list of int
        In no order of popularity or name; each place once.
    """
    items = champion.encoding.catalogue
    placed = np.isfinite(items.latitude) & np.isfinite(items.longitude)
    points = np.stack([items.latitude[placed], items.longitude[placed]], axis=1).astype(np.float64)
    distinct = np.unique(np.rint(points * 1e4).astype(np.int64), axis=0)
    if len(distinct) > most:
        distinct = distinct[np.linspace(0, len(distinct) - 1, most).astype(np.int64)]
    return [int(degree) for degree in distinct.ravel()]

"""Fits an `Encoding`: vocabularies, the catalogue and the scales, from training events alone.

`Tally` counts the events of complete users part by part, so that a log larger than memory is counted in one pass
and gives the same encoding. Nothing here reads an event outside the training window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Set
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.errors import ConfigError
from components.features import place
from components.features.catalogue import Places, catalogue_of, located_items
from components.features.context import fit_scale
from components.features.encoding import Encoding, Vocabulary
from components.features.kernel import blocks
from components.features.measure import NUMBERS, measure
from components.features.raw import Raw, gather
from components.params import Params

_K = TypeVar("_K", bound=Hashable)
#: Scales are fitted on the training events of every k-th user, k such that about this many events take part.
SCALE_EVENTS = 2_000_000


def settings_of(params: Params) -> dict[str, object]:
    """What must be equal offline and online, for `Encoding.settings`."""
    unknown = set(params.features.numbers) - set(NUMBERS)
    if unknown:
        raise ConfigError(
            f"numbers among {', '.join(NUMBERS)}",
            found=f"`features.numbers.{min(unknown)}` in params.yaml",
            do="Remove it or correct its name.",
        )
    return {
        "cells": sorted(params.features.cells),
        "numbers": list(params.features.numbers),
        "session_gap_s": params.features.session_gap_s,
        "timezone": params.events.timezone,
        "country": params.events.country,
        "time_kind": params.events.time_kind,
        "max_speed_kmh": params.validation.max_speed_kmh,
        "max_events_per_user_day": params.validation.max_events_per_user_day,
        "max_value": params.validation.max_value,
        "max_duration_s": params.validation.max_duration_s,
    }


class Tally:
    """Counts of training events; `add` parts of complete users in their order, then `encoding`.

    Parameters
    ----------
    params : Params
    n_train : int
        Training events of the whole log: decides which users the scales are fitted on.
    located : iterable of str
        Items whose coordinates the item table knows.
    """

    def __init__(self, params: Params, n_train: int, located: Iterable[str] = ()) -> None:
        self.params = params
        self.settings = settings_of(params)
        self.step = -(-n_train // SCALE_EVENTS) or 1
        self.located = frozenset(located)
        self.users = 0
        self.items: Counter[str] = Counter()
        self.devices: Counter[str] = Counter()
        self.cells: Counter[int] = Counter()
        self.numbers: list[list[NDArray[np.float32]]] = [[] for _ in params.features.numbers]
        self.places: list[Places] = []

    def add(self, raw: Raw, train: NDArray[np.bool_]) -> None:
        """Count the events of `raw` where `train` (N,)."""
        _count(self.items, raw.items, raw.item[train])
        _count(self.devices, raw.devices, raw.device[train])
        if self.settings["cells"]:
            _count(self.cells, raw.cells.tolist(), raw.cell[train])
        self._count_places(raw, train)
        self._sample(raw, train)
        self.users += len(raw.users)

    def _count_places(self, raw: Raw, train: NDArray[np.bool_]) -> None:
        """Keep (item, latitude, longitude, events) of the items that the item table does not locate."""
        lost = np.array([name not in self.located for name in raw.items] + [False])
        rows = np.flatnonzero(train & (raw.lat_e7 != place.NO_PLACE) & lost[raw.item])
        if not len(rows):
            return
        found = pl.DataFrame({"item": raw.item[rows], "latitude": raw.lat_e7[rows], "longitude": raw.lon_e7[rows]})
        found = found.group_by("item", "latitude", "longitude").agg(n=pl.len())
        self.places.append((raw.items, found))

    def _sample(self, raw: Raw, train: NDArray[np.bool_]) -> None:
        """Keep the numbers of the training events of every `step`-th user of the log."""
        chosen = (np.arange(self.users, self.users + len(raw.users)) % self.step) == 0
        some = raw if chosen.all() else raw.only(chosen)
        rows = train if some is raw else train[np.repeat(chosen, np.diff(raw.offsets))]
        for low, high in blocks(some.offsets):
            measures = measure(some.part(low, high), self.settings)
            here = rows[some.offsets[low] : some.offsets[high]]
            for kept, name in zip(self.numbers, self.params.features.numbers, strict=True):
                kept.append(measures.number(name)[here])

    def encoding(self, items: pl.DataFrame | None) -> Encoding:
        """The fitted encoding; `items` is the item table of the contract, or None."""
        least = self.params.features.min_item_events
        trained = _ranked({name: n for name, n in self.items.items() if n >= least})
        cold = self._cold(items, set(trained)) if self.params.features.vocabulary == "catalogue" else []
        item = Vocabulary.of(trained + cold)
        cells: dict[str, Vocabulary] = {}
        finest = np.array([cell for cell in self.cells if cell], np.uint64)
        for resolution in self.settings["cells"]:  # type: ignore[attr-defined]
            counts: Counter[str] = Counter()
            for cell, parent in zip(finest.tolist(), place.parents(finest, resolution).tolist(), strict=True):
                counts[place.cell_name(parent)] += self.cells[cell]
            cells[f"cell_{resolution}"] = Vocabulary.of(_ranked(counts))
        category, catalogue = catalogue_of(item, items, self.places)
        scales = {
            name: fit_scale(np.concatenate([np.zeros(0, np.float32), *kept]), self.params.features.numbers[name])
            for name, kept in zip(self.params.features.numbers, self.numbers, strict=True)
        }
        return Encoding(
            vocabularies={
                "item": item,
                "action": Vocabulary.of(list(self.params.events.actions)),
                "device": Vocabulary.of(_ranked(self.devices)),
                "category": category,
                **cells,
            },
            scales=scales,
            catalogue=catalogue,
            settings=self.settings,
            cold=len(cold),
        )

    def _cold(self, items: pl.DataFrame | None, trained: Set[str]) -> list[str]:
        """Items of the table that networks do not train on, by (−count, id)."""
        names = [] if items is None else items["item_id"].drop_nulls().unique().to_list()
        return _ranked({name: self.items.get(name, 0) for name in names if name not in trained})


def fit_encoding(
    events: pl.DataFrame, items: pl.DataFrame | None, train: NDArray[np.bool_], params: Params
) -> Encoding:
    """Fit an encoding on the training events of a table.

    Parameters
    ----------
    events : pl.DataFrame
        (N, any) columns of the event contract, in any order.
    items : pl.DataFrame or None
        Columns of the item contract.
    train : (N,) bool
        Which rows are training; no other row is read.
    params : Params

    Returns
    -------
    Encoding
        Items with at least `min_item_events` training events, and cells and devices that training saw, by
        (−count, id); actions in the order of params. Items that training never saw have no code of their own, but
        where `vocabulary: catalogue` gives those of the item table one, behind all others.
    """
    raw = gather_frame(events.filter(pl.Series(train)), max(params.features.cells, default=None))
    tally = Tally(params, len(raw), located_items(items))
    tally.add(raw, np.ones(len(raw), bool))
    return tally.encoding(items)


def gather_frame(events: pl.DataFrame, resolution: int | None) -> Raw:
    """`raw.gather` of a table in memory."""
    return gather(lambda name: events[name] if name in events.columns else None, resolution)


def _count(counter: Counter[_K], names: Iterable[_K], index: NDArray[np.int32]) -> None:
    names = list(names)
    counts = np.bincount(index[index >= 0], minlength=len(names))
    for position in np.flatnonzero(counts).tolist():
        counter[names[position]] += int(counts[position])


def _ranked(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))

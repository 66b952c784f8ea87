"""The benchmark's log with all that the joint model reads: actions, moments, places, categories, devices, numbers.

Order, users and items are those of the log; the rest is drawn, so it costs what it costs and teaches nothing. Never
used to say how good a model is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from components.features.encoding import Catalogue, Encoding, Scale, Vocabulary
from components.features.store import Store
from components.params import FillParams, NumberParams

NUMBERS = ("gap_s", "distance_km", "duration_s", "value")
ACTIONS, DEVICES, CATEGORIES = 5, 2, 20
SIDE, FINE, COARSE = 0.3, 24, 6  # degrees of a square town; its cells are FINE × FINE, and COARSE × COARSE
START_S = 1_735_862_400

#: Changes of benchmarks/configs/training.yaml: every input and every head, the moment of the answer given.
JOINT: dict[str, Any] = {
    "inputs": ["item", "action", "numbers", "clock", "cells", "device", "category", "position"],
    "heads": {"item": 1.0, "action": 0.3, "time": 0.1, "place": 0.3, "place_coarse": 0.1, "category": 0.1},
    "time_components": 8,
    "target_time": "given",
}
#: The same with the item head of the presets: a mixture with what is copied, and a logit for each item.
COPYING: dict[str, Any] = JOINT | {"copy_heads": 4, "item_bias": True, "distance": True}


def joint_store(store: Store, seed: int = 0) -> Store:
    """The store with drawn columns beside its items."""
    rng = np.random.default_rng(seed)
    n, V = store.n_events, store.encoding.n_items
    encoding = _encoding(store, V, rng)
    code = np.asarray(store["item"])
    gap = np.exp(rng.normal(np.log(6 * 3600), 2.0, n)).astype(np.int64)
    gap[store.offsets[:-1]] = -1
    before = np.concatenate([[0], np.cumsum(np.maximum(gap, 0))])
    time_s = START_S + before[1:] - before[store.offsets[:-1]][store.user]
    place = {name: getattr(encoding.catalogue, name)[code] for name in ("latitude", "longitude")}
    columns = {
        **store.columns,
        **place,
        "action": rng.integers(2, ACTIONS + 2, n).astype(np.int8),
        "device": rng.integers(2, DEVICES + 2, n).astype(np.int16),
        "time_s": time_s,
        "gap_s": gap,
        "local_hour": (time_s // 3600 % 24).astype(np.int8),
        "local_weekday": ((time_s // 86_400 + 3) % 7).astype(np.int8),
        "holiday": np.zeros(n, np.int8),
        "cell_6": _cells(place, COARSE),
        "cell_8": _cells(place, FINE),
    }
    numbers = rng.normal(size=(n, len(NUMBERS))).astype(np.float32)
    return replace(store, columns=columns, numbers=numbers, missing=np.zeros(n, np.uint16), encoding=encoding)


def _encoding(store: Store, V: int, rng: np.random.Generator) -> Encoding:
    """Vocabularies of everything, and a catalogue of items with a category and a place."""
    sizes = {"action": ACTIONS, "device": DEVICES, "category": CATEGORIES, "cell_6": COARSE**2, "cell_8": FINE**2}
    words = {name: Vocabulary.of([f"{name}{i:04d}" for i in range(size)]) for name, size in sizes.items()}
    blank = np.array([""] * V, dtype=object)
    category = rng.integers(2, CATEGORIES + 2, V).astype(np.int32)
    category[:2] = 0
    latitude, longitude, price = (rng.uniform(low, low + SIDE, V).astype(np.float32) for low in (48.7, 2.2, 1.0))
    scale = Scale(NumberParams(scale="log", fill=FillParams(rule="constant", value=0.0)), 0.0, 0.0, 1.0)
    return Encoding(
        vocabularies={"item": store.encoding.vocabularies["item"], **words},
        scales=dict.fromkeys(NUMBERS, scale),
        catalogue=Catalogue(category, latitude, longitude, price, blank, blank, blank),
        settings={"cells": [6, 8], "time_kind": "real", "timezone": "UTC", "numbers": list(NUMBERS)},
    )


def _cells(place: dict[str, np.ndarray], side: int) -> np.ndarray:
    """(N,) codes of a square grid."""
    row, column = (
        np.clip(((place[name] - low) / SIDE * side).astype(np.int32), 0, side - 1)
        for name, low in (("latitude", 48.7), ("longitude", 2.2))
    )
    return (2 + row * side + column).astype(np.int32)

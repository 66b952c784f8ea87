"""Small stores and logs with known structure, for tests of rooms that stand on the store."""

from __future__ import annotations

import numpy as np

from components.features.encoding import Catalogue, Encoding, Scale, Vocabulary
from components.features.store import WINDOWS, Store
from components.params import FillParams, NumberParams

NUMBERS = ("gap_s", "distance_km", "duration_s", "value")
MONDAY_S = 1_735_862_400 + 3 * 86_400  # 2025-01-06T00:00:00Z


def toy_encoding(n_items: int = 20, n_actions: int = 3, n_categories: int = 4, seed: int = 0) -> Encoding:
    """Encoding of `n_items` real items on a 10 km square, in `n_categories` categories."""
    rng = np.random.default_rng(seed)
    pad = np.array([0, 0])
    category = np.concatenate([pad, 2 + np.arange(n_items) % n_categories]).astype(np.int32)
    nan = np.array([np.nan, np.nan])
    names = [f"item{i:05d}" for i in range(n_items)]
    return Encoding(
        vocabularies={
            "item": Vocabulary.of(names),
            "action": Vocabulary.of(["view", "like", "purchase", "play", "check"][:n_actions]),
            "device": Vocabulary.of(["phone", "web"]),
            "category": Vocabulary.of([f"category{i}" for i in range(n_categories)]),
            "cell_6": Vocabulary.of([f"coarse{i}" for i in range(4)]),
            "cell_8": Vocabulary.of([f"fine{i}" for i in range(16)]),
        },
        scales={
            n: Scale(NumberParams(scale="log", fill=FillParams(rule="constant", value=0.0)), 0.0, 0.0, 1.0)
            for n in NUMBERS
        },
        catalogue=Catalogue(
            category=category,
            latitude=np.concatenate([nan, rng.uniform(48.8, 48.9, n_items)]).astype(np.float32),
            longitude=np.concatenate([nan, rng.uniform(2.3, 2.44, n_items)]).astype(np.float32),
            price=np.concatenate([nan, rng.uniform(1, 50, n_items)]).astype(np.float32),
            title=np.array(["", "", *names], dtype=object),
            text=np.array([""] * (n_items + 2), dtype=object),
            tags=np.array([""] * (n_items + 2), dtype=object),
        ),
        settings={
            "cells": [6, 8],
            "session_gap_s": 1800,
            "timezone": "UTC",
            "country": None,
            "time_kind": "real",
            "numbers": list(NUMBERS),
            "max_speed_kmh": 1000.0,
            "max_events_per_user_day": 200,
            "max_value": None,
            "max_duration_s": None,
        },
    )


def toy_store(
    n_users: int = 30,
    n_items: int = 20,
    events_per_user: int = 40,
    days: int = 40,
    pattern: str = "markov",
    seed: int = 0,
) -> Store:
    """Store of users who follow a rule.

    pattern: "markov" (item i is followed by i+1, with noise 0.1), "habit" (each user repeats three items),
    "random" (uniform). Windows by time: the last three tenths of the days are tune, blend and test.
    """
    rng = np.random.default_rng(seed)
    encoding = toy_encoding(n_items, seed=seed)
    n = n_users * events_per_user
    offsets = np.arange(0, n + 1, events_per_user, dtype=np.int64)
    user = np.repeat(np.arange(n_users), events_per_user)
    time_s = np.sort(rng.integers(0, days * 86_400, (n_users, events_per_user)), axis=1).ravel() + MONDAY_S
    item = np.empty((n_users, events_per_user), dtype=np.int32)
    if pattern == "markov":
        item[:, 0] = rng.integers(0, n_items, n_users)
        for step in range(1, events_per_user):
            jump = rng.random(n_users) < 0.1
            item[:, step] = np.where(jump, rng.integers(0, n_items, n_users), (item[:, step - 1] + 1) % n_items)
    elif pattern == "habit":
        favourites = rng.integers(0, n_items, (n_users, 3))
        item[:] = favourites[np.arange(n_users)[:, None], rng.integers(0, 3, (n_users, events_per_user))]
    else:
        item[:] = rng.integers(0, n_items, (n_users, events_per_user))
    codes = item.ravel() + 2
    gap = np.diff(time_s, prepend=0)
    gap[offsets[:-1]] = -1
    first = gap < 0
    fine = rng.integers(2, 18, n_items + 2)
    edges = MONDAY_S + 86_400 * days * np.array([0.7, 0.8, 0.9])
    window = np.searchsorted(edges, time_s, side="right").astype(np.int8)
    assert WINDOWS["test"] == 3
    numbers = np.zeros((n, len(NUMBERS)), np.float32)
    numbers[:, 0] = np.where(first, 0, np.log1p(np.maximum(gap, 0)))
    columns = {
        "item": codes.astype(np.int32),
        "action": rng.integers(2, 5, n).astype(np.int8),
        "time_s": time_s.astype(np.int64),
        "utc_offset_min": np.zeros(n, np.int16),
        "local_hour": (time_s // 3600 % 24).astype(np.int8),
        "local_weekday": ((time_s // 86_400 + 3) % 7).astype(np.int8),
        "holiday": np.zeros(n, np.int8),
        "gap_s": gap.astype(np.int64),
        "session": np.concatenate([np.cumsum(g) for g in np.split(gap > 1800, offsets[1:-1])]).astype(np.int32),
        "latitude": encoding.catalogue.latitude[codes],
        "longitude": encoding.catalogue.longitude[codes],
        "distance_km": np.where(first, np.nan, 1.0).astype(np.float32),
        "device": rng.integers(2, 4, n).astype(np.int16),
        "flags": np.zeros(n, np.int8),
        "window": window,
        "target": np.ones(n, bool),
        "cell_6": (2 + (fine[codes] - 2) // 4).astype(np.int32),
        "cell_8": fine[codes].astype(np.int32),
    }
    users = np.array([f"user{u:05d}" for u in range(n_users)], dtype=object)
    assert len(user) == n
    return Store(users, offsets, columns, numbers, np.zeros(n, np.uint16), encoding)

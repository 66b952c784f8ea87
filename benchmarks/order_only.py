"""Logs of which nothing but the order is known, and networks on them: what the speed of training is measured on.

Never reads a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from components.evaluation.protocol import Protocol
from components.features.encoding import Catalogue, Encoding, Vocabulary
from components.features.store import WINDOWS, Store
from components.params import NetworkParams, TrainParams
from components.training.network import NetworkPredictor

PROTOCOL = Protocol("leave_one_out", "hidden", "online", "filtered", "miss", "source")


def leave_one_out_store(user: np.ndarray, item: np.ndarray) -> Store:
    """A store of (N,) users, ascending, and (N,) items, in each user's order; nothing but the order is known."""
    ids, start = np.unique(user, return_index=True)
    offsets = np.append(start, len(user)).astype(np.int64)
    length = np.diff(offsets)
    place = np.arange(len(user)) - np.repeat(start, length)
    left = np.repeat(length, length) - 1 - place
    window = np.select([left == 0, left == 1], [WINDOWS["test"], WINDOWS["tune"]], WINDOWS["train"]).astype(np.int8)
    window[np.repeat(length < 3, length)] = WINDOWS["train"]
    known = np.unique(item[window == WINDOWS["train"]])
    found = np.minimum(np.searchsorted(known, item), len(known) - 1)
    code = np.where(known[found] == item, found + 2, 1).astype(np.int32)
    n, V = len(user), len(known) + 2
    nan = np.full(V, np.nan, np.float32)
    blank = np.array([""] * V, dtype=object)
    encoding = Encoding(
        vocabularies={
            "item": Vocabulary.of([str(one) for one in known]),
            "action": Vocabulary.of(["rate"]),
            "device": Vocabulary.of([]),
            "category": Vocabulary.of([]),
        },
        scales={},
        catalogue=Catalogue(np.zeros(V, np.int32), nan, nan, nan, blank, blank, blank),
        settings={"cells": [], "time_kind": "ordinal", "timezone": "UTC", "numbers": []},
    )
    zeros = {name: np.zeros(n, dtype) for name, dtype in (("utc_offset_min", "int16"), ("local_hour", "int8"))}
    columns = {
        "item": code,
        "action": np.full(n, 2, np.int8),
        "time_s": place.astype(np.int64),
        **zeros,
        "gap_s": np.where(place > 0, 1, -1).astype(np.int64),
        "session": np.zeros(n, np.int32),
        "latitude": np.full(n, np.nan, np.float32),
        "longitude": np.full(n, np.nan, np.float32),
        "window": window,
        "target": window > 0,
    }
    users = np.array([str(one) for one in ids], dtype=object)
    return Store(users, offsets, columns, np.zeros((n, 0), np.float32), np.zeros(n, np.uint16), encoding)


def predictor_of(record: dict[str, Any], seed: int, checkpoints: Path | None = None) -> NetworkPredictor:
    """The network that a configuration file describes; with a folder, it goes on where it was stopped."""
    network, loop = NetworkParams.model_validate(record["network"]), TrainParams.model_validate(record["loop"])
    return NetworkPredictor("transformer", network, loop, PROTOCOL, record["primary"], seed, checkpoints)

"""The simulated city as a packed store, built directly: tests of the city do not depend on cleaning or features."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.events.simulator import catalogue, rules, simulate
from components.features.encoding import Catalogue, Encoding, Vocabulary
from components.features.store import Store
from components.params import SimulationParams
from components.predictor import Queries

SEED = 11


def small_city(**changes: object) -> SimulationParams:
    """Parameters of a city that is simulated within a second."""
    settings: dict[str, object] = {
        "users": 150, "items": 300, "start": dt.date(2025, 3, 3), "days": 42, "events_per_user_day": 3.0, "drift": 0.2,
        "widening": 0.3, "bots": 0.02, "duplicates": 0.01, "dirty": 0.01,
    }  # fmt: skip
    return SimulationParams.model_validate(settings | changes)


def whole_log(simulation: SimulationParams, seed: int = SEED) -> pl.DataFrame:
    """The log of all days as the city wrote it."""
    last = simulation.start + dt.timedelta(days=simulation.days - 1)
    return pl.concat(list(simulate(simulation, seed, simulation.start, last)))


def clean_log(simulation: SimulationParams, seed: int = SEED) -> pl.DataFrame:
    """The log without duplicates and dirty rows, by user and time."""
    log = whole_log(simulation.model_copy(update={"duplicates": 0.0, "dirty": 0.0}), seed)
    return log.sort("user_id", "timestamp", "source_seq")


def store_of(log: pl.DataFrame, simulation: SimulationParams, seed: int = SEED) -> Store:
    """A clean log as a store that knows all items; the columns that the city's own predictors read."""
    items = catalogue(simulation, seed)[0]
    words = {
        "item": Vocabulary.of(items["item_id"].to_list()),
        "action": Vocabulary.of(list(rules.ACTIONS)),
        "device": Vocabulary.of(["bot", "phone", "web"]),
    }
    none, text = np.full(len(items) + 2, np.nan, np.float32), np.full(len(items) + 2, "", dtype=object)
    nothing = Catalogue(np.zeros(len(items) + 2, np.int32), none, none, none, text, text, text)
    encoding = Encoding(words, {}, nothing, {})
    users = log["user_id"].unique().sort()
    code = log["user_id"].rank("dense").to_numpy() - 1
    offsets = np.concatenate([[0], np.cumsum(np.bincount(code))]).astype(np.int64)
    time_s = log["timestamp"].dt.epoch("s").to_numpy()
    gap = np.diff(time_s, prepend=0)
    gap[offsets[:-1]] = -1
    column = {"item": "item_id", "action": "action", "device": "device"}
    columns: dict[str, NDArray] = {name: words[name].encode(log[column[name]]) for name in words}
    columns |= {"time_s": time_s, "gap_s": gap}
    columns |= {name: log[name].to_numpy().astype(np.float32) for name in ("latitude", "longitude")}
    columns["utc_offset_min"] = log["utc_offset_min"].fill_null(60).to_numpy()
    names, n = np.array(users.to_list(), object), len(log)
    return Store(names, offsets, columns, np.zeros((n, 0), np.float32), np.zeros(n, np.uint16), encoding)


def queries_of(store: Store, newest: float, time_given: bool = True) -> tuple[Queries, NDArray[np.int32]]:
    """Questions about the newest share of the events, oldest first, and the item codes that answer them."""
    time_s = np.asarray(store["time_s"])
    order = np.argsort(time_s, kind="stable")
    row = order[int((1 - newest) * len(order)) :]
    user = store.user[row]
    start = store.offsets[user]
    asked_s = time_s[row]
    if not time_given:  # whoever has no history cannot be asked at the time of its last event
        row, user, start = (x[row > start] for x in (row, user, start))
        asked_s = time_s[row - 1]
    nowhere = np.full(len(row), np.nan, np.float32)
    offset = np.asarray(store["utc_offset_min"])[row]
    queries = Queries(store, user, start, row, asked_s, offset, nowhere, nowhere, time_given)
    return queries, np.asarray(store["item"])[row]

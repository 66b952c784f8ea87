"""Live services without a workspace: a champion over a small log, a state in memory, a clock that stands."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components.features.build import frame_to_store
from components.features.store import WINDOWS, Store
from components.learners import build
from components.params import Params, load_params
from components.predictor import NoTracker, Window
from components.registry.artifact import LoadedArtifact, Manifest, later
from components.registry.promotions import Entry
from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.question import Question
from components.serving.state.memory import MemoryState
from components.serving.state.protocol import State
from components.serving.watch import Alone

ROOT = Path(__file__).resolve().parents[3]
START = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)
#: What is dated before this day is in the artifact; the rest comes live.
SPLIT = START + dt.timedelta(days=30)
NOW = START + dt.timedelta(days=60)


def params() -> Params:
    """The repository's, with the actions of these logs."""
    whole = load_params(ROOT / "params.yaml")
    return whole.model_copy(
        update={"events": whole.events.model_copy(update={"actions": ["view", "like"], "item_free_actions": ["like"]})}
    )


def log(n: int = 300, users: int = 5, items: int = 9, days: int = 45, seed: int = 0) -> pl.DataFrame:
    """A random log in whole seconds; ids, keys and places are sound, the newest items appear late."""
    rng = np.random.default_rng(seed)
    second = np.sort(rng.integers(0, days * 86_400, n))
    item = np.minimum(rng.integers(0, items, n), 5 + second // (9 * 86_400))
    latitude = np.where(rng.random(n) < 0.3, np.nan, 48.8 + 0.01 * item)
    return pl.DataFrame(
        {
            "user_id": [f"u{k}" for k in rng.integers(0, users, n)],
            "item_id": [f"i{k}" for k in item],
            "action": rng.choice(["view", "like"], n).tolist(),
            "timestamp": [START + dt.timedelta(seconds=int(s)) for s in second],
            "source_seq": np.arange(n),
            "latitude": latitude,
            "longitude": np.where(np.isnan(latitude), np.nan, 2.3),
            "value": np.where(rng.random(n) < 0.5, np.nan, rng.integers(1, 50, n).astype(float)),
            "device": rng.choice(["phone", "web"], n).tolist(),
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")), pl.col(pl.Float64).fill_nan(None))


def sent(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """A frame as a client would send it."""
    return [
        {k: (v.isoformat() if isinstance(v, dt.datetime) else v) for k, v in row.items() if v is not None}
        for row in frame.iter_rows(named=True)
    ]


def champion(
    frame: pl.DataFrame, whole: Params, lineage: dict[str, Any] | None = None, name: str = "memory"
) -> Champion:
    """A model of a log, packed with all of it."""
    store = frame_to_store(frame, None, None, whole, "temporal")
    predictor = build(name, whole)
    predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    predictor.update(store, later(store))
    told = {"protocol": {"target_time": "given", "seen": "kept"}, **(lineage or {})}
    digest = "1" * 64
    artifact = LoadedArtifact(ROOT, Manifest(digest, digest, {}), name, predictor, store.encoding, store, told)
    return Champion(Entry.model_construct(sequence=1, model=name, digest=digest), artifact)


def live_of(one: Champion, state: State | None = None, whole: Params | None = None) -> Live:
    """The service; its clock stands at NOW."""
    return Live(Alone(one), state or MemoryState(), whole or params(), lambda: NOW)


def ask(user: str | None, time: dt.datetime = NOW, k: int = 20, **changes: Any) -> Question:
    """A plain question."""
    fields: dict[str, Any] = {
        "user_id": user, "history": None, "time": time, "utc_offset_min": None, "latitude": None, "longitude": None,
        "k": k, "seen": True, "categories": None, "radius_km": None, "max_price": None,
    }  # fmt: skip
    return Question(**fields | changes)


def tables(live: Live) -> dict[str, np.ndarray]:
    """Every count of the memory, pairs written out dense; not the newest moment, which is never taken back."""
    memory = live.champion.predictor
    out = {"count": memory.tables.count}  # type: ignore[attr-defined]
    for name, part in memory.tables._parts().items():  # type: ignore[attr-defined]
        state = part.state()
        if "edges" in state:
            rows = np.repeat(np.arange(len(state["edges"]) - 1), np.diff(state["edges"]))
            dense = np.zeros((len(state["total"]), 1 + max(int(state["column"].max(initial=0)), 64)))
            dense[rows, state["column"]] = state["count"]
            state = {**{k: v for k, v in state.items() if k not in {"edges", "column", "count"}}, "pairs": dense}
        out |= {f"{name}.{key}": value for key, value in state.items() if key != "since_s"}
    return out


def rest(store: Store) -> Store:
    """A store without its windows: those of an artifact say what training knew, those of a whole log nothing."""
    columns = dict(store.columns)
    columns |= {"window": np.full(store.n_events, WINDOWS["rest"], np.int8), "target": np.zeros(store.n_events, bool)}
    return Store(store.users, store.offsets, columns, store.numbers, store.missing, store.encoding)

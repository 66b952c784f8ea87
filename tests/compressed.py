"""Params with a teacher, a student and what is made of them, for tests of compression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from components.compression.predictor import CompressedPredictor
from components.features.store import Store
from components.params import Params, parse_params
from components.predictor import NoTracker, Window
from components.training.network import NetworkPredictor
from tests.networks import loop_params, network_params

ROOT = Path(__file__).resolve().parents[1]
DISTIL = {"student": "small", "temperature": 2.0, "weight": 0.7, "top": 8}
UNITS = {"share": 0.5, "what": "units", "epochs": 1}


def entry(of: str = "large", **changes: Any) -> dict[str, Any]:
    return {"of": of, "distil": None, "prune": None, "int8": "none", "overrides": {}, "candidate": True} | changes


def params_of(
    large: dict[str, Any] | None = None, small: dict[str, Any] | None = None, epochs: int = 2, **entries: dict[str, Any]
) -> Params:
    """The project's params with two networks, `large` (a Transformer of 16) and `small` (a GRU of 8), and entries."""
    record = yaml.safe_load((ROOT / "params.yaml").read_text())
    record["training"]["loop"] = loop_params(epochs=epochs).model_dump(mode="json")
    shapes = {
        "large": network_params("transformer", **(large or {})),
        "small": network_params("gru", **{"width": 8, **(small or {})}),
    }
    record["training"]["models"] = {
        name: {
            "kind": "network",
            "seed": 0,
            "start_from": None,
            "network": one.model_dump(mode="json"),
            "overrides": {},
        }
        for name, one in shapes.items()
    }
    record["training"]["blend"] |= {"parts": [], "candidate": False}
    record["training"]["compressed"] = entries
    record["evaluation"] |= {"target_time": "hidden", "baselines": [], "groups": [], "bootstrap": 100}
    return parse_params(record, "a test")


def network_of(name: str, params: Params, store: Store) -> NetworkPredictor:
    one = NetworkPredictor.of(name, params)
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return one


def made(name: str, params: Params, store: Store, source: NetworkPredictor | None = None) -> CompressedPredictor:
    one = CompressedPredictor.of(name, params)
    if source is not None:
        one.source = source
    one.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return one

"""Champions of the size that the budgets speak of, in a workspace of their own: `make(root)`, `promote(root, kind)`.

A catalogue of 10,000 items and histories of 200 events: users who follow a chain of items, some jumps. The memory has
the counters of the repository's params; the networks are Transformers and a GRU of width 64 that see 200 tokens,
trained for one pass (their weights are of no account to their speed); trees and gate are over the memory and a
Transformer. Never here: how good any of them is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components import learners
from components.evaluation.protocol import Protocol
from components.features.store import Store
from components.files import read_json, write_json, write_text
from components.params import Params, load_params
from components.predictor import NoTracker, Predictor, Window
from components.presets import preset
from components.ranking.stage import blend_of
from components.registry.artifact import compose
from components.registry.promotions import Entry, append, history
from components.serving.champion import Champion, load_champion
from components.workspace import Workspace
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[1]
USERS, ITEMS, EVENTS, HISTORY = 200, 10_000, 250, 200
#: What is promoted, cheapest first. `transformer` carries its state from event to event; `placed` counts positions from
#: the newest event, as that of the presets does, and reads anew after each event.
KINDS = ("memory", "gru", "transformer", "placed", "blend", "gate", "ranker")
_BUILT = "champions.json"


def _network(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "encoder": {"kind": kind, "options": {"layers": 1}},
        "width": 64,
        "max_history": HISTORY,
        "dropout": 0.1,
        "inputs": ["item", "action", "numbers", "clock", "cells", "category"],
        "heads": {"item": 1.0, "action": 0.3, "time": 0.1, "place": 0.3},
        "time_components": 8,
        "target_time": "given",
        "conditioning": "film",
        "copy_heads": 0,
        "transitions": {"lags": 0, "successors": 50},
        "item_bias": False,
        "distance": False,
        "vectors": {"sources": [], "drop": 0.0},
        "temperature": None,
        **more,
    }


def params_of(root: Path = ROOT) -> Params:
    """The repository's params with the networks and mixtures that are measured."""
    options = {"layers": 2, "heads": 2, "feedforward": 2, "bias": "time"}
    wide = {
        "encoder": {"kind": "transformer", "options": options},
        "copy_heads": 4,
        "item_bias": True,
        "distance": True,
    }
    inputs = [*_network("gru")["inputs"], "position"]
    networks = {
        "gru": _network("gru"),
        "transformer": _network("transformer", **wide),
        "placed": _network("transformer", **wide, inputs=inputs)
        | {"encoder": {"kind": "transformer", "options": {**options, "bias": "none"}}},
    }
    one = {"kind": "network", "overrides": {}, "seed": 0, "start_from": None}
    ranker = preset("city")["training"]["rankers"]["ranker"]
    ranker = {**ranker, "parts": ["memory", "transformer"], "ablation": False, "max_queries": 1500, "candidate": True}
    record = load_params(root / "params.yaml").model_dump(mode="json")
    record["training"] |= {
        "loop": {**record["training"]["loop"], "epochs": 1, "max_tune_queries": 200, "calibration": "none"},
        "models": {"memory": record["training"]["models"]["memory"]}
        | {name: {**one, "network": network} for name, network in networks.items()},
        "blend": {**record["training"]["blend"], "parts": ["memory", "transformer"]},
        "rankers": {"ranker": ranker, "gate": {**ranker, "method": "gate"}},
        "ensembles": {},
    }
    record["search"]["models"] = ["transformer"]
    record["search"]["space"] = {}
    return Params.model_validate(record)


def fitted(store: Store, params: Params) -> Mapping[str, Predictor]:
    """Every kind, fitted."""
    train, tune, blend = (Window(store, name) for name in ("train", "tune", "blend"))
    found: dict[str, Predictor] = {}
    for name in ("memory", "gru", "transformer", "placed"):
        found[name] = learners.build(name, params)
        found[name].fit(train, tune, NoTracker())
    for name in ("blend", "gate", "ranker"):
        made = blend_of(name, {"memory": found["memory"], "transformer": found["transformer"]}, params,
                        Protocol.of(params.evaluation))  # fmt: skip
        made.fit_weights(blend)
        found[name] = made
    return found


def make(root: Path) -> None:
    """A workspace at `root` with an artifact of each kind; what stands there already is kept."""
    if (root / _BUILT).is_file():
        return
    root.mkdir(parents=True, exist_ok=True)
    write_params(root)
    (root / "promotions").mkdir(exist_ok=True)
    store, params = toy_store(USERS, ITEMS, EVENTS, pattern="markov"), params_of()
    built = {}
    for name, one in fitted(store, params).items():
        one.save(root / "models" / name)
        lineage = {"protocol": Protocol.of(params.evaluation).record(), "git_sha": None}
        made = compose(Workspace(root).artifacts, root / "models" / name, store, name=name, history=HISTORY,
                       lineage=lineage, card="A champion to be measured.\n")  # fmt: skip
        built[name] = {"digest": made.digest, "content": made.content}
    write_json(root / _BUILT, built)


def write_params(root: Path) -> None:
    """The repository's params, but that nobody is asked to wait: all clients of a load come from one address."""
    record = yaml.safe_load((ROOT / "params.yaml").read_text())
    if "guard" in record:
        record["guard"] |= {name: {"per_s": 1_000_000, "burst": 1_000_000} for name in ("key_rate", "address_rate")}
    write_text(root / "params.yaml", yaml.safe_dump(record, sort_keys=False))


def promote(root: Path, kind: str) -> Entry:
    """The next entry of the promotion log: the artifact of that kind."""
    return append(root, expected=len(history(root)), kind="promote", model=kind, reason="to be measured",
                  **read_json(root / _BUILT)[kind])  # fmt: skip


def champion_of(root: Path, kind: str) -> Champion:
    """The artifact of a kind, loaded to be asked in this process; the promotion log is left as it is."""
    digest = read_json(root / _BUILT)[kind]["digest"]
    nothing = dict.fromkeys(("previous", "returns_to", "decision", "window", "dvc_lock", "params", "git_sha"))
    entry = Entry(
        sequence=1, kind="promote", model=kind, reason="to be measured", time="", chain="0" * 64,
        **read_json(root / _BUILT)[kind], **nothing,
    )  # fmt: skip
    return load_champion(entry, Workspace(root).artifact(digest))

"""A small workspace with everything that stages write, made by the stages' own functions, for tests of what follows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from components.evaluate import evaluate
from components.events.simulator import catalogue
from components.features.build import build
from components.learners import build as learner
from components.params import Params, parse_params
from components.predictor import NoTracker
from components.training.train import fit_and_save
from components.workspace import Workspace
from tests.city import SEED, clean_log, small_city

ROOT = Path(__file__).resolve().parents[1]
FIRST_DAY = dt.date(2025, 3, 3)


def small_params(**memory: Any) -> dict[str, Any]:
    """The project's params.yaml with one quick model; `memory` replaces keys of its section."""
    record = yaml.safe_load((ROOT / "params.yaml").read_text())
    record["workspace"]["name"] = "small"
    record["events"]["source"]["format"] = "csv"
    record["training"]["models"] = {"memory": record["training"]["models"]["memory"]}
    record["training"]["blend"] |= {"parts": [], "candidate": False}
    record["training"]["rankers"] = {}
    record["evaluation"] |= {"bootstrap": 200, "max_queries": 2000}
    record["windows"] = {"tune": "5d", "blend": "5d", "test": "5d"}
    record["memory"] |= memory
    record["evaluation"]["baselines"] = ["popularity", "markov"]
    return record


def few_counters(*names: str) -> dict[str, Any]:
    """The memory section with only some of its counters: a weaker model."""
    record = yaml.safe_load((ROOT / "params.yaml").read_text())["memory"]
    return {"components": {name: record["components"][name] for name in names}}


def run_stages(root: Path, record: dict[str, Any], days: int) -> Params:
    """Write params.yaml, the log of the first `days` days, features, models and reports."""
    workspace = Workspace(root)
    root.mkdir(parents=True, exist_ok=True)
    workspace.params.write_text(yaml.safe_dump(record))
    params = parse_params(record, "test")
    city = small_city(users=100, items=200, events_per_user_day=2.5)
    log = clean_log(city).filter(pl.col("timestamp").dt.date() < FIRST_DAY + dt.timedelta(days=days))
    for folder in (workspace.events, workspace.validated, workspace.catalogue):
        folder.mkdir(parents=True, exist_ok=True)
    log.write_parquet(workspace.events / "all.parquet")
    log.write_parquet(workspace.validated / "events.parquet")
    catalogue(city, SEED)[0].write_parquet(workspace.catalogue / "items.parquet")
    build(root, params)
    for name in params.training.models:
        fit_and_save(root, params, learner(name, params), NoTracker())
    evaluate(root, params)
    return params

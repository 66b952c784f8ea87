"""What trainings and evaluations found, told to MLflow once each. Never here: a judgement, or a promotion."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil

from components.files import digest_of, read_json, sha256_file, sha256_tree
from components.params import Params
from components.registry import contest
from components.registry.tracking import runs
from components.training.curves import read_curves
from components.workspace import Workspace

logger = logging.getLogger(__name__)


def log_runs(root: Path, params: Params) -> list[str]:
    """Log every training and the evaluation of a workspace to MLflow, each result once; the ids of their runs."""
    name = params.workspace.name
    stages = [training(root, params, one) for one in contest.candidates(root, params)]
    stages.append(_evaluation(root, params))
    found = []
    for stage in stages:
        run_id, fresh = runs.log_stage(root, name, stage)
        logger.info("%s: %s MLflow", stage.name, "logged to" if fresh else "already in")
        found.append(run_id)
    return found


def training(root: Path, params: Params, one: contest.Contestant) -> runs.StageRun:
    """What the training of one candidate model has to tell; `key` names it in MLflow."""
    workspace = Workspace(root)
    plain = {**params.training.models, **params.training.compressed}
    described = (plain.get(one.name) or params.training.mixed[one.name]).model_dump()
    timing = workspace.timings / f"{one.name}.json"
    seconds = read_json(timing) if timing.is_file() else {}
    machine = {"cpus": psutil.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 1e9, 1)}
    return runs.StageRun(
        name=f"train {one.name}",
        key=digest_of({"train": sha256_tree(one.folder)}),
        params={"model": described, "loop": params.training.loop.model_dump(), "machine": machine},
        metrics={key: float(value) for key, value in seconds.items()},
        curves=read_curves(one.folder / "curves.csv"),
        tags={"stage": "train", "model": one.name},
        datasets={"features": sha256_file(workspace.features / "store.json")},
        files=[one.folder / "curves.csv", one.folder / "config.json"],
    )


def _evaluation(root: Path, params: Params) -> runs.StageRun:
    reports = Workspace(root).reports
    record = read_json(reports / "metrics.json")
    data = read_json(reports / "evaluation.json")["data"]
    return runs.StageRun(
        name="evaluate",
        key=digest_of({"evaluate": sha256_file(reports / "evaluation.json")}),
        params={"evaluation": params.evaluation.model_dump()},
        metrics={f"{model}/{name}": float(v) for model, values in record.items() for name, v in values.items()},
        tags={"stage": "evaluate"},
        datasets={"log": str(data["digest"])},
        files=[reports / one for one in ("report.html", "evaluation.json", "metrics.json", "validation.json", "plots")],
    )

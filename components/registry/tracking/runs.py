"""Runs: what a training or an evaluation did, once per result.

A run is keyed by the digest of what it made (`log_stage`), so that a stage that came out of the cache is not logged
twice; a run that its process did not finish is closed by `close_dead_runs`.
"""

from __future__ import annotations

import math
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psutil

from components.registry.tracking.client import connect, experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY, PID, HOST, BORN = "chronotope.key", "chronotope.pid", "chronotope.host", "chronotope.born"
_BATCH = 900  # MLflow takes 1,000 metrics a call
_PARAMS_BATCH = 90
_MAX_VALUE = 6000
_FLUSH_S = 2.0


@dataclass(frozen=True)
class StageRun:
    """What a finished stage has to tell.

    Attributes
    ----------
    name : of the run
    key : digest of its outputs
    params : name → value
    metrics : name → value
    curves : name → its (step, value) points
    tags : name → value
    datasets : name → digest
    files : files and folders to keep
    """

    name: str
    key: str
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested record as `a.b.c` → text, for MLflow's params."""
    found: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = str(value)[:_MAX_VALUE]
    return found


def metric_name(name: str) -> str:
    """A name that MLflow takes: "ndcg@10" → "ndcg_at_10"."""
    return re.sub(r"[^\w\-./ :]", "_", name.replace("@", "_at_"))


def born() -> dict[str, str]:
    """Whose run this is: enough to tell later whether that process still lives."""
    pid = os.getpid()
    return {PID: str(pid), HOST: socket.gethostname(), BORN: str(psutil.Process(pid).create_time())}


def find_run(client: MlflowClient, experiment_id: str, key: str) -> str | None:
    """Id of the finished run that is keyed so."""
    runs = client.search_runs(
        [experiment_id], f"tags.`{KEY}` = '{key}' and attributes.status = 'FINISHED'", max_results=1
    )
    return str(runs[0].info.run_id) if runs else None


def find(root: Path, workspace: str, key: str) -> str | None:
    """Id of the finished run that is keyed so, in the experiment of a workspace."""
    with connect(root) as client:
        return find_run(client, experiment(client, root, workspace), key)


def log_stage(root: Path, workspace: str, stage: StageRun) -> tuple[str, bool]:
    """Log a finished stage, unless it is already there.

    Parameters
    ----------
    root : the workspace
    workspace : its name, which is that of the experiment
    stage : what to log

    Returns
    -------
    (run id, whether it was logged now)
    """
    with connect(root) as client:
        where = experiment(client, root, workspace)
        found = find_run(client, where, stage.key)
        if found is not None:
            return found, False
        run_id = str(client.create_run(where, run_name=stage.name, tags={**stage.tags, **born()}).info.run_id)
        describe_run(client, run_id, stage)
        client.set_tag(run_id, KEY, stage.key)
        client.set_terminated(run_id, "FINISHED")
        return run_id, True


def describe_run(client: MlflowClient, run_id: str, stage: StageRun) -> None:
    """Write what a stage tells into its run."""
    from mlflow.entities import Dataset, DatasetInput, Metric, Param

    now = int(time.time() * 1000)
    metrics = [
        Metric(metric_name(name), float(value), now, 0) for name, value in stage.metrics.items() if math.isfinite(value)
    ]
    metrics += [
        Metric(metric_name(name), float(value), now, step)
        for name, points in stage.curves.items()
        for step, value in points
        if math.isfinite(value)
    ]
    params = [Param(name, value) for name, value in flat(stage.params).items()]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
    for start in range(0, len(params), _PARAMS_BATCH):
        client.log_batch(run_id, params=params[start : start + _PARAMS_BATCH])
    inputs = [
        DatasetInput(Dataset(name=name, digest=digest[:36], source_type="local", source=f"sha256:{digest}"))
        for name, digest in stage.datasets.items()
    ]
    if inputs:
        client.log_inputs(run_id, inputs)
    for path in stage.files:
        if path.is_dir():
            client.log_artifacts(run_id, str(path), artifact_path=path.name)
        elif path.is_file():
            client.log_artifact(run_id, str(path))


def close_dead_runs(root: Path, workspace: str) -> list[str]:
    """Mark as killed the RUNNING runs of this machine whose process is gone; their names."""
    closed = []
    with connect(root) as client:
        where = experiment(client, root, workspace)
        for run in client.search_runs([where], "attributes.status = 'RUNNING'"):
            tags = run.data.tags
            if tags.get(HOST) == socket.gethostname() and not _alive(tags):
                client.set_terminated(run.info.run_id, "KILLED")
                closed.append(str(run.info.run_name))
    return closed


def _alive(tags: Mapping[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags.get(PID, "0")))
        return abs(process.create_time() - float(tags.get(BORN, "0"))) < 1.0
    except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError):
        return False


class MlflowTracker:
    """A `Tracker` that reports to an open run while a training goes on, with what the machine does meanwhile.

    Use as a context: leaving closes the run as FINISHED, or FAILED after an error. Curves are sent in batches.

    Parameters
    ----------
    root : the workspace
    workspace : its name
    name : of the run
    params : nested record
    """

    def __init__(self, root: Path, workspace: str, name: str, params: Mapping[str, Any]) -> None:
        self._root = root
        self._waiting: list[tuple[str, float, int, int]] = []
        self._sent = time.monotonic()
        with connect(root) as client:
            where = experiment(client, root, workspace)
            self.run_id = str(client.create_run(where, run_name=name, tags=born()).info.run_id)
            describe_run(client, self.run_id, StageRun(name, "", params=params))
            self._client = client

    def __enter__(self) -> Self:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._monitor = SystemMetricsMonitor(self.run_id, tracking_uri=self._client.tracking_uri)
        self._monitor.start()
        return self

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Report a step; what is not a finite number is left out."""
        now = int(time.time() * 1000)
        self._waiting += [(metric_name(name), float(v), now, step) for name, v in metrics.items() if math.isfinite(v)]
        if len(self._waiting) >= _BATCH or time.monotonic() - self._sent > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        from mlflow.entities import Metric

        with connect(self._root) as client:
            for start in range(0, len(self._waiting), _BATCH):
                client.log_batch(self.run_id, metrics=[Metric(*one) for one in self._waiting[start : start + _BATCH]])
        self._waiting.clear()
        self._sent = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.flush()
        self._monitor.finish()
        with connect(self._root) as client:
            client.set_terminated(self.run_id, "FINISHED" if kind is None else "FAILED")

"""Searches in MLflow: one run for a study, below which every trial is a run of its own (`runs.log_stage`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.registry.tracking.client import connect, experiment
from components.registry.tracking.runs import KEY, StageRun, born, describe_run

#: Tag by which MLflow shows a run below another.
PARENT = "mlflow.parentRunId"


@contextlib.contextmanager
def study_run(root: Path, workspace: str, name: str, key: str, params: Mapping[str, Any]) -> Iterator[str]:
    """The run of a study, RUNNING while the context lasts: the one with this key, or a new one; its id."""
    with connect(root) as client:
        where = experiment(client, root, workspace)
        found = client.search_runs([where], f"tags.`{KEY}` = '{key}'", max_results=1)
        if found:
            run_id = str(found[0].info.run_id)
            client.update_run(run_id, status="RUNNING")
            for tag, value in born().items():
                client.set_tag(run_id, tag, value)
        else:
            tags = {"stage": "search", KEY: key, **born()}
            run_id = str(client.create_run(where, run_name=name, tags=tags).info.run_id)
            describe_run(client, run_id, StageRun(name, key, params=params))
    status = "KILLED"
    try:
        yield run_id
        status = "FINISHED"
    finally:
        with connect(root) as client:
            client.set_terminated(run_id, status)


def describe(root: Path, run_id: str, metrics: Mapping[str, float], files: list[Path]) -> None:
    """Add what a study found so far to its run."""
    with connect(root) as client:
        describe_run(client, run_id, StageRun("", "", metrics=metrics, files=files))

"""The main flow: collect → ingest → validate → features → train each model → blend → evaluate → log → gate → promote →
package.

The middle is the graph of dvc.yaml, stage by stage; the ends are tasks of their own. Runs with no Prefect server
(Prefect starts one for the time of the run) and with one. One run holds the workspace; a second waits or says who.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from components.params import load_params
from components.workspace import Settings, Workspace, hold
from flows import reconcile, stages, tasks
from flows.environment import prepare


def run_name() -> str:
    """Name of a flow run: workspace, until when, and now."""
    values = flow_run.parameters
    workspace = Path(values.get("workspace", ".")).resolve()
    until = values.get("until") or "now"
    return f"{workspace.name}-until-{until}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"


@flow(name="retrain", flow_run_name=run_name, persist_result=False, validate_parameters=True)
def retrain(
    workspace: str = ".",
    until: dt.date | None = None,
    replace: tuple[dt.date, dt.date] | None = None,
    wait_s: float = 0.0,
    package: bool = False,
) -> dict[str, Any]:
    """Bring the workspace up to date and promote the better model.

    Parameters
    ----------
    workspace : folder of the workspace
    until : take events before this day only (the simulated city simulates up to it)
    replace : take these days (first, last) anew, whole: a backfill
    wait_s : how long to wait for another run of this workspace; 0 says at once who holds it
    package : also build the Bento of a newly promoted champion

    Returns
    -------
    dict with `collect` (what came in live, or None), `ingest`, `stages`, `decision`, and `entry` (the promotion, or
    None)
    """
    root = Path(workspace).resolve()
    prepare(root)  # a worker starts flows with its own environment
    params = load_params(root / "params.yaml")
    with hold(root, "retrain", timeout_s=wait_s):
        reconcile.before_run(root)
        stages.stamp_code(root)
        limits = tasks.limits_of(params)
        with registry_ahead(root, params.workspace.name):
            collected = tasks.collect.with_options(**limits)(str(root))
            taken = tasks.ingest.with_options(**limits)(str(root), until, replace)
            ran = [tasks.run_stage.with_options(**limits)(str(root), stage) for stage in stages.stage_names(root)]
        tasks.log_runs.with_options(**limits)(str(root))
        decision = tasks.gate.with_options(timeout_seconds=params.flow.timeout_s)(str(root))
        entry = tasks.promote.with_options(**limits)(str(root), decision) if decision["promote"] else None
        built = tasks.package(str(root)) if entry and package else None
        stages.mark_finished(root)
    return {
        "collect": collected,
        "ingest": taken,
        "stages": ran,
        "decision": decision,
        "entry": entry,
        "bento": built,
    }


@contextmanager
def registry_ahead(root: Path, name: str) -> Iterator[None]:
    """Make the schema of a new embedded MLflow store in another process, beside the first stages: it takes ten seconds.

    When that process fails, the first use makes the schema, or says what is wrong. It has ended when the block ends,
    however that ends: nobody writes into a workspace that is no longer held.
    """
    if Workspace(root).mlflow_db.exists() or Settings().mlflow_tracking_uri is not None:
        yield
        return
    make = "import sys, pathlib; from components.registry.tracking.client import migrate; "
    command = [sys.executable, "-c", make + "migrate(pathlib.Path(sys.argv[1]), sys.argv[2])", str(root), name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield

"""Finish or undo what a crash left, before a run begins: in the promotion log, MLflow and Prefect.

Called with the workspace's lock held. The kernel gives that lock to one living process, so every other run of this
workspace that still says RUNNING is dead.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)


def before_run(root: Path) -> None:
    """Reconcile everything; what was mended is logged."""
    from components.registry.reconcile import reconcile

    for finding in reconcile(root):
        logger.warning("%s", finding)
    for name in crash_dead_runs(root):
        logger.warning("the flow run %s had died; it is marked as crashed", name)
    for pid in end_orphaned_servers():
        logger.warning("ended the Prefect server %d that a killed run had left", pid)


def crash_dead_runs(root: Path) -> list[str]:
    """Mark RUNNING flow runs of this workspace as crashed, all but the one that asks; their names."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType
    from prefect.runtime import flow_run
    from prefect.states import Crashed

    mine = flow_run.get_id()
    if mine is None:
        return []
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])))
    crashed = []
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=running):
            place = run.parameters.get("workspace", ".")
            if str(run.id) == mine or Path(place).resolve() != root:
                continue
            message = "The process of this run ended without a word; a later run of the workspace found it."
            client.set_flow_run_state(run.id, Crashed(message=message), force=True)
            crashed.append(run.name)
    return crashed


def end_orphaned_servers() -> list[int]:
    """End this home's ephemeral Prefect servers whose parent is gone; their process ids."""
    home = os.environ.get("PREFECT_HOME")
    ended: list[int] = []
    for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if process.info["ppid"] != 1 or "prefect.server.api.server:create_app" not in command:
            continue
        try:
            if home is not None and process.environ().get("PREFECT_HOME") == home:
                process.terminate()
                ended.append(process.info["pid"])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return ended

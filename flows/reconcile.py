"""Finish or undo what a crash left, before a run begins: in the promotion log, MLflow and Prefect.

Called with the workspace's lock held. The kernel gives that lock to one living process, so every other run that held
it and still says RUNNING is dead.
"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from uuid import UUID

import psutil

logger = logging.getLogger(__name__)


def before_run(root: Path) -> None:
    """Reconcile everything; what was mended is logged."""
    from components.registry.reconcile import reconcile

    for finding in reconcile(root):
        logger.warning("%s", finding)
    mark_place(root)
    for name in crash_dead_runs(root):
        logger.warning("the flow run %s had died; it is marked as crashed", name)
    for pid in end_orphaned_servers():
        logger.warning("ended the Prefect server %d that a killed run had left", pid)


def place(root: Path) -> str:
    """Tag of the flow runs of a workspace on this host."""
    return f"workspace:{socket.gethostname()}:{root}"


def mark_place(root: Path) -> None:
    """Tag the flow run that asks with its place."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    mine = flow_run.get_id()
    if mine is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(mine), tags={*flow_run.get_tags(), place(root)})


def crash_dead_runs(root: Path) -> list[str]:
    """Mark the flow runs that held this workspace and still say RUNNING as crashed, all but the one that asks.

    Told by their tag: a run that waits for the lock, or of another workspace on the same server, is alive.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.runtime import flow_run
    from prefect.states import Crashed

    mine = flow_run.get_id()
    if mine is None:
        return []
    dead = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])),
        tags=FlowRunFilterTags(all_=[place(root)]),
    )
    crashed = []
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=dead):
            if str(run.id) == mine:
                continue
            message = "The process of this run ended without a word; a later run of the workspace found it."
            client.set_flow_run_state(run.id, Crashed(message=message), force=True)
            crashed.append(run.name)
    return crashed


def end_orphaned_servers() -> list[int]:
    """End this home's ephemeral Prefect servers whose parent is gone; their process ids."""
    home = os.environ.get("PREFECT_HOME")
    ended: list[int] = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if home is None or "prefect.server.api.server:create_app" not in " ".join(process.info["cmdline"] or []):
            continue
        try:
            if process.environ().get("PREFECT_HOME") == home and _is_orphan(process):
                process.terminate()
                ended.append(process.info["pid"])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return ended


def _is_orphan(process: psutil.Process) -> bool:
    """Whether the Python that started a server is gone: another kind of process (init, systemd, …) has adopted it."""
    parent = process.parent()
    if parent is not None and parent.pid == os.getpid():  # may be process 1 of a container
        return False
    if parent is None or parent.pid == 1:
        return True
    try:
        return not Path(parent.exe()).name.startswith("python")
    except (psutil.AccessDenied, psutil.NoSuchProcess):  # somebody else's process, or it ended just now
        return True

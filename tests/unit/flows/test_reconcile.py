"""What a killed flow left is told from what is alive: servers by their parent and home, runs by their tag."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psutil
import pytest

from flows import reconcile

SERVER = "import time; print('up', flush=True); time.sleep(100)"
#: Starts a server and tells its number; ends at once, or stays until its input closes.
STARTS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], "prefect.server.api.server:create_app"],
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
if sys.argv[2] == "stay":
    sys.stdin.read()
"""


@contextlib.contextmanager
def server(home: Path, parent: str) -> Iterator[psutil.Process]:
    """A process that looks like Prefect's ephemeral server, whose parent stays or is gone."""
    command = [sys.executable, "-c", STARTS, SERVER, parent]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PREFECT_HOME": str(home)},
    ) as starter:  # fmt: skip
        assert starter.stdout is not None
        one = psutil.Process(int(starter.stdout.readline()))
        if parent == "gone":
            starter.wait(30)
        try:
            yield one
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
            assert starter.stdin is not None
            starter.stdin.close()


def ended(process: psutil.Process) -> bool:
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_only_an_orphan_of_this_home_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    monkeypatch.setenv("PREFECT_HOME", str(here))
    with server(here, "gone") as orphan, server(here, "stay") as alive, server(there, "gone") as other:
        assert reconcile.end_orphaned_servers() == [orphan.pid]
        assert ended(orphan)
        assert alive.is_running()
        assert other.is_running()


class Prefect:
    """As much of a Prefect server as reconcile asks for: flow runs with tags and states, filtered by both."""

    def __init__(self, runs: list[SimpleNamespace]) -> None:
        self.runs = runs

    def __enter__(self) -> Prefect:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read_flow_runs(self, *, flow_run_filter: Any) -> list[SimpleNamespace]:
        states = set(flow_run_filter.state.type.any_)
        tags = set(flow_run_filter.tags.all_)
        return [run for run in self.runs if run.state in states and tags <= set(run.tags)]

    def set_flow_run_state(self, run: object, state: Any, *, force: bool) -> None:
        assert force
        next(one for one in self.runs if one.id == run).state = state.type


def test_only_runs_that_held_this_workspace_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client import orchestration
    from prefect.client.schemas.objects import StateType
    from prefect.runtime import flow_run

    def run(name: str, state: StateType, *tags: str) -> SimpleNamespace:
        return SimpleNamespace(id=uuid4(), name=name, state=state, tags=tags)

    here, there = reconcile.place(tmp_path / "here"), reconcile.place(tmp_path / "there")
    runs = [
        run("mine", StateType.RUNNING, here),
        run("dead", StateType.RUNNING, here, "nightly"),
        run("waits for the lock", StateType.RUNNING),
        run("of another workspace", StateType.RUNNING, there),
        run("done", StateType.COMPLETED, here),
    ]
    monkeypatch.setattr(orchestration, "get_client", lambda *, sync_client: Prefect(runs))
    monkeypatch.setattr(flow_run, "get_id", lambda: str(runs[0].id), raising=False)
    assert reconcile.crash_dead_runs(tmp_path / "here") == ["dead"]
    assert [one.state for one in runs] == [
        StateType.RUNNING, StateType.CRASHED, StateType.RUNNING, StateType.RUNNING, StateType.COMPLETED,
    ]  # fmt: skip


def test_outside_a_flow_nothing_is_marked(tmp_path: Path) -> None:
    assert reconcile.crash_dead_runs(tmp_path) == []

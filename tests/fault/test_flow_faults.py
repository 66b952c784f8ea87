"""Two flows at once, and a flow that is killed: the kernel frees the workspace, the next run tidies what was left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from components.errors import BusyError, ServiceError
from components.workspace import hold, holder
from tests import unwell
from tests.e2e import story

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.xdist_group("flow_faults"), pytest.mark.timeout(1800)]

HOLDS = """
import sys, time
from pathlib import Path
from components.workspace import hold
with hold(Path(sys.argv[1]), "a long training"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(root: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the workspace for so long."""
    command = [sys.executable, "-c", HOLDS, str(root), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


@pytest.fixture
def sourceless(tmp_path: Path) -> Path:
    """A workspace whose log is not there: a run that gets hold of it ends at once with exit code 3."""
    root = tmp_path / "space"
    root.mkdir()
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["events"]["source"] |= {"format": "csv", "path": str(tmp_path / "gone.csv")}
    story.set_params(root, params)
    (root / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    return root


@pytest.mark.parametrize("command", ["ingest", "validate"])
def test_a_second_command_says_who_holds_the_workspace(sourceless: Path, command: str) -> None:
    with held(sourceless, 120) as other:
        done = story.chronotope(command, "--workspace", str(sourceless), cwd=ROOT, check=False)
    assert done.returncode == BusyError.exit_code == 7
    assert f"process {other.pid} is at “a long training” since 20" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_second_flow_says_who_holds_the_workspace_and_leaves_it_alone(sourceless: Path) -> None:
    with held(sourceless, 300) as other:
        done = story.chronotope("run", "--json", "--workspace", str(sourceless), cwd=ROOT, check=False)
        who = holder(sourceless)
    assert done.returncode == 7, done.stderr
    error = story.last_json(done.stdout)
    assert error["kind"] == "BusyError"
    assert re.search(rf"process {other.pid} is at “a long training” since 20\d\d-", error["error"])
    assert who is not None
    assert who.pid == other.pid
    assert not (sourceless / "data").exists()


@pytest.mark.slow
def test_a_flow_that_waits_goes_on_when_the_other_ends(sourceless: Path) -> None:
    with held(sourceless, 25):
        done = story.chronotope("run", "--wait", "300", "--workspace", str(sourceless), cwd=ROOT, check=False)
    assert done.returncode == 3, done.stderr  # it came as far as the log, which is not there
    assert "gone.csv" in done.stderr
    assert holder(sourceless) is None


def wait_for(met: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 400
    while not met():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


def servers(home: Path) -> list[psutil.Process]:
    """Prefect servers that were started for this home."""
    found = []
    for process in psutil.process_iter():
        try:
            is_server = "prefect.server.api.server:create_app" in " ".join(process.cmdline())
            if is_server and process.environ().get("PREFECT_HOME") == str(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def run_states(root: Path) -> list[tuple[str, str]]:
    """(start, state) of every flow run that Prefect knows, read where it keeps them."""
    import sqlite3

    with sqlite3.connect(f"file:{root / '.chronotope' / 'prefect' / 'prefect.db'}?mode=ro", uri=True) as database:
        return list(database.execute("select start_time, state_type from flow_run order by start_time"))


@pytest.mark.slow
def test_a_killed_flow_leaves_no_lock_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    city = tmp_path / "city"
    story.make_city(city)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CHRONOTOPE_"))}
    log = tmp_path / "killed.log"
    with log.open("w") as stream:
        flow = subprocess.Popen(
            [str(story.BIN / "chronotope"), "run", "--until", story.FIRST],
            cwd=city, env=environment, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
        home = city / ".chronotope" / "prefect"
        orphans: list[psutil.Process] = []
        try:
            wait_for((city / "data" / "events.dvc").exists, flow, log)  # in the middle: after ingest, before models
            who, orphans = holder(city), servers(home)
            assert who is not None
            assert who.pid == flow.pid
            assert orphans, "the run has a Prefect server of its own"
            os.kill(flow.pid, signal.SIGKILL)
            flow.wait(30)
            with hold(city, "the test", timeout_s=5):
                pass
            assert [state for _, state in run_states(city)] == ["RUNNING"]
            assert not (city / "promotions").exists()

            after = story.chronotope("run", "--until", story.FIRST, "--json", cwd=city, timeout=1200)
        finally:
            for one in [*orphans, *servers(home)]:
                if one.is_running():
                    one.kill()
    assert story.last_json(after.stdout)["decision"]["promote"]
    assert "is marked as crashed" in " ".join(after.stderr.split())
    assert "that a killed run had left" in " ".join(after.stderr.split())
    assert [state for _, state in run_states(city)] == ["CRASHED", "COMPLETED"]
    assert (city / "promotions" / "000001.json").exists()


@pytest.mark.parametrize("trouble", ["away", "silent", "failing"])
def test_a_prefect_server_that_does_not_answer_is_one_message(sourceless: Path, trouble: str) -> None:
    with ExitStack() as stack:
        url = "http://127.0.0.1:9" if trouble == "away" else stack.enter_context(unwell.server(trouble))
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CHRONOTOPE_"))}
        environment |= {"PREFECT_API_URL": f"{url}/api", "PREFECT_API_REQUEST_TIMEOUT": "2"}
        done = subprocess.run(
            [str(story.BIN / "chronotope"), "run", "--workspace", str(sourceless), "--json"],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    told = story.last_json(done.stdout)
    assert (done.returncode, told["kind"]) == (ServiceError.exit_code, "ServiceError"), done.stderr
    assert "Prefect server" in told["error"]
    assert "Traceback" not in done.stderr
    assert holder(sourceless) is None

"""A deployment on a schedule: a real Prefect server, a worker, and a run that nobody started by hand."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from components.files import read_json
from tests.e2e import story

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schedule"), pytest.mark.timeout(900)]


@contextlib.contextmanager
def running(*command: str, cwd: Path, environment: dict[str, str], name: str) -> Iterator[subprocess.Popen]:
    """A process of one's own until the end of the block; its output goes to `<name>.log` in the folder."""
    with (cwd / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(seconds: float, met: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, what
        time.sleep(1)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_a_scheduled_run_fires_and_promotes(tmp_path: Path) -> None:
    city = tmp_path / "city"
    story.make_city(city)
    params = yaml.safe_load((city / "params.yaml").read_text())
    params["events"]["until"] = story.FIRST  # a scheduled run takes all there is
    story.set_params(city, params)
    deployments = yaml.safe_load((city / "prefect.yaml").read_text())
    deployments["deployments"][0]["schedules"][0]["cron"] = "* * * * *"
    (city / "prefect.yaml").write_text(yaml.safe_dump(deployments, sort_keys=False))

    url = f"http://127.0.0.1:{story.free_port()}/api"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CHRONOTOPE_"))}
    environment = inherited | {
        "CHRONOTOPE_WORKSPACE": str(city),
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PATH": f"{story.BIN}{os.pathsep}{os.environ['PATH']}",
    }
    prefect, port = str(story.BIN / "prefect"), url.rpartition(":")[2].partition("/")[0]

    def once(*arguments: str) -> None:
        done = subprocess.run(
            [prefect, *arguments],
            cwd=city,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def runs() -> list[dict]:
        answer = httpx.post(f"{url}/flow_runs/filter", json={"sort": "EXPECTED_START_TIME_ASC"}, timeout=30)
        return answer.raise_for_status().json()

    def finished() -> list[dict]:
        """Runs that came to an end; one that went wrong is an error at once."""
        ended = [one for one in runs() if one["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}]
        for one in ended:
            assert one["state_type"] == "COMPLETED", (
                one["state"]["message"],
                (city / "worker.log").read_text()[-3000:],
            )
        return ended

    server = ("server", "start", "--host", "127.0.0.1", "--port", port)
    with running(prefect, *server, cwd=city, environment=environment, name="server"):
        until(120, lambda: answers(url), "the Prefect server did not start")
        once("work-pool", "create", "chronotope", "--type", "process")
        once("--no-prompt", "deploy", "--all")
        worker = ("worker", "start", "--pool", "chronotope")
        with running(prefect, *worker, cwd=city, environment=environment, name="worker"):
            until(480, lambda: bool(finished()), "no scheduled run came to its end")
        first = finished()[0]

    assert first["auto_scheduled"] is True
    assert first["created_by"]["type"] == "SCHEDULE"
    assert first["deployment_id"] is not None
    assert read_json(city / "promotions" / "000001.json")["sequence"] == 1

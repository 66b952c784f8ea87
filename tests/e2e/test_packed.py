"""A Bento holds everything: built, carried elsewhere and served, it answers as the workspace's own service does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from bento.app import App
from bento.guard.keys import Keys
from bento.worker import open_worker
from components.params import load_params
from components.serving.watch import Watch
from components.workspace import Workspace
from tests.e2e import story

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_TIME = "2025-04-10T12:00:00Z"
_EVENT = {"item_id": "i000003", "action": "view", "timestamp": "2025-04-09T10:00:00Z"}


def surroundings(home: Path) -> dict[str, str]:
    """Without the workspace's name and this checkout's path, and with no package index to install from."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CHRONOTOPE_", "PYTHON"))}
    home.mkdir(exist_ok=True)
    return mine | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PIP_NO_INDEX": "1"}


def questions(root: Path) -> list[dict[str, Any]]:
    """A known user, an inline history, and somebody unknown."""
    known = Watch(root, 1.0).champion.artifact.histories.users[0]
    return [
        {"user_id": str(known), "time": _TIME, "k": 20},
        {"history": [_EVENT], "time": _TIME, "filters": {"seen": False}},
        {"user_id": "nobody", "time": _TIME},
    ]


def unpacked(root: Path) -> list[dict[str, Any]]:
    """What the service answers from the workspace itself."""
    params = load_params(root / "params.yaml")
    app = App(params, Keys(), lambda: open_worker(root, params))
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 50_000)) as client:
        return [client.post("/v1/predict", json=one).json() for one in questions(root)]


def packed(bento: str, root: Path, home: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """What `bentoml serve` answers from the Bento alone, in an empty folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [str(story.BIN / "bentoml"), "serve", bento]
    asked = questions(root)
    with story.listening(command, tmp_path / "serve.log", elsewhere, surroundings(home)) as url:
        return [httpx.post(f"{url}/v1/predict", json=one, timeout=60).json() for one in asked]


def built(command: list[str], cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout


def test_build_serve_same_prediction(promoted: Path, tmp_path: Path) -> None:
    home, here = tmp_path / "bentos", {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bento.build", "--workspace", str(promoted)]
    tag = built(command, tmp_path, surroundings(home) | here).strip().splitlines()[-1]
    assert packed(tag, promoted, home, tmp_path) == unpacked(promoted)


def test_bentoml_build_in_a_checkout_that_is_a_workspace(promoted: Path, tmp_path: Path) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "bentos"
    for package in ("components", "bento"):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "requirements.lock", "README.md"):
        shutil.copy(ROOT / file, checkout / file)
    shutil.copy(promoted / "params.yaml", checkout)
    shutil.copytree(promoted / "promotions", checkout / "promotions")
    shutil.copytree(Workspace(promoted).artifacts, Workspace(checkout).artifacts)
    built([str(story.BIN / "bentoml"), "build"], checkout, surroundings(home))
    [folder] = [path for path in (home / "bentos" / "chronotope").iterdir() if path.is_dir()]
    expected = unpacked(promoted)
    shutil.rmtree(checkout)  # a Bento needs nothing that stayed at home
    assert packed(str(folder), promoted, home, tmp_path) == expected

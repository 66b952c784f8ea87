"""The command line in this process, as the shell sees it: exit code, stdout, stderr."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.cli import edge

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Left:
    """How the command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def chronotope(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Left]:
    """Run `chronotope …` through its edge."""
    monkeypatch.setattr(edge, "prepare", lambda root: None)  # the environment of the tests stays as it is

    def run(*arguments: str) -> Left:
        monkeypatch.setattr(sys, "argv", ["chronotope", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            edge.main()
        out, err = capfd.readouterr()
        return Left(int(left.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def empty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that nothing ran in; not to be changed."""
    root = tmp_path_factory.mktemp("space") / "space"
    root.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root)
    dvc = str(Path(sys.executable).parent / "dvc")
    subprocess.run([dvc, "init", "-q", "--no-scm"], cwd=root, check=True)
    return root


@pytest.fixture
def space(empty_workspace: Path, tmp_path: Path) -> Path:
    """A copy of the empty workspace of one's own."""
    return Path(shutil.copytree(empty_workspace, tmp_path / "space"))

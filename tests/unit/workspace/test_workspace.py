"""The lock of a workspace, its settings and its identity."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.errors import BusyError
from components.workspace import Settings, Workspace, data_digest, environment_digest, git_sha, hold, holder

HOLDS = """
import sys, time
from pathlib import Path
from components.workspace import hold
with hold(Path(sys.argv[1]), "a long training"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_taker_hears_who_holds_and_a_kill_frees(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=rf"process {other.pid} is at “a long training” since 20"), hold(tmp_path, "x"):
        pass
    who = holder(tmp_path)
    assert who is not None
    assert who.pid == other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with hold(tmp_path, "mine", timeout_s=5):
        assert holder(tmp_path) is not None
    assert holder(tmp_path) is None


def test_waiting_lasts_as_long_as_it_was_told(tmp_path: Path) -> None:
    with hold(tmp_path, "first"):
        start = time.monotonic()
        with pytest.raises(BusyError, match="first"), hold(tmp_path, "second", timeout_s=0.6):
            pass
        assert 0.5 < time.monotonic() - start < 5


def test_an_error_inside_frees_the_workspace(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(tmp_path, "first"):
        raise ZeroDivisionError
    with hold(tmp_path, "second"):
        pass


def test_settings_default_to_the_workspace_and_hide_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHRONOTOPE_MLFLOW_TRACKING_URI", raising=False)
    assert Settings().tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/.chronotope/mlflow.db"
    monkeypatch.setenv("CHRONOTOPE_MLFLOW_TRACKING_URI", "postgresql://me:hunter2@db/mlflow")
    settings = Settings()
    assert "hunter2" not in repr(settings)
    assert "hunter2" in settings.tracking_uri(tmp_path)


def test_the_data_digest_sees_bytes_and_names(tmp_path: Path) -> None:
    events = Workspace(tmp_path).events
    events.mkdir(parents=True)
    (events / "day=2025-01-01.parquet").write_bytes(b"one")
    first = data_digest(tmp_path)
    assert data_digest(tmp_path) == first
    (events / "day=2025-01-01.parquet").write_bytes(b"two")
    second = data_digest(tmp_path)
    (events / "day=2025-01-01.parquet").rename(events / "day=2025-01-02.parquet")
    assert len({first, second, data_digest(tmp_path)}) == 3


def test_git_sha_marks_changes_and_is_none_without_git(tmp_path: Path) -> None:
    assert git_sha(tmp_path) is None
    run = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("1")
    for arguments in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*run, *arguments], check=True, capture_output=True)
    sha = git_sha(tmp_path)
    assert sha is not None
    assert len(sha) == 40
    (tmp_path / "file").write_text("2")
    assert git_sha(tmp_path) == sha + "+"


def test_the_environment_has_one_digest() -> None:
    assert environment_digest() == environment_digest()

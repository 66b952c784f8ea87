"""Stages of a pipeline in this process: what runs, what is stale, and what a failure or a busy neighbour is called."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from components.code import HOME, code_digests
from components.errors import BusyError, ConfigError
from flows import stages

TOY = {
    "stages": {
        # Written in another order than they can run in.
        "last": {"cmd": "cat made/* > last.txt", "deps": ["made"], "outs": ["last.txt"]},
        "make": {
            "foreach": ["a", "b"],
            "do": {
                "cmd": "mkdir -p made && cp first.txt made/${item} && cat extra >> made/${item}",
                "deps": ["first.txt", "extra"],
                "outs": ["made/${item}"],
            },
        },
        "first": {"cmd": "tr a-z A-Z < source.txt > first.txt", "deps": ["source.txt"], "outs": ["first.txt"]},
    }
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository without a pipeline; not to be changed."""
    root = tmp_path_factory.mktemp("toy") / "toy"
    root.mkdir()
    subprocess.run([str(Path(sys.executable).parent / "dvc"), "init", "-q", "--no-scm"], cwd=root, check=True)
    return root


@pytest.fixture
def toy(empty: Path, tmp_path: Path) -> Path:
    root = Path(shutil.copytree(empty, tmp_path / "toy"))
    (root / "dvc.yaml").write_text(yaml.safe_dump(TOY, sort_keys=False))
    (root / "source.txt").write_text("abc\n")
    (root / "extra").write_text("x\n")
    return root


def run_all(root: Path) -> dict[str, bool]:
    return {name: stages.reproduce(root, name).ran for name in stages.stage_names(root)}


def test_names_come_in_an_order_in_which_they_can_run(toy: Path) -> None:
    names = stages.stage_names(toy)
    assert sorted(names) == ["first", "last", "make@a", "make@b"]
    assert names[0] == "first"
    assert names[-1] == "last"


def test_only_what_is_stale_runs(toy: Path) -> None:
    assert set(stages.stale(toy)) == {"first", "last", "make@a", "make@b"}
    assert all(run_all(toy).values())
    assert (toy / "last.txt").read_text() == "ABC\nx\nABC\nx\n"
    assert stages.stale(toy) == []
    assert not any(run_all(toy).values())
    (toy / "extra").write_text("y\n")
    assert set(stages.stale(toy)) >= {"make@a", "make@b"}
    assert "first" not in stages.stale(toy)
    assert run_all(toy) == {"first": False, "make@a": True, "make@b": True, "last": True}


def test_upstream_and_force(toy: Path) -> None:
    assert stages.reproduce(toy, "last", upstream=True).ran
    assert (toy / "last.txt").exists()
    assert stages.reproduce(toy, "first", force=True).ran
    assert not stages.reproduce(toy, "first").ran


@pytest.mark.parametrize(("code", "upstream"), [(3, False), (5, True)])
def test_a_failed_stage_hands_on_its_exit_code(toy: Path, code: int, upstream: bool) -> None:
    pipeline = yaml.safe_load((toy / "dvc.yaml").read_text())
    pipeline["stages"]["first"]["cmd"] = f"sh -c 'echo half > first.txt; exit {code}'"
    (toy / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    before = Path.cwd()
    with pytest.raises(stages.StageError) as failed:
        stages.reproduce(toy, "last" if upstream else "first", upstream=upstream)
    assert failed.value.exit_code == code
    assert "the stage first to succeed" in str(failed.value)
    assert "python -m components.first" in failed.value.do
    assert "first" in stages.stale(toy), "a stage that failed is not up to date"
    assert Path.cwd() == before


def test_a_stage_that_was_killed_has_the_shells_code(toy: Path) -> None:
    pipeline = yaml.safe_load((toy / "dvc.yaml").read_text())
    pipeline["stages"]["first"]["cmd"] = "kill -9 $$"
    (toy / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    with pytest.raises(stages.StageError) as failed:
        stages.reproduce(toy, "first")
    assert failed.value.exit_code == 137


@contextmanager
def dvc_elsewhere(root: Path) -> Iterator[None]:
    """Another process in the middle of a DVC command."""
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text())
    pipeline["stages"]["slow"] = {"cmd": "touch begun && sleep 60", "deps": ["extra"], "outs": ["slow.txt"]}
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    code = "import sys; from flows import stages; from pathlib import Path; stages.reproduce(Path(sys.argv[1]), 'slow')"
    with subprocess.Popen([sys.executable, "-c", code, str(root)], start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 120
            while not (root / "begun").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_another_dvc_command_is_busy_and_not_broken(toy: Path) -> None:
    with dvc_elsewhere(toy), pytest.raises(BusyError) as busy:
        stages.reproduce(toy, "slow")
    assert busy.value.exit_code == 7
    assert stages.reproduce(toy, "first").ran, "the lock went with the process"


def test_a_missing_dependency_is_named(toy: Path) -> None:
    (toy / "source.txt").unlink()
    with pytest.raises(ConfigError) as missing:
        stages.reproduce(toy, "first")
    assert "source.txt" in str(missing.value)
    assert "chronotope ingest" in missing.value.do


def test_no_repository_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chronotope init"):
        stages.stage_names(tmp_path)


def test_a_broken_pipeline_is_an_error_of_configuration(toy: Path) -> None:
    (toy / "dvc.yaml").write_text("stages: {first: {cmd: [}}")
    with pytest.raises(ConfigError) as broken:
        stages.stage_names(toy)
    assert "dvc.yaml" in str(broken.value)


def test_data_is_put_under_dvc_and_a_change_shows(toy: Path) -> None:
    for name in ("events", "catalogue"):
        (toy / "data" / name).mkdir(parents=True)
        (toy / "data" / name / "one").write_text(name)
    first = stages.snapshot(toy)
    assert set(first) == {"data/events", "data/catalogue"}
    assert stages.snapshot(toy) == first
    (toy / "data" / "events" / "one").write_text("other")
    assert "data/events.dvc" in stages.stale(toy)
    second = stages.snapshot(toy)
    assert second["data/events"] != first["data/events"]
    assert second["data/catalogue"] == first["data/catalogue"]


def test_a_run_is_finished_until_the_lock_changes(toy: Path) -> None:
    assert not stages.is_finished(toy)
    stages.reproduce(toy, "first")
    stages.mark_finished(toy)
    assert stages.is_finished(toy)
    (toy / "source.txt").write_text("other\n")
    stages.reproduce(toy, "first")
    assert not stages.is_finished(toy)


@pytest.mark.parametrize(
    ("file", "runs_again"),
    [
        ("events/days.py", {"validate"}),
        ("features/store.py", {"features", "train", "compress", "blend", "evaluate"}),
        ("params/network.py", {"validate", "features", "train", "compress", "blend", "evaluate"}),
        ("blend.py", {"blend"}),
        ("observers/ask.py", {"evaluate"}),
        ("train.py", {"train"}),
        ("registry/gate.py", set()),
        ("serving/__init__.py", set()),
    ],
)
def test_a_change_of_code_reaches_the_stages_that_stand_on_it(tmp_path: Path, file: str, runs_again: set[str]) -> None:
    copy = tmp_path / "components"
    shutil.copytree(HOME, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = code_digests(copy)
    assert before == code_digests(), "the digest does not see where the code lies"
    assert (copy / file).exists()
    with (copy / file).open("a") as stream:
        stream.write("\n# changed\n")
    after = code_digests(copy)
    assert {name for name in after if after[name] != before[name]} == runs_again

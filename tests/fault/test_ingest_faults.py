"""A kill or a full disk in the middle of an ingest leaves whole days, and the next run ends in the same bytes."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from components.errors import StorageError
from components.events.days import day_files, read_day, read_events
from components.events.ingest import ingest
from components.events.tombstones import Tombstones
from components.params import Params
from tests.eventlog import NOW, ROOT, day_bytes, log_params, toy_log

_CHILD = """
import datetime as dt, sys
from pathlib import Path
from components.events.ingest import ingest
from tests.eventlog import NOW
from tests.fault.test_ingest_faults import a_source
ingest(Path(sys.argv[1]), a_source(Path(sys.argv[2])), now=NOW, buffer_rows=300)
"""


def a_source(path: Path) -> Params:
    return log_params({"format": "parquet", "path": str(path)})


def run(root: Path, source: Path, fault: str = "") -> subprocess.Popen[bytes]:
    environment = os.environ | {"CHRONOTOPE_FAULT": fault, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", _CHILD, str(root), str(source)], env=environment)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "log.parquet"
    dirt = toy_log(30).with_columns(pl.lit("zap").alias("action"))
    pl.concat([toy_log(1500, days=12), dirt]).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("whole")
    ingest(root, a_source(source), now=NOW)
    return day_bytes(root)


def assert_whole_days(root: Path) -> None:
    for path in day_files(root / "data" / "events").values():
        read_day(path)


def assert_recovers(root: Path, source: Path, whole: dict[str, bytes]) -> None:
    report = ingest(root, a_source(source), now=NOW)
    assert report.rows_in == 1530
    assert day_bytes(root) == whole
    assert pl.read_parquet(root / "data" / "quarantine" / "action_unknown.parquet").height == 30
    assert not list((root / "data").rglob(".*"))
    assert not (root / ".chronotope" / "ingest").exists()


@pytest.mark.parametrize(
    "point",
    ["day=2025-01-06.parquet", "day=2025-01-12.parquet", "action_unknown.parquet", "items.parquet", "ingested.json"],
)
def test_killed_before_a_rename(point: str, source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    child = run(tmp_path, source, f"before-rename:{point}")
    assert child.wait(60) == -signal.SIGKILL
    assert_whole_days(tmp_path)
    assert_recovers(tmp_path, source, whole)


def test_killed_at_any_moment(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    chance = random.Random(5)
    died = 0
    for turn in range(4):
        root = tmp_path / str(turn)
        root.mkdir()
        child = run(root, source)
        _wait_for(root, chance.randint(0, 12), child)
        child.kill()
        died += child.wait(60) == -signal.SIGKILL
        assert_whole_days(root)
        assert_recovers(root, source, whole)
    assert died > 0


@pytest.mark.parametrize(
    "point", ["day=2025-01-09.parquet", "action_unknown.parquet", "users.parquet", "ingested.json"]
)
def test_killed_while_a_user_is_erased(point: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    ingest(tmp_path / "a", a_source(source), now=NOW)
    users = tmp_path / "a" / "data" / "catalogue" / "users.parquet"
    pl.DataFrame({"user_id": ["u3", "u4"]}).write_parquet(users)
    graves = pl.DataFrame({"user_id": ["u3"], "time_us": [int(NOW.timestamp()) * 1_000_000], "offset": [1]})
    Tombstones(graves).write(tmp_path / "a")
    child = run(tmp_path / "a", source, f"before-rename:{point}")
    assert child.wait(60) == -signal.SIGKILL
    report = ingest(tmp_path / "a", a_source(source), now=NOW)
    assert report.erased > 0
    for path in (tmp_path / "a" / "data").rglob("*.parquet"):
        if path.name != "tombstones.parquet":
            assert "u3" not in pl.read_parquet(path, glob=False).write_ndjson()
    assert read_events(tmp_path / "a").collect().height == report.duplicates + report.kept
    assert not list((tmp_path / "a" / "data").rglob(".*"))


def _wait_for(root: Path, days: int, child: subprocess.Popen[bytes]) -> None:
    """Until the child has written that many days (0: until it has begun)."""
    folder = root / ("data/events" if days else ".chronotope/ingest")
    while child.poll() is None and len(list(folder.glob("[!.]*"))) < max(days, 1):
        time.sleep(0.001)


def test_a_full_disk_is_one_message_and_no_half_file(
    source: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pl.DataFrame.write_parquet

    def full(frame: pl.DataFrame, path: Path, **options: object) -> None:
        if "day=2025-01-09" in str(path):
            path.write_bytes(b"PAR1 and then")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(frame, path, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(StorageError, match="No space left"):
            ingest(tmp_path, a_source(source), now=NOW)
    assert_whole_days(tmp_path)
    assert_recovers(tmp_path, source, whole)

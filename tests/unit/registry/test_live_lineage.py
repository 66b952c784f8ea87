"""What of the live log is in a model: told by the snapshot that the stages read, whatever was ingested since."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.errors import IntegrityError
from components.events import watermark
from components.events.watermark import Watermark, note, watermark_of
from components.registry.lineage import in_model, live_record
from tests.livelog import us
from tests.workspaces import small_params

CUT = dt.date(2025, 3, 1)


def workspace(root: Path, snapshot: str, until: str | None = None) -> None:
    """params.yaml, and a dvc.lock whose stages read a snapshot."""
    record: dict[str, Any] = small_params()
    record["events"]["until"] = until
    (root / "params.yaml").write_text(yaml.safe_dump(record))
    deps = [{"path": "data/events", "hash": "md5", "md5": snapshot}]
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": {"validate": {"deps": deps, "outs": []}}}))


def test_the_offset_is_that_of_the_snapshot_that_was_read(tmp_path: Path) -> None:
    note(tmp_path, "old.dir", Watermark(10, None))
    note(tmp_path, "new.dir", Watermark(25, CUT))
    workspace(tmp_path, "old.dir")
    assert live_record(tmp_path) == {"live_offset": 10, "until": None}
    workspace(tmp_path, "new.dir")
    assert live_record(tmp_path) == {"live_offset": 25, "until": "2025-03-01"}
    workspace(tmp_path, "unknown.dir")
    assert live_record(tmp_path) == {"live_offset": 0, "until": None}


def test_the_earlier_of_two_cuts_counts(tmp_path: Path) -> None:
    note(tmp_path, "one.dir", Watermark(10, CUT))
    workspace(tmp_path, "one.dir", until="2025-02-01")
    assert live_record(tmp_path)["until"] == "2025-02-01"


def test_the_same_snapshot_again_has_the_newer_offset(tmp_path: Path) -> None:
    note(tmp_path, "one.dir", Watermark(10, None))
    note(tmp_path, "one.dir", Watermark(12, None))
    assert watermark_of(tmp_path, "one.dir") == Watermark(12, None)


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "_KEPT", 3)
    for number in range(1, 6):
        note(tmp_path, f"{number}.dir", Watermark(number, None))
    note(tmp_path, "3.dir", Watermark(9, None))
    note(tmp_path, "6.dir", Watermark(10, None))
    assert [watermark_of(tmp_path, f"{number}.dir").offset for number in range(1, 7)] == [0, 0, 9, 0, 5, 10]


def test_where_nothing_came_in_live_nothing_is_written(tmp_path: Path) -> None:
    note(tmp_path, "one.dir", Watermark(0, None))
    assert not (tmp_path / "data").exists()


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    note(tmp_path, "one.dir", Watermark(1, None))
    (tmp_path / "data" / "live" / "ingested.json").write_text('[{"offset": 1}]')
    with pytest.raises(IntegrityError, match=r"ingested\.json"):
        watermark_of(tmp_path, "one.dir")


@pytest.mark.parametrize(
    ("shift_us", "offset", "inside"), [(-1, 25, True), (0, 25, False), (-1, 26, False), (-1, 1, True)]
)
def test_in_the_model_before_the_cut_and_up_to_the_offset(shift_us: int, offset: int, inside: bool) -> None:
    cut_us = us(dt.datetime.combine(CUT, dt.time(), dt.UTC))
    assert in_model(cut_us + shift_us, offset, {"live_offset": 25, "until": "2025-03-01"}) is inside


def test_an_artifact_of_before_there_was_a_live_log_holds_nothing_of_it() -> None:
    assert not in_model(0, 1, {})

"""`chronotope replay`: a later log through the live path in process, and what it refuses."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import pytest

from components.errors import ConfigError
from flows.cli.replay import _pace


def test_a_later_log_is_replayed_and_the_workspace_left_alone(
    chronotope, promoted_template: Path, tmp_path: Path
) -> None:
    where = ("--workspace", str(promoted_template))
    events = str(promoted_template / "data" / "events" / "all.parquet")
    before = sorted(path.relative_to(promoted_template) for path in promoted_template.rglob("*"))
    out = tmp_path / "report.json"
    left = chronotope("replay", "--source", "parquet", "--path", events, "--users", "15", "--json", str(out), *where)
    assert left.code == 0, left.err
    report = json.loads(out.read_text())
    assert report["users"] <= 15
    assert report["from"] > report["model_knows_until"].replace("T", " ")[:19]
    assert set(report["gain"]) == {"known_items", "frozen"}
    assert "of which by recommending new items" in " ".join(left.out.split())
    assert sorted(path.relative_to(promoted_template) for path in promoted_template.rglob("*")) == before

    left = chronotope("replay", "--source", "parquet", "--path", events, "--from", "2025-03-05", *where)
    assert left.code == 2
    assert "later than what the champion knows" in left.err
    left = chronotope("replay", "--source", "parquet", "--path", events, "--from", "2026-03-05", *where)
    assert left.code == 3


def test_a_speed_is_so_many_seconds_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    wait, moment = _pace("60x"), dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    wait(moment)
    wait(moment + dt.timedelta(minutes=3))
    assert slept == [0.0, 3.0]
    _pace("max")(moment)
    for wrong in ("fast", "0x", "-1x", "x"):
        with pytest.raises(ConfigError):
            _pace(wrong)

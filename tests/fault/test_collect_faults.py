"""A kill in the middle of a collection neither loses nor doubles a record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from components.events import live
from components.events.ingest import ingest
from components.serving.collect import collect
from tests.eventlog import NOW, ROOT, START, log_params, toy_log
from tests.livelog import ClockedState, events_as_records, filled, record, us

_CHILD = """
import sys
from pathlib import Path
from components.serving.collect import collect
from tests.fault.test_collect_faults import a_state
collect(Path(sys.argv[1]), a_state(60), block=25)
"""


def a_state(events: int) -> ClockedState:
    """So many events, each followed by an impression; after the 40th a user asks to be forgotten."""
    state = filled([])
    state.now_us = us(NOW)
    for place, one in enumerate(events_as_records(toy_log(100))[:events]):
        state.append(
            [one, record("impression", f"s{place}", "u1", us(START), item_id="i", position=1, probability=1.0)]
        )
        if place == 40:
            state.forget("u3")
    return state


def killed(root: Path, point: str) -> None:
    environment = os.environ | {"CHRONOTOPE_FAULT": point, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", _CHILD, str(root)], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "point",
    [
        "first segment",
        "second segment",
        "before-rename:tombstones.parquet",
        "before-rename:collected.json",
        "before-cursor",
    ],
)
def test_killed_at_a_point(point: str, tmp_path: Path) -> None:
    if point.endswith("segment"):
        collect(tmp_path / "whole", a_state(60), block=25)
        names = [one.path.name for one in live.segments(tmp_path / "whole", "event")]
        point = f"before-rename:{names[point.startswith('second')]}"
    killed(tmp_path, point)
    state = a_state(90)  # more came in before the next one
    collect(tmp_path, state, block=33)
    there = {one.offset: one.record.kind for one in state.after(0, 10_000) if one.record.user_id != "u3"}
    for kind in ("event", "impression"):
        rows = pl.concat([live.read_segment(one.path) for one in live.segments(tmp_path, kind)])
        assert sorted(rows["offset"]) == [offset for offset, found in there.items() if found == kind]
    ingest(tmp_path, log_params({"format": "live"}), now=NOW)
    assert not list((tmp_path / "data").rglob(".*"))


def test_killed_while_a_user_is_erased_from_the_segments(tmp_path: Path) -> None:
    collect(tmp_path, a_state(40), block=25)
    killed(tmp_path, f"before-rename:{live.segments(tmp_path, 'event')[0].path.name}")
    collect(tmp_path, a_state(60))
    for kind in ("event", "impression"):
        rows = pl.concat([live.read_segment(one.path) for one in live.segments(tmp_path, kind)])
        assert "u3" not in set(rows["user_id"])

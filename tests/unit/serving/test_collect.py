"""From the live state to segments: every record once, in blocks, of every kind; another state is told."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import polars as pl
import pytest

from components.errors import IntegrityError
from components.events import live
from components.serving.collect import collect, is_collected, let_go
from components.serving.state.open import open_state
from components.serving.state.record import Record
from tests.eventlog import START, log_params, toy_log
from tests.livelog import events_as_records, filled, record, us
from tests.redis_server import running


def held(root: Path, kind: str) -> pl.DataFrame:
    """Every record of a kind that was collected, by offset."""
    parts = [live.read_segment(one.path) for one in live.segments(root, kind)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict(live.SEGMENTS[kind]))


def a_mixture() -> list[Record]:
    events = events_as_records(toy_log(40))
    shown = [
        record("impression", f"s{k}", "u1", us(START) + k, item_id="i1", position=k + 1, probability=0.25, arm="a")
        for k in range(9)
    ]
    said = [record("feedback", "f", "u2", us(START), question="stars", value=4.0, item_id="i2", answer="fine")]
    seen = [record("position", "p", "u2", us(START), latitude=48.8, longitude=2.3, accuracy_m=12.0)]
    return [*events[:20], *shown, *said, *events[20:], *seen]


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_every_record_once_whatever_the_block(block: int, tmp_path: Path) -> None:
    state = filled(a_mixture())
    found = collect(tmp_path, state, block)
    assert found.records == {"event": 40, "impression": 9, "feedback": 1, "position": 1}
    assert found.offset == 51
    assert is_collected(tmp_path, state)
    offsets = [offset for kind in live.SEGMENTS for offset in held(tmp_path, kind)["offset"]]
    assert sorted(offsets) == list(range(1, 52))
    assert held(tmp_path, "impression").row(0, named=True) == {
        "offset": 21, "id": "s0", "user_id": "u1", "timestamp": START, "item_id": "i1", "position": 1,
        "probability": 0.25, "list_id": None, "arm": "a", "policy": None,
    }  # fmt: skip


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    state = filled(a_mixture())
    collect(tmp_path, state)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    assert sum(collect(tmp_path, state).records.values()) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == times


def test_segments_are_never_written_again(tmp_path: Path) -> None:
    state = filled(a_mixture())
    collect(tmp_path, state)
    before = {one.path: one.path.read_bytes() for one in live.every_segment(tmp_path)}
    state.append(events_as_records(toy_log(10, seed=8)))
    state.append([record("event", "new", "u1", us(START), item_id="i1", action="view")])
    collect(tmp_path, state)
    assert {path: path.read_bytes() for path in before} == before
    assert len(live.segments(tmp_path, "event")) == 2


def test_a_state_that_was_replaced_is_told(tmp_path: Path) -> None:
    collect(tmp_path, filled(a_mixture()))
    with pytest.raises(IntegrityError, match="another one"):
        collect(tmp_path, filled(a_mixture()[:5]))
    with pytest.raises(IntegrityError, match="another one"):
        collect(tmp_path, filled([*reversed(a_mixture()), record("event", "x", "u", 1, action="view")]))


@pytest.mark.parametrize("server", [False, True])
def test_a_lost_state_begins_beyond_what_was_collected(server: bool, tmp_path: Path) -> None:
    params = log_params()
    with running() if server else nullcontext(None) as one:
        url = one.url if one is not None else None
        state = open_state(tmp_path, params.live, url, "shop")
        state.append(a_mixture())
        collect(tmp_path, state)
        state.append([record("event", "lost", "u9", us(START), item_id="i1", action="view")])
        state.close()
        if one is not None:
            one.kill()  # it kept nothing on the disk
            one.start()
        else:
            shutil.rmtree(tmp_path / ".chronotope" / "live")
        state = open_state(tmp_path, params.live, url, "shop")
        assert is_collected(tmp_path, state)
        state.append([record("event", "new", "u1", us(START), item_id="i1", action="view")])
        assert (state.head(), len(state.last("u1", 9))) == (52, 1)
        assert collect(tmp_path, state).records["event"] == 1
        state.forget("u1")
        assert collect(tmp_path, state).forgotten == 1
        assert "u1" not in set(held(tmp_path, "event")["user_id"])
        state.close()


def test_expired_and_forgotten_records_are_no_sign_of_another_state(tmp_path: Path) -> None:
    state = filled(a_mixture())
    collect(tmp_path, state)
    state.forget("u2")
    state.expire(us(START) + 10**12)
    assert collect(tmp_path, state).forgotten == 1


def test_what_was_not_collected_is_not_let_go(tmp_path: Path) -> None:
    state = filled([record("event", "old", "u1", us(START), item_id="i1", action="view")])
    assert let_go(tmp_path, state, us(START) + 1) == 0
    collect(tmp_path, state)
    state.append([record("event", "new", "u1", us(START) + 5, item_id="i1", action="view")])
    assert let_go(tmp_path, state, us(START) + 1) == 1
    assert [one.record.id for one in state.after(0, 9)] == ["new"]


def test_what_comes_in_while_the_old_is_let_go_is_not_let_go(tmp_path: Path) -> None:
    state = filled([record("event", "old", "u1", us(START), item_id="i1", action="view")])
    collect(tmp_path, state)
    state.append([record("event", "late", "u1", us(START) - 5, item_id="i1", action="view")])
    assert let_go(tmp_path, state, us(START) + 1) == 1
    assert [one.record.id for one in state.after(0, 9)] == ["late"]
    assert collect(tmp_path, state).records["event"] == 1

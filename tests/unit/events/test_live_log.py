"""The live log beside a source: one event is one event, forgotten users stay forgotten, every row is accounted for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from components.errors import IntegrityError
from components.events import live
from components.events.days import read_events
from components.events.ingest import IngestReport, ingest, is_up_to_date
from components.events.load import load_frame
from components.events.tombstones import Tombstones
from components.params import Params
from components.serving.collect import collect
from tests.eventlog import NOW, START, day_bytes, log_params, toy_log
from tests.livelog import ClockedState, events_as_records, filled, record, us

LIVE = log_params({"format": "live"})


def files(root: Path, log: pl.DataFrame) -> Params:
    (root / "raw").mkdir(parents=True, exist_ok=True)
    log.write_parquet(root / "raw" / "log.parquet")
    return log_params({"format": "parquet", "path": "raw"})


def collected(root: Path, state: ClockedState, params: Params) -> IngestReport:
    collect(root, state, block=50)
    report = ingest(root, params, now=NOW)
    lost = report.kept + report.quarantined + report.duplicates + report.left_out + report.erased
    assert report.rows_in == lost
    return report


def users_in(root: Path) -> set[str]:
    """Every user that any Parquet file of the workspace's data names."""
    found: set[str] = set()
    for path in (root / "data").rglob("*.parquet"):
        frame = pl.read_parquet(path, glob=False)
        if path.name != "tombstones.parquet":
            found |= {str(one) for row in frame.rows() for one in row if str(one).startswith(("u", '{"user_id":"u'))}
    return found


def test_events_of_both_are_one_log_and_each_counts_once(tmp_path: Path) -> None:
    log = toy_log(200)
    params = files(tmp_path, log.head(120))
    report = collected(tmp_path, filled(events_as_records(log.tail(150))), params)
    assert (report.rows_in, report.kept, report.duplicates) == (270, 200, 70)
    assert report.live_offset == 150
    assert is_up_to_date(tmp_path, params)
    again = ingest(tmp_path, params, now=NOW)
    assert (again.parts_read, again.parts_skipped, again.duplicates) == (0, 4, 270)


def test_new_segments_are_news(tmp_path: Path) -> None:
    params = files(tmp_path, toy_log(50))
    state = filled([])
    collected(tmp_path, state, params)
    assert is_up_to_date(tmp_path, params)
    state.append(events_as_records(toy_log(20, seed=3)))
    collect(tmp_path, state)
    assert not is_up_to_date(tmp_path, params)
    assert ingest(tmp_path, params, now=NOW).parts_read == 1


def test_a_log_of_live_events_alone_starts_empty(tmp_path: Path) -> None:
    report = ingest(tmp_path, LIVE, now=NOW)
    assert (report.rows_in, report.kept) == (0, 0)
    assert is_up_to_date(tmp_path, LIVE)
    collect(tmp_path, filled(events_as_records(toy_log(80))))
    assert not is_up_to_date(tmp_path, LIVE)
    assert ingest(tmp_path, LIVE, now=NOW).kept == 80
    assert load_frame(LIVE, root=tmp_path, now=NOW).events.height == 80


def test_the_cut_leaves_later_live_events_for_later(tmp_path: Path) -> None:
    collect(tmp_path, filled(events_as_records(toy_log(100))))
    cut = START.date() + dt.timedelta(days=2)
    early = ingest(tmp_path, LIVE, until=cut, now=NOW)
    assert early.left_out > 0
    assert (early.kept + early.left_out, early.until) == (100, cut)
    assert ingest(tmp_path, LIVE, now=NOW).kept == early.left_out


def test_unsound_live_records_go_to_quarantine(tmp_path: Path) -> None:
    rows = [record("event", "1", "u1", us(START), item_id="i1", action="zap")]
    rows += [record("event", "2", "u1", us(START), item_id="i1", action="view", latitude=1.0)]
    report = collected(tmp_path, filled(rows), LIVE)
    assert report.quarantined == 2
    assert {path.stem for path in (tmp_path / "data" / "quarantine").iterdir()} == {
        "action_unknown",
        "place_incomplete",
    }


def test_an_action_that_intake_has_mapped_is_not_mapped_again(tmp_path: Path) -> None:
    params = log_params({"format": "live"}, action_map={"look": "view", "view": "like"})
    collected(tmp_path, filled([record("event", "1", "u1", us(START), item_id="i1", action="view")]), params)
    assert read_events(tmp_path).collect()["action"].to_list() == ["view"]


def test_answers_become_events_where_params_say_so(tmp_path: Path) -> None:
    answers = [
        record("feedback", "1", "u1", us(START), question="stars", value=4.0, item_id="i1"),
        record("feedback", "2", "u1", us(START), question="why", answer="because", item_id="i1"),
        record("feedback", "3", "u2", us(START), question="stars", value=5.0),
    ]
    state = filled(answers)
    assert collected(tmp_path, state, LIVE).rows_in == 0
    rated = LIVE.model_copy(update={"live": LIVE.live.model_copy(update={"feedback": {"stars": "like"}})})
    report = collected(tmp_path, state, rated)
    assert (report.rows_in, report.kept) == (1, 1)
    assert read_events(tmp_path).select("user_id", "item_id", "action", "value").collect().rows() == [
        ("u1", "i1", "like", 4.0)
    ]


@pytest.mark.parametrize("own", ["files", "live"])
def test_a_forgotten_user_is_nowhere_and_never_comes_back(own: str, tmp_path: Path) -> None:
    log = toy_log(300)
    dirt = log.filter(pl.col("user_id") == "u3").head(5).with_columns(pl.lit("zap").alias("action"))
    params = files(tmp_path, pl.concat([log, dirt])) if own == "files" else LIVE
    state = filled([] if own == "files" else events_as_records(pl.concat([log, dirt])))
    state.append([record("impression", "1", "u3", us(START), item_id="i1", position=1, probability=0.5)])
    state.append([record("position", "1", "u3", us(START), latitude=48.8, longitude=2.3)])
    before = collected(tmp_path, state, params)
    assert "u3" in users_in(tmp_path)
    mine = int((log["user_id"] == "u3").sum())
    state.now_us = us(NOW)
    state.forget("u3")
    report = collected(tmp_path, state, params)
    assert report.purged == mine
    assert not {one for one in users_in(tmp_path) if "u3" in one}
    assert read_events(tmp_path).collect().height == before.kept - mine
    if own == "files":
        assert report.erased == mine + 5
    days = day_bytes(tmp_path)
    (tmp_path / ".chronotope" / "ingested.json").unlink()
    again = ingest(tmp_path, params, now=NOW, replace=(START.date(), NOW.date()))
    assert again.purged == 0
    assert day_bytes(tmp_path) == days


def test_who_comes_back_after_it_is_known_from_then_on(tmp_path: Path) -> None:
    log = toy_log(200, days=6)
    half = START + dt.timedelta(days=3)
    params = files(tmp_path, log)
    state = filled([])
    collected(tmp_path, state, params)
    state.now_us = us(half)
    state.forget("u2")
    collected(tmp_path, state, params)
    kept = read_events(tmp_path).collect().filter(pl.col("user_id") == "u2")["timestamp"]
    assert kept.len() > 0
    assert kept.min() > half  # type: ignore[operator]
    state.append([record("event", "late", "u2", us(half) - 1, item_id="i1", action="view")])
    state.append([record("event", "new", "u2", us(half) + 1, item_id="i1", action="view")])
    found = collect(tmp_path, state)
    assert (found.records["event"], found.erased) == (1, 1)


def test_an_event_that_a_fast_clock_dated_after_the_wish_goes_too(tmp_path: Path) -> None:
    state = filled([record("event", "1", "u1", us(START) + 5_000_000, item_id="i1", action="view")])
    collected(tmp_path, state, LIVE)
    state.now_us = us(START)
    state.forget("u1")
    assert collected(tmp_path, state, LIVE).purged == 1


def test_attributes_of_a_forgotten_user_go_too(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user_id,plan\nu1,gold\nu2,free\n")
    params = log_params({"format": "live", "users": "users.csv"})
    state = filled(events_as_records(toy_log(30)))
    collected(tmp_path, state, params)
    state.forget("u1")
    collected(tmp_path, state, params)
    assert pl.read_parquet(tmp_path / "data/catalogue/users.parquet")["user_id"].to_list() == ["u2"]


def test_a_numeric_id_is_the_same_user_in_quarantine() -> None:
    rows = [("rule", '{"user_id":"13085.0","timestamp":"2025-01-06 10:00:00.000000 UTC"}')]
    rows += [("rule", '{"user_id":"13085","timestamp":"2025-01-07T10:00:00Z"}'), ("rule", '{"user_id":"13085"}')]
    rejected = pl.DataFrame(rows, schema=["rule", "record"], orient="row")
    graves = pl.DataFrame({"user_id": ["13085"], "time_us": [us(START + dt.timedelta(days=1))], "offset": [1]})
    assert Tombstones(graves).rejected(rejected)["record"].to_list() == [rows[1][1]]


def test_a_damaged_segment_is_named(tmp_path: Path) -> None:
    collect(tmp_path, filled(events_as_records(toy_log(30))))
    path = live.segments(tmp_path, "event")[0].path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="data/live"):
        ingest(tmp_path, LIVE, now=NOW)

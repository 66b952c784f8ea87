"""Ingest: every row accounted for, only what is new, late events in their day, days replaced whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from components.errors import DataError, IntegrityError, SchemaError
from components.events import merge
from components.events.contract import SCHEMA
from components.events.days import day_files, read_events
from components.events.ingest import ingest, is_up_to_date
from components.params import Params
from tests.eventlog import NOW, START, day_bytes, log_params, toy_log


def written(folder: Path, frame: pl.DataFrame, name: str = "log.parquet", **events: object) -> Params:
    """Params that read `frame` from a file in `folder`."""
    folder.mkdir(exist_ok=True)
    frame.write_parquet(folder / name)
    return log_params({"format": "parquet", "path": str(folder)}, **events)


def test_rows_are_conserved_and_days_hold_them_in_order(tmp_path: Path) -> None:
    log = toy_log(300)
    dirty = log.head(20).with_columns(pl.lit("zap").alias("action"))
    params = written(tmp_path / "raw", pl.concat([log, dirty, log.tail(30)]))
    report = ingest(tmp_path, params, now=NOW)
    assert (report.rows_in, report.kept, report.quarantined, report.duplicates) == (350, 300, 20, 30)
    events = read_events(tmp_path).collect()
    assert events.schema == pl.Schema(SCHEMA)
    assert events.height == 300
    order = ["timestamp", "user_id", "source_seq", "event_key"]
    assert events.equals(events.sort(order, nulls_last=True))
    for day, path in day_files(tmp_path / "data" / "events").items():
        assert set(pl.read_parquet(path)["timestamp"].dt.date()) == {day}
    caught = pl.read_parquet(tmp_path / "data" / "quarantine" / "action_unknown.parquet")
    assert caught.height == 20


def test_the_same_log_again_adds_nothing_and_touches_nothing(tmp_path: Path) -> None:
    params = written(tmp_path / "raw", pl.concat([toy_log(), toy_log(10).with_columns(pl.lit("").alias("user_id"))]))
    first = ingest(tmp_path, params, now=NOW)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.parquet")}
    (tmp_path / ".chronotope" / "ingested.json").unlink()
    again = ingest(tmp_path, params, now=NOW)
    assert again.parts_read == 1
    assert (again.kept, again.newly_quarantined, again.days_written) == (0, 0, 0)
    assert (again.rows_in, again.duplicates, again.quarantined) == (210, 200, 10)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert first.kept == 200


def test_an_unchanged_file_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = written(tmp_path / "raw", toy_log())
    assert not is_up_to_date(tmp_path, params)
    ingest(tmp_path, params, now=NOW)
    assert is_up_to_date(tmp_path, params)
    monkeypatch.setattr("components.events.sources.parquet.read", lambda *_: pytest.fail("it was read"))
    report = ingest(tmp_path, params, now=NOW)
    assert (report.parts_read, report.parts_skipped, report.duplicates, report.rows_in) == (0, 1, 200, 200)


def test_the_shortcut_holds_only_while_the_log_is_there(tmp_path: Path) -> None:
    params = written(tmp_path / "raw", toy_log())
    ingest(tmp_path, params, now=NOW)
    whole = day_bytes(tmp_path)
    next(iter(day_files(tmp_path / "data" / "events").values())).unlink()
    assert not is_up_to_date(tmp_path, params)
    assert ingest(tmp_path, params, now=NOW).days_written == 1
    assert day_bytes(tmp_path) == whole


def test_other_rules_or_bytes_are_another_log(tmp_path: Path) -> None:
    params = written(tmp_path / "raw", toy_log())
    ingest(tmp_path, params, now=NOW)
    narrower = params.model_copy(update={"events": params.events.model_copy(update={"actions": ["view"]})})
    assert not is_up_to_date(tmp_path, narrower)
    written(tmp_path / "raw", toy_log(201))
    assert not is_up_to_date(tmp_path, params)


def test_a_row_of_the_future_is_taken_when_its_time_has_come(tmp_path: Path) -> None:
    late = toy_log(5).with_columns(pl.lit(NOW + dt.timedelta(days=3)).dt.cast_time_unit("us").alias("timestamp"))
    params = written(tmp_path / "raw", pl.concat([toy_log(), late]))
    assert ingest(tmp_path, params, now=NOW).quarantined == 5
    same = ingest(tmp_path, params, now=NOW + dt.timedelta(days=1))
    assert (same.parts_skipped, same.kept) == (1, 0)
    assert ingest(tmp_path, params, now=NOW + dt.timedelta(days=4)).kept == 5


def test_a_second_file_brings_only_what_is_new(tmp_path: Path) -> None:
    log = toy_log(300)
    ingest(tmp_path, written(tmp_path / "raw", log.head(200), "a.parquet"), now=NOW)
    report = ingest(tmp_path, written(tmp_path / "raw", log.tail(150), "b.parquet"), now=NOW)
    assert (report.parts_skipped, report.parts_read) == (1, 1)
    assert (report.rows_in, report.kept, report.duplicates) == (350, 100, 250)
    assert read_events(tmp_path).collect().height == 300


def test_a_late_event_lands_in_its_own_day_alone(tmp_path: Path) -> None:
    log = toy_log(300)
    late = log.filter(pl.col("timestamp").dt.date() == dt.date(2025, 1, 7)).head(1)
    ingest(tmp_path, written(tmp_path / "raw", log.join(late, on="source_seq", how="anti"), "a.parquet"), now=NOW)
    before = day_bytes(tmp_path)
    report = ingest(tmp_path, written(tmp_path / "raw", late, "b.parquet"), now=NOW)
    after = day_bytes(tmp_path)
    assert (report.kept, report.days_written) == (1, 1)
    assert {name for name in after if after[name] != before[name]} == {"day=2025-01-07.parquet"}


def test_until_leaves_later_rows_for_another_time(tmp_path: Path) -> None:
    params = written(tmp_path / "raw", toy_log(300))
    first = ingest(tmp_path, params, until=dt.date(2025, 1, 8), now=NOW)
    assert first.left_out > 0
    assert first.rows_in == first.kept + first.left_out
    assert max(day_files(tmp_path / "data" / "events")) == dt.date(2025, 1, 7)
    assert is_up_to_date(tmp_path, params, until=dt.date(2025, 1, 8))
    assert not is_up_to_date(tmp_path, params)
    rest = ingest(tmp_path, params, now=NOW)
    assert rest.kept == first.left_out
    assert read_events(tmp_path, until=dt.date(2025, 1, 8)).collect().height == first.kept


def test_a_backfill_replaces_whole_days_and_no_others(tmp_path: Path) -> None:
    log = toy_log(300)
    ingest(tmp_path, written(tmp_path / "raw", log), now=NOW)
    before = day_bytes(tmp_path)
    params = written(tmp_path / "corrected", log.filter(pl.col("user_id") != "u1").with_columns(pl.col("value") + 1))
    days = (dt.date(2025, 1, 7), dt.date(2025, 1, 8))
    report = ingest(tmp_path, params, now=NOW, replace=days)
    after = day_bytes(tmp_path)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"day=2025-01-07.parquet", "day=2025-01-08.parquet"}
    assert report.rows_in == report.kept + report.left_out
    events = read_events(tmp_path).filter(pl.col("timestamp").dt.date().is_between(*days)).collect()
    assert "u1" not in set(events["user_id"])
    assert events.height == report.kept


def test_a_replaced_day_without_events_goes(tmp_path: Path) -> None:
    log = toy_log(300)
    ingest(tmp_path, written(tmp_path / "raw", log), now=NOW)
    gone, days = dt.date(2025, 1, 8), (dt.date(2025, 1, 7), dt.date(2025, 1, 8))
    params = written(tmp_path / "corrected", log.filter(pl.col("timestamp").dt.date() != gone))
    report = ingest(tmp_path, params, now=NOW, replace=days)
    assert gone not in day_files(tmp_path / "data" / "events")
    assert report.days_written == 2


def test_a_backfill_without_a_row_replaces_nothing(tmp_path: Path) -> None:
    params = written(tmp_path / "raw", toy_log())
    ingest(tmp_path, params, now=NOW)
    before = day_bytes(tmp_path)
    with pytest.raises(DataError, match="nothing was replaced"):
        ingest(tmp_path, params, now=NOW, replace=(dt.date(2025, 2, 1), dt.date(2025, 2, 3)))
    assert day_bytes(tmp_path) == before


def test_an_event_id_is_one_event_on_whatever_day(tmp_path: Path) -> None:
    first = toy_log(60).with_columns(pl.format("e{}", "source_seq").alias("event_id"))
    moved = first.head(20).with_columns(pl.col("timestamp") + pl.duration(days=1))
    earlier = first.tail(20).with_columns(pl.col("timestamp") - pl.duration(days=2))
    ingest(tmp_path, written(tmp_path / "raw", first, "a.parquet"), now=NOW)
    report = ingest(tmp_path, written(tmp_path / "raw", pl.concat([moved, earlier]), "b.parquet"), now=NOW)
    assert (report.kept, report.duplicates) == (0, 100)
    events = read_events(tmp_path).collect()
    assert events["event_id"].n_unique() == events.height == 60
    kept = dict(events.select("event_id", "timestamp").iter_rows())
    wanted = pl.concat([first, moved, earlier]).group_by("event_id").agg(pl.col("timestamp").min())
    assert kept == dict(wanted.iter_rows())
    whole = tmp_path / "whole"
    ingest(whole, written(whole, pl.concat([first, moved, earlier])), now=NOW)
    assert day_bytes(whole) == day_bytes(tmp_path)


def test_spilled_days_are_the_same_bytes(tmp_path: Path) -> None:
    log = pl.concat([toy_log(300), toy_log(300, seed=1)])
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    ingest(one, written(one / "raw", log), now=NOW)
    two.mkdir()
    params = written(two / "raw", log.head(400), "a.parquet")
    written(two / "raw", log.tail(200), "b.parquet")
    ingest(two, params, now=NOW, buffer_rows=50)
    assert day_bytes(one) == day_bytes(two)
    assert not (two / ".chronotope" / "ingest").exists()


def test_days_in_order_are_written_once_and_moved_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = toy_log(300)
    twice = pl.concat([log.head(40), log]).sort("timestamp", maintain_order=True)
    params = written(tmp_path / "raw", twice)
    ingest(tmp_path / "whole", params, now=NOW)
    again: list[str] = []
    real = merge.write_day
    monkeypatch.setattr(merge, "write_day", lambda path, events: again.append(path.name) or real(path, events))
    report = ingest(tmp_path, params, now=NOW, buffer_rows=50)
    assert again == ["day=2025-01-10.parquet"]  # the last day: nothing said that it was over
    assert (report.rows_in, report.kept, report.duplicates, report.days_written) == (340, 300, 40, 5)
    assert day_bytes(tmp_path) == day_bytes(tmp_path / "whole")


@pytest.mark.parametrize("buffer_rows", [20, 50])
def test_events_that_come_for_a_day_that_was_over_are_merged(tmp_path: Path, buffer_rows: int) -> None:
    log = toy_log(300)
    late = toy_log(30, days=2, seed=4)
    whole = tmp_path / "whole"
    ingest(whole, written(tmp_path / "one", pl.concat([log, late])), now=NOW)
    params = written(tmp_path / "two", log, "a.parquet")
    written(tmp_path / "two", pl.concat([late, log.head(25)]), "b.parquet")
    report = ingest(tmp_path, params, now=NOW, buffer_rows=buffer_rows)
    assert report.rows_in == report.kept + report.duplicates == 355
    assert report.duplicates >= 25
    assert day_bytes(tmp_path) == day_bytes(whole)


def test_a_gap_of_days_and_one_user_are_a_log(tmp_path: Path) -> None:
    log = toy_log(40, days=2).with_columns(pl.lit("me").alias("user_id"), pl.lit(None, pl.String).alias("text"))
    far = log.with_columns(pl.col("timestamp") + pl.duration(days=9))
    report = ingest(tmp_path, written(tmp_path / "raw", pl.concat([log, far])), now=NOW)
    assert report.kept + report.duplicates == 80
    days = list(day_files(tmp_path / "data" / "events"))
    assert (days[0], days[-1], len(days)) == (START.date(), dt.date(2025, 1, 16), 4)


def test_a_foreign_or_damaged_file_among_the_days_is_named(tmp_path: Path) -> None:
    params = written(tmp_path / "raw", toy_log())
    ingest(tmp_path, params, now=NOW)
    day = tmp_path / "data" / "events" / "day=2025-01-06.parquet"
    day.write_bytes(day.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="2025-01-06"):
        ingest(tmp_path, written(tmp_path / "more", toy_log(seed=2)), now=NOW)
    (tmp_path / "data" / "events" / "notes.txt").write_text("mine")
    with pytest.raises(IntegrityError, match=r"notes\.txt"):
        read_events(tmp_path)


def test_catalogue_files_are_always_there(tmp_path: Path) -> None:
    ingest(tmp_path, written(tmp_path / "raw", toy_log()), now=NOW)
    assert pl.read_parquet(tmp_path / "data" / "catalogue" / "items.parquet").height == 0
    assert pl.read_parquet(tmp_path / "data" / "catalogue" / "users.parquet").columns == ["user_id"]


def test_newer_attributes_replace_older_ones(tmp_path: Path) -> None:
    frame = toy_log()
    items = tmp_path / "items.csv"
    items.write_text("item_id,title,price,tags\ni1,Old,2,a|b\ni2,Kept,3,\n")
    params = written(tmp_path / "raw", frame)
    source = params.events.source.model_copy(update={"catalogue": str(items)})
    params = params.model_copy(update={"events": params.events.model_copy(update={"source": source})})
    ingest(tmp_path, params, now=NOW)
    items.write_text("item_id,title,price,tags\ni1,New,2.5,c\n")
    assert not is_up_to_date(tmp_path, params)
    ingest(tmp_path, params, now=NOW)
    table = pl.read_parquet(tmp_path / "data" / "catalogue" / "items.parquet")
    assert table.select("item_id", "title", "price", "tags").rows() == [
        ("i1", "New", 2.5, ["c"]),
        ("i2", "Kept", 3.0, None),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((pl.col("timestamp").dt.epoch("us") / 1000).cast(pl.Int64).alias("timestamp"), "times in the declared unit"),
        (pl.col("latitude").radians().alias("latitude"), "radians"),
        ((pl.col("latitude") * 1e7).alias("latitude"), "1e-7"),
        (pl.col("longitude").alias("latitude"), "exchanged"),
    ],
)
def test_a_log_in_another_unit_is_refused_whole(tmp_path: Path, change: pl.Expr, message: str) -> None:
    log = toy_log().filter(pl.col("latitude").is_not_nan())
    beijing = log.with_columns(pl.lit(39.9).alias("latitude"), pl.lit(116.4).alias("longitude"))
    if message == "exchanged":
        log = beijing.with_columns(pl.lit(39.9).alias("longitude"), pl.lit(116.4).alias("latitude"))
    elif message == "radians":
        log = log.with_columns(pl.col("longitude").radians(), pl.col("latitude").radians())
    elif message == "1e-7":
        log = log.with_columns((pl.col("longitude") * 1e7).alias("longitude"), change)
    else:
        log = log.with_columns(change)
    params = written(tmp_path / "raw", log)
    source = params.events.source.model_copy(update={"options": {"time_unit": "s"}})
    params = params.model_copy(update={"events": params.events.model_copy(update={"source": source})})
    with pytest.raises(SchemaError, match=message):
        ingest(tmp_path, params, now=NOW)
    assert not (tmp_path / "data" / "events").exists()
    assert not (tmp_path / "data" / "quarantine").exists()

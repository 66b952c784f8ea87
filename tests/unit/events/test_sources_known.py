"""Known data sets in the layouts that their publishers use, each on a few made-up lines."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import pytest

from components.errors import ConfigError, SchemaError
from components.events.load import Loaded, load_frame, with_source
from tests.eventlog import NOW, log_params


def load(name: str, path: Path, **source: Any) -> Loaded:
    return load_frame(with_source(log_params(source), name, path), now=NOW)


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc,arg-type]


def test_recbole_with_attributes_beside(tmp_path: Path) -> None:
    (tmp_path / "toy.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t3\t4\t881250949\n7\t4\t2.5\t881250950\n"
    )
    (tmp_path / "toy.item").write_text(
        'item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n3\t"Quoted" film\t1995\tDrama War\n'
    )
    (tmp_path / "toy.user").write_text("user_id:token\tage:token\n7\t24\n")
    for path in (tmp_path, tmp_path / "toy.inter"):
        found = load("recbole", path)
        assert found.events.select("user_id", "item_id", "action", "timestamp", "value").row(0) == (
            "7", "3", "rate", utc(1997, 12, 4, 15, 55, 49), 4.0,
        )  # fmt: skip
        assert found.items.select("item_id", "title", "category", "tags").rows() == [
            ("3", '"Quoted" film', "Drama", ["Drama", "War"])
        ]
        assert found.users.rows() == [("7", "24")]
    (tmp_path / "toy.inter").write_text("user_id:token\titem_id:token\n7\t3\n")
    with pytest.raises(SchemaError, match="`timestamp`"):
        load("recbole", tmp_path)


def test_movielens_in_its_three_layouts(tmp_path: Path) -> None:
    one, hundred, csv = (tmp_path / name for name in ("1m", "100k", "csv"))
    for folder in (one, hundred, csv):
        folder.mkdir()
    (one / "ratings.dat").write_text("1::1193::5::978300760\n1::661::3::978302109\nbroken::line\n")
    (one / "movies.dat").write_bytes("661::Café (1996)::Animation|Musical\n".encode("latin-1"))
    (one / "users.dat").write_text("1::F::1::10::48067\n")
    (hundred / "u.data").write_text("1\t1193\t5\t978300760\n1\t661\t3\t978302109\n")
    flags = ["0"] * 19
    flags[3] = flags[12] = "1"
    (hundred / "u.item").write_bytes(f"661|Café (1996)|01-Jan-1996||http://x|{'|'.join(flags)}\n".encode("latin-1"))
    (hundred / "u.user").write_text("1|1|F|10|48067\n")
    (csv / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1193,5.0,978300760\n1,661,3.0,978302109\n")
    (csv / "movies.csv").write_text("movieId,title,genres\n661,Café (1996),Animation|Musical\n")
    logs = [load("movielens", folder) for folder in (one, hundred, csv)]
    for found in logs:
        assert found.events.equals(logs[0].events)
        assert found.items.select("item_id", "title", "tags").rows() == [
            ("661", "Café (1996)", ["Animation", "Musical"])
        ]
    assert logs[0].events["timestamp"][0] == utc(2000, 12, 31, 22, 12, 40)
    assert logs[0].events["value"].to_list() == [5.0, 3.0]
    assert logs[0].rejected["rule"].to_list() == ["malformed_line"]
    assert logs[0].users.row(0, named=True)["zip_code"] == logs[1].users.row(0, named=True)["zip_code"] == "48067"


def test_sequences_have_positions_for_times(tmp_path: Path) -> None:
    (tmp_path / "sequences.txt.gz").write_bytes(gzip.compress(b"1 5\n1 9\n2 5\n1 5\nonly-one-field\n"))
    (tmp_path / "movies.dat").write_text("900::Heat (1995)::Action\n")
    (tmp_path / "original_items.txt").write_text("9 900\n5 500\n")
    found = load("sequences", tmp_path)
    first = found.events.filter(found.events["user_id"] == "1")
    assert first["item_id"].to_list() == ["5", "9", "5"]
    assert first["timestamp"].to_list() == [utc(1970, 1, 1, 0, 0, k) for k in range(3)]
    assert found.rejected["rule"].to_list() == ["malformed_line"]
    assert found.items.select("item_id", "title").rows() == [("9", "Heat (1995)")]
    assert with_source(log_params(), "sequences", tmp_path).events.time_kind == "ordinal"


RAW = "470\t49bbd6c0\t4bf5\tArts & Crafts Caf\xe9\t40.7198\t-74.0025\t-240\tTue Apr 03 18:00:09 +0000 2012\n"
KAGGLE = (
    "userId,venueId,venueCategoryId,venueCategory,latitude,longitude,timezoneOffset,utcTimestamp\n"
    "470,49bbd6c0,4bf5,Arts & Crafts Café,40.7198,-74.0025,-240,Tue Apr 03 18:00:09 +0000 2012\n"
)
GETNEXT = (
    "user_id,POI_id,POI_catid,POI_catname,latitude,longitude,timezone,UTC_time,local_time,trajectory_id\n"
    "470,49bbd6c0,4bf5,Arts & Crafts Café,40.7198,-74.0025,-240,2012-04-03 18:00:09+00:00,2012-04-03 14:00:09,470_1\n"
)


@pytest.mark.parametrize(
    ("name", "content", "session"),
    [
        ("dataset_TSMC2014_NYC.txt", RAW.encode("latin-1"), None),
        ("kaggle.csv", KAGGLE.encode(), None),
        ("train.csv.gz", gzip.compress(GETNEXT.encode()), "470_1"),
    ],
)
def test_foursquare_in_its_three_layouts(tmp_path: Path, name: str, content: bytes, session: str | None) -> None:
    (tmp_path / name).write_bytes(content)
    found = load("foursquare", tmp_path)
    event = found.events.row(0, named=True)
    assert (event["user_id"], event["item_id"], event["action"]) == ("470", "49bbd6c0", "checkin")
    assert event["timestamp"] == utc(2012, 4, 3, 18, 0, 9)
    assert (event["utc_offset_min"], event["latitude"], event["longitude"]) == (-240, 40.7198, -74.0025)
    assert event["session_id"] == session
    item = found.items.row(0, named=True)
    assert (item["category"], item["latitude"], item["longitude"]) == ("Arts & Crafts Café", 40.7198, -74.0025)


def test_taobao_names_its_actions(tmp_path: Path) -> None:
    rows = [f"1,{k},77,{kind},151184889{k}\n" for k, kind in enumerate(["pv", "cart", "fav", "buy", "odd"])]
    (tmp_path / "UserBehavior.csv").write_text("".join(rows))
    found = load("taobao", tmp_path)
    assert found.events["action"].to_list() == ["view", "cart", "like", "purchase"]
    assert found.events["timestamp"][0] == utc(2017, 11, 28, 6, 1, 30)
    assert found.rejected["rule"].to_list() == ["action_unknown"]
    assert set(found.items["category"]) == {"77"}


@pytest.mark.parametrize("release", [1, 2])
def test_online_retail_in_both_releases(tmp_path: Path, release: int) -> None:
    header = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
    time = "2010-07-01 08:26:00"
    if release == 1:
        header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
        time = "7/1/2010 8:26"
    lines = [f'536365,85123A," HOLDER, WHITE",6,{time},2.55,17850.0,United Kingdom',
             f'C536366,85123A,"HOLDER, WHITE",-1,{time},2.55,17850,United Kingdom',
             f"536367,22633,WARMER,6,{time},1.85,,France"]  # fmt: skip
    (tmp_path / "retail.csv").write_text("\n".join([header, *lines]) + "\n")
    found = load("online_retail", tmp_path)
    events = found.events.sort("action").select("user_id", "action", "value", "session_id")
    assert events.rows() == [("17850", "purchase", 6 * 2.55, "536365"), ("17850", "return", -2.55, "C536366")]
    assert found.events["timestamp"][0] == utc(2010, 7, 1, 7, 26), "the shop's clock is London's"
    assert found.rejected["rule"].to_list() == ["user_id_missing"]
    assert found.items.filter(found.items["item_id"] == "85123A").select("title", "text", "price").row(0) == (
        "HOLDER, WHITE", "HOLDER, WHITE", 2.55,
    )  # fmt: skip
    assert found.users.rows() == [("17850", "United Kingdom")]


def test_marked_streams_keep_equal_entries_and_name_users_by_file(tmp_path: Path) -> None:
    line = '{"time_since_start": [0.0, 0.5, 0.5], "time_since_last_event": [0, 0.5, 0], "type_event": [3, 1, 1]}\n'
    (tmp_path / "train.jsonl").write_text(line * 2 + '{"time_since_start": [0.0], "type_event": [1, 2]}\n')
    (tmp_path / "dev.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    found = load("marked_streams", tmp_path)
    assert (found.rows_in, found.events.height, found.duplicates) == (10, 9, 0)
    assert found.rejected["rule"].to_list() == ["malformed_line"]
    user = found.events.filter(found.events["user_id"] == "train-1")
    assert user["item_id"].to_list() == user["action"].to_list() == ["type-3", "type-1", "type-1"]
    assert user["timestamp"].to_list() == [utc(1970, 1, 1), utc(1970, 1, 1, 0, 30), utc(1970, 1, 1, 0, 30)]
    other = load("marked_streams", tmp_path / "dev.jsonl.gz", options={"unit_s": 1, "origin": "2020-02-01"})
    assert other.events["timestamp"].max() == utc(2020, 2, 1, 0, 0, 0) + dt.timedelta(seconds=0.5)
    with pytest.raises(ConfigError, match="origin"):
        load("marked_streams", tmp_path, options={"origin": "someday"})


def test_marked_streams_count_times_from_the_gaps_where_that_is_asked(tmp_path: Path) -> None:
    line = '{"time_since_start": [7.0, 9.0, 9.0], "time_since_last_event": [0, 0.5, 0.25], "type_event": [3, 1, 1]}\n'
    (tmp_path / "train.jsonl").write_text(line * 2)
    found = load("marked_streams", tmp_path, options={"unit_s": 4, "times": "time_since_last_event"})
    user = found.events.filter(found.events["user_id"] == "train-1")
    assert user["timestamp"].to_list() == [utc(1970, 1, 1, 0, 0, second) for second in (0, 2, 3)]
    with pytest.raises(ConfigError, match="times"):
        load("marked_streams", tmp_path, options={"times": "dim_process"})


def test_answers_become_events(tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(
        "user_id,when,q1,q2,why\nann,2025-01-01,5,agree,because\nbob,2025-01-02,,disagree,\ncid,2025-01-03,4\n"
    )
    source = {
        "mapping": {"timestamp": "when"},
        "options": {"questions": ["q1", "q2", "why"], "scale": {"agree": 1, "disagree": -1}},
    }
    found = load("feedback", path, **source)
    assert found.events.sort("user_id", "item_id").select("user_id", "item_id", "action", "value", "text").rows() == [
        ("ann", "q1", "answer", 5.0, None),
        ("ann", "q2", "answer", 1.0, None),
        ("ann", "why", "answer", None, "because"),
        ("bob", "q2", "answer", -1.0, None),
    ]
    assert found.rejected["rule"].to_list() == ["malformed_line"]
    with pytest.raises(SchemaError, match="q9"):
        load("feedback", path, **source | {"options": {"questions": ["q9"]}})
    with pytest.raises(ConfigError, match="questions"):
        load("feedback", path, mapping=source["mapping"])


def test_the_city_runs_to_the_day_that_is_asked_for() -> None:
    params = log_params({"format": "city"})
    small = params.simulation.model_copy(update={"users": 30, "items": 40, "days": 3})
    params = params.model_copy(update={"simulation": small})
    found = load_frame(params, now=NOW)
    assert found.events["timestamp"].dt.date().max() <= dt.date(2025, 1, 8)
    assert found.items.height == 40
    assert found.users.height > 0
    longer = params.model_copy(update={"events": params.events.model_copy(update={"until": dt.date(2025, 1, 12)})})
    more = load_frame(longer, now=NOW).events
    assert more["timestamp"].dt.date().max() == dt.date(2025, 1, 11)
    assert found.events.join(more, on="event_key", how="anti").is_empty()

"""The real data sets, whole: rows, users and items as their description says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from components.events.ingest import ingest
from components.events.load import load_frame, with_source
from tests.eventlog import NOW, log_params

pytestmark = pytest.mark.real_data
SECONDS = {"constants": {"action": "rate"}, "options": {"time_unit": "s"}}
TAOBAO_STREAM = {"options": {"unit_s": 10_000, "origin": "1970-01-01"}}


@pytest.mark.parametrize(
    ("name", "path", "source", "rows", "users", "items", "first", "last"),
    [
        ("foursquare", "foursquare-nyc/train.csv.gz", {}, 83_625, 1_048, 4_968, "2012-04-03", None),
        ("foursquare", "foursquare-nyc/val.csv.gz", {}, 10_339, None, None, None, "2012-12-21"),
        ("recbole", "ml-100k", {}, 100_000, 943, 1_682, "1997-09-20", "1998-04-22"),
        ("sequences", "ml-1m", {}, 999_611, 6_040, 3_416, "1970-01-01", "1970-01-01"),
        ("tsv", "amazon-beauty/interactions.tsv.gz", SECONDS, 198_502, 22_363, 12_101, None, "2014-07-23"),
        ("tsv", "yelp-2019/interactions.tsv.gz", SECONDS, 316_354, 30_431, 20_033, "2019-01-01", None),
        ("online_retail", "online-retail", {}, 407_695, None, None, "2009-12-01", "2010-12-09"),
        ("taobao", "taobao-sample/UserBehavior.csv", {}, 10_000, 114, None, "2017-11-24", "2017-12-03"),
        ("marked_streams", "event-streams/taxi/dev.jsonl.gz", {}, None, 200, 10, "1970-01-01", None),
        ("marked_streams", "event-streams/taobao/test.jsonl.gz", TAOBAO_STREAM, None, 500, 17, None, "2017-12-03"),
    ],
)
def test_rows_users_items_and_days(
    real_data: Path,
    name: str,
    path: str,
    source: dict[str, Any],
    rows: int | None,
    users: int | None,
    items: int | None,
    first: str | None,
    last: str | None,
) -> None:
    found = load_frame(with_source(log_params(source), name, real_data / path), now=NOW)
    assert found.quarantined == 0
    assert found.rows_in == found.events.height + found.duplicates
    assert rows is None or found.rows_in == rows
    assert users is None or found.events["user_id"].n_unique() == users
    assert items is None or found.events["item_id"].n_unique() == items
    days = found.events["timestamp"].dt.date()
    assert first is None or days.min() == dt.date.fromisoformat(first)
    assert last is None or days.max() == dt.date.fromisoformat(last)


def test_attributes_describe_the_items_of_the_log(real_data: Path) -> None:
    for name, path in (("recbole", "ml-100k"), ("sequences", "ml-1m"), ("foursquare", "foursquare-nyc/train.csv.gz")):
        found = load_frame(with_source(log_params(), name, real_data / path), now=NOW)
        assert found.events.join(found.items, on="item_id", how="anti").is_empty(), name
        assert found.items["category"].null_count() < 0.01 * found.items.height, name  # 40 venues have none
    beauty = log_params(SECONDS | {"catalogue": str(real_data / "amazon-beauty" / "item_attributes.json")})
    found = load_frame(with_source(beauty, "tsv", real_data / "amazon-beauty" / "interactions.tsv.gz"), now=NOW)
    assert found.events.join(found.items, on="item_id", how="anti").is_empty()
    assert found.items["tags"].list.len().min() > 0  # type: ignore[operator]


def test_foursquare_in_two_ingests_is_one_log(real_data: Path, tmp_path: Path) -> None:
    kept = 0
    for name in ("val.csv.gz", "train.csv.gz"):
        params = with_source(log_params(), "foursquare", real_data / "foursquare-nyc" / name)
        report = ingest(tmp_path, params, now=NOW)
        assert report.rows_in == report.kept + report.duplicates
        kept += report.kept
    whole = load_frame(with_source(log_params(), "foursquare", real_data / "foursquare-nyc"), now=NOW)
    assert kept == whole.events.height
    again = ingest(tmp_path, with_source(log_params(), "foursquare", real_data / "foursquare-nyc"), now=NOW)
    assert (again.parts_skipped, again.kept, again.rows_in) == (2, 0, 93_964)

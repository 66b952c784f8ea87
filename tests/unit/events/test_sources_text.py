"""Delimited files and JSON Lines by mapping: streaming, gzip, drift, and what is said about broken files."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.errors import ChronotopeError, ConfigError, DataError, SchemaError
from components.events.load import Loaded, found_actions, load_frame, with_source
from components.params import Params
from tests.eventlog import NOW, log_params

CSV = """customer,sku,kind,ts,lat,lon,note
ann,1,pv,1735725600,48.85,2.35,"a, ""b""\nsecond line"
bob,2,buy,1735725660.5,,,
ann,1,pv,1735725600,48.85,2.35,"a, ""b""\nsecond line"
"""
MAPPING = {"user_id": "customer", "item_id": "sku", "action": "kind", "timestamp": "ts", "latitude": "lat",
           "longitude": "lon", "text": "note"}  # fmt: skip
ACTION_MAP = {"pv": "view", "buy": "purchase"}


def csv_params(path: Path, **source: Any) -> Params:
    base = {"path": str(path), "mapping": MAPPING, "options": {"time_unit": "s"}}
    return log_params(base | source, action_map=ACTION_MAP)


def load(params: Params, *files: Path) -> Loaded:
    return load_frame(params, *files, now=NOW)


def test_any_csv_by_mapping(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV)
    found = load(csv_params(path))
    assert (found.rows_in, found.events.height, found.duplicates) == (3, 2, 1)
    first, second = found.events.rows(named=True)
    assert (first["user_id"], first["item_id"], first["action"]) == ("ann", "1", "view")
    assert first["timestamp"] == dt.datetime(2025, 1, 1, 10, tzinfo=dt.UTC)
    assert (first["latitude"], first["longitude"]) == (48.85, 2.35)
    assert first["text"] == 'a, "b"\nsecond line'
    assert second["timestamp"] == dt.datetime(2025, 1, 1, 10, 1, 0, 500_000, tzinfo=dt.UTC)
    assert second["latitude"] is None


def test_gzip_tabs_bom_and_latin_1_are_read(tmp_path: Path) -> None:
    text = CSV.replace('"a, ""b""\nsecond line"', "é")
    plain, packed = tmp_path / "a.csv", tmp_path / "b.tsv.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + text.encode())
    packed.write_bytes(gzip.compress(text.replace(",", "\t").encode("latin-1")))
    one = load(csv_params(plain))
    two = load(csv_params(packed, options={"time_unit": "s", "encoding": "latin-1"}))
    assert one.events.equals(two.events)
    assert one.events["text"][0] == "é"


def test_many_blocks_are_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    rows = [f"u{k},{k % 9},view,{1_735_725_600 + k},,,\n" for k in range(3000)]
    path.write_text(CSV.splitlines()[0] + "\n" + "".join(rows))
    whole = load(csv_params(path, order="file"))
    monkeypatch.setattr("components.events.sources.text._BLOCK", 1 << 12)
    parts = load(csv_params(path, order="file"))
    assert whole.events.equals(parts.events)
    assert whole.events["source_seq"].to_list() == list(range(3000))


def test_row_numbers_only_where_they_are_declared(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV)
    assert load(csv_params(path)).events["source_seq"].null_count() == 2
    assert load(csv_params(path, order="file")).events["source_seq"].to_list() == [0, 1]


def test_a_file_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("ann,1,2025-01-01\nbob,2,2025-01-02\n")
    params = log_params(
        {"path": str(path), "constants": {"action": "view"},
         "options": {"header": False, "columns": ["user_id", "item_id", "timestamp"]}}
    )  # fmt: skip
    assert load(params).events["user_id"].to_list() == ["ann", "bob"]


def test_a_broken_line_goes_to_quarantine_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV + "eve,3,pv\n" + "eve,3,pv,1735725600,,,,,too many\n")
    found = load(csv_params(path))
    assert (found.rows_in, found.quarantined) == (5, 2)
    assert set(found.rejected["rule"]) == {"malformed_line"}
    assert any("too many" in record for record in found.rejected["record"])


def test_an_unreadable_time_is_shown_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV + "eve,3,pv,noon,,,\neve,3,pv,,,,\n")
    found = load(csv_params(path))
    assert found.rejected["rule"].to_list() == ["timestamp_not_a_time", "timestamp_missing"]
    assert json.loads(found.rejected["record"][0])["unread_timestamp"] == "noon"


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        ("2025-03-30T01:30:00", {}, dt.datetime(2025, 3, 30, 1, 30)),
        ("2025-03-30 01:30", {}, dt.datetime(2025, 3, 30, 1, 30)),
        ("2025-03-30", {}, dt.datetime(2025, 3, 30)),
        ("2025-03-30T01:30:00.250Z", {}, dt.datetime(2025, 3, 30, 1, 30, 0, 250_000)),
        ("2025-03-30T01:30:00+0200", {}, dt.datetime(2025, 3, 29, 23, 30)),
        ("2025-03-30 01:30:00-05:00", {}, dt.datetime(2025, 3, 30, 6, 30)),
        ("2025-03-30 03:30:00", {"time_zone": "Europe/Paris"}, dt.datetime(2025, 3, 30, 1, 30)),
        ("2024-10-27 02:30:00", {"time_zone": "Europe/Paris"}, dt.datetime(2024, 10, 27, 0, 30)),
        ("30/03/2025 01.30", {"time_format": "%d/%m/%Y %H.%M"}, dt.datetime(2025, 3, 30, 1, 30)),
        ("1743298200", {"time_unit": "s"}, dt.datetime(2025, 3, 30, 1, 30)),
        ("1743298200000", {"time_unit": "ms"}, dt.datetime(2025, 3, 30, 1, 30)),
        ("1743298200000000", {"time_unit": "us"}, dt.datetime(2025, 3, 30, 1, 30)),
        ("1743298200000000000", {"time_unit": "ns"}, dt.datetime(2025, 3, 30, 1, 30)),
    ],
)
def test_times_as_logs_write_them(tmp_path: Path, text: str, options: dict[str, str], wanted: dt.datetime) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"user_id,item_id,action,timestamp\nu,i,view,{text}\nu,i,like,{text}\n")
    found = load(log_params({"path": str(path), "options": options}))
    assert found.events["timestamp"].to_list() == [wanted.replace(tzinfo=dt.UTC)] * 2


def test_an_hour_that_does_not_exist_is_no_time(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,action,timestamp\nu,i,view,2025-03-30 02:30:00\nu,i,view,2025-03-30 03:30:00\n")
    found = load(log_params({"path": str(path), "options": {"time_zone": "Europe/Paris"}}))
    assert found.rejected["rule"].to_list() == ["timestamp_not_a_time"]


def test_mixed_iso_forms_in_one_column(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    times = ["2025-01-01", "2025-01-01T01:00:00Z", "2025-01-01 02:00:00", "nonsense"]
    path.write_text("user_id,item_id,action,timestamp\n" + "".join(f"u,i,view,{text}\n" for text in times))
    found = load(log_params({"path": str(path)}))
    assert [time.hour for time in found.events["timestamp"]] == [0, 1, 2]
    assert found.quarantined == 1


def test_a_folder_is_all_its_files_by_name(tmp_path: Path) -> None:
    head, *rows = CSV.replace('"a, ""b""\nsecond line"', "x").splitlines(keepends=True)
    (tmp_path / "b.csv").write_text(head + rows[1])
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((head + rows[0]).encode()))
    (tmp_path / "readme.md").write_text("not a log")
    assert load(csv_params(tmp_path)).events["user_id"].to_list() == ["ann", "bob"]


def test_attributes_from_columns_of_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,action,timestamp,name,price,city\n"
                    "u,1,view,2025-01-01,Tea,2,Rome\nu,1,view,2025-01-02,Tea,4,Rome\n"
                    "v,1,view,2025-01-03,Teas,9,\n")  # fmt: skip
    options = {"item_mapping": {"title": "name", "price": "price"}, "user_mapping": {"town": "city"}}
    found = load(log_params({"path": str(path), "options": options}))
    assert found.items.select("item_id", "title", "price").rows() == [("1", "Tea", 4.0)]
    assert found.users.select("user_id", "town").rows() == [("u", "Rome"), ("v", "")]


def test_a_json_object_is_a_catalogue(tmp_path: Path) -> None:
    path, items = tmp_path / "log.csv", tmp_path / "items.json"
    path.write_text(CSV)
    items.write_text('{"1": [4, 7], "2": [4]}')
    found = load(csv_params(path, catalogue=str(items)))
    assert found.items.select("item_id", "tags").rows() == [("1", ["4", "7"]), ("2", ["4"])]


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("customer,", "Customer_Id,", SchemaError, "perhaps Customer_Id is customer"),
        ("kind,", "event,", SchemaError, "`kind`"),
        ("sku,kind", "sku,sku", SchemaError, "more than once"),
    ],
)
def test_drifted_columns_are_named_with_a_guess(
    tmp_path: Path, old: str, new: str, error: type[ChronotopeError], message: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV.replace(old, new, 1))
    with pytest.raises(error, match=message) as raised:
        load(csv_params(path))
    assert raised.value.do


def test_a_new_column_changes_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    text = CSV.replace('"a, ""b""\nsecond line"', "x")
    one.write_text(text)
    two.write_text("\n".join(f"{line},extra" for line in text.splitlines()) + "\n")
    assert load(csv_params(one)).events.equals(load(csv_params(two)).events)


def test_a_unit_must_be_declared_and_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV.replace("1735725600", "1735725600000").replace("1735725660.5", "1735725660500"))
    with pytest.raises(SchemaError, match="ms by their size"):
        load(csv_params(path, options={}))
    with pytest.raises(SchemaError, match="a thousand times too late"):
        load(csv_params(path))


def test_broken_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with pytest.raises(DataError, match="nothing there"):
        load(csv_params(path))
    path.write_text("")
    with pytest.raises(DataError, match="an empty file"):
        load(csv_params(path))
    path.write_bytes(CSV.replace("ann", "änn").encode("latin-1"))
    with pytest.raises(SchemaError, match="encoding"):
        load(csv_params(path))
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(CSV.encode() * 500)[:-40])
    with pytest.raises(DataError, match="truncated"):
        load(csv_params(packed))
    with pytest.raises(DataError, match=r"log\.csv beside it"):
        load(csv_params(tmp_path / "logs.csv"))
    path.write_text(CSV.splitlines()[0] + "\n")
    with pytest.raises(DataError, match="none of them sound"):
        load(csv_params(path))


def test_wrong_options_and_mappings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV)
    with pytest.raises(ConfigError, match="perhaps separator was meant"):
        load(csv_params(path, options={"seperator": ";"}))
    with pytest.raises(ConfigError, match="`colour`"):
        load(csv_params(path, mapping={"colour": "kind"}))
    with pytest.raises(ConfigError, match="a format at"):
        load(csv_params(path, format="xls"))
    with pytest.raises(ConfigError, match="Europe"):
        load(csv_params(path, options={"time_unit": "s", "time_zone": "Mars"}))
    with pytest.raises(ConfigError, match="LOG_FOLDER"):
        load(csv_params(Path("${LOG_FOLDER}/log.csv")))
    monkeypatch.setenv("LOG_FOLDER", str(tmp_path))
    assert load(csv_params(Path("${LOG_FOLDER}/log.csv"))).rows_in == 3


def json_lines(path: Path, *records: Any) -> None:
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in records) + "\n")


def test_json_lines_with_nested_fields_and_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    good = {
        "who": {"id": "ann"},
        "item_id": 7,
        "action": "view",
        "at": "2025-01-01T10:00:00Z",
        "geo": {"lat": 41.5, "lon": 2.5},
    }
    json_lines(path, good, "{not json", good | {"who": None, "item_id": 8}, "[1]", good | {"item_id": 9, "geo": {}})
    mapping = {"user_id": "who.id", "timestamp": "at", "latitude": "geo.lat", "longitude": "geo.lon"}
    found = load(log_params({"format": "jsonlines", "path": str(path), "mapping": mapping}))
    assert found.events.sort("item_id").select("user_id", "item_id", "latitude").rows() == [
        ("ann", "7", 41.5),
        ("ann", "9", None),
    ]
    assert sorted(found.rejected["rule"]) == ["malformed_line", "malformed_line", "user_id_missing"]
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert load(log_params({"format": "jsonlines", "path": str(packed), "mapping": mapping})).events.equals(
        found.events
    )


def test_json_lines_drift(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    json_lines(path, {"userId": "a", "item_id": "1", "action": "view", "timestamp": "2025-01-01"})
    with pytest.raises(SchemaError, match="perhaps userId is user_id"):
        load(log_params({"format": "jsonlines", "path": str(path)}))
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SchemaError, match="one JSON object per line"):
        load(log_params({"format": "jsonlines", "path": str(path)}))


def test_parquet_by_mapping_reads_types_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    times = [dt.datetime(2025, 1, 1, 10), dt.datetime(2025, 1, 1, 11)]
    pl.DataFrame({"customer": [1, 2], "item_id": ["a", None], "action": ["view", "view"], "t": times, "z": [[1], [2]]},
                 schema_overrides={"action": pl.Categorical}).write_parquet(path)  # fmt: skip
    params = log_params(
        {"format": "parquet", "path": str(path), "mapping": {"user_id": "customer", "timestamp": "t"},
         "options": {"time_zone": "Europe/Paris"}}
    )  # fmt: skip
    found = load(params)
    assert found.events.select("user_id", "action").rows() == [("1", "view")]
    assert found.events["timestamp"][0] == dt.datetime(2025, 1, 1, 9, tzinfo=dt.UTC)
    assert found.rejected["rule"].to_list() == ["item_id_missing"]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="whole Parquet file"):
        load(params)


def test_a_log_may_have_only_an_order(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\na,1\nb,1\na,2\n,9\na,3\n")
    source = {"path": str(path), "constants": {"action": "view"}}
    found = load(log_params(source, time_kind="ordinal"))
    start = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    ann = found.events.filter(pl.col("user_id") == "a")
    assert ann["item_id"].to_list() == ["1", "2", "3"]
    assert ann["timestamp"].to_list() == [start + dt.timedelta(seconds=k) for k in range(3)]
    assert found.rejected["rule"].to_list() == ["user_id_missing"]


def test_positions_go_on_from_block_to_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.events.sources.text._BLOCK", 1 << 10)
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\n" + "".join(f"u{k % 3},{k}\n" for k in range(900)))
    found = load(log_params({"path": str(path), "constants": {"action": "view"}}, time_kind="ordinal"))
    for _, events in found.events.group_by("user_id"):
        assert events["item_id"].cast(pl.Int64).is_sorted()
        assert events["timestamp"].n_unique() == 300


def test_actions_are_found_and_several_files_are_one_log(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text(CSV)
    two.write_text(CSV.replace("ann", "cid"))
    params = with_source(csv_params(one), "csv", one)
    assert params.events.actions == found_actions(params) == ["purchase", "view"]
    assert set(load(params, one, two).events["user_id"]) == {"ann", "bob", "cid"}

"""Schema drift: a clear error before any row is read."""

from __future__ import annotations

import polars as pl
import pytest

from components.errors import DataError, IntegrityError, SchemaError
from components.events.snapshot import Snapshot
from tests.unit.validation.snapshots import FIRST, clean_events, write_days


def open_with(root, change) -> Snapshot:
    folder = write_days(root, clean_events(days=3)) / "data" / "events"
    last = sorted(folder.glob("*.parquet"))[-1]
    change(pl.read_parquet(last, hive_partitioning=False)).write_parquet(last)
    return Snapshot.of(folder, None)


def test_a_clean_snapshot_opens(tmp_path) -> None:
    assert open_with(tmp_path, lambda rows: rows).rows == 180


def test_a_missing_column(tmp_path) -> None:
    with pytest.raises(
        SchemaError, match=r"Needed the column `duration_s` in .*day=2025-01-08\.parquet; found"
    ) as error:
        open_with(tmp_path, lambda rows: rows.drop("duration_s"))
    assert "renamed" not in str(error.value)
    assert "events.source.mapping" in error.value.do


def test_a_renamed_column_is_guessed(tmp_path) -> None:
    with pytest.raises(SchemaError, match="was it renamed to `lattitude`"):
        open_with(tmp_path, lambda rows: rows.rename({"latitude": "lattitude"}))


def test_a_new_column(tmp_path) -> None:
    with pytest.raises(SchemaError, match=r"only the columns of the contract.*found also mood"):
        open_with(tmp_path, lambda rows: rows.with_columns(mood=pl.lit("fine")))


@pytest.mark.parametrize(
    ("column", "dtype"), [("latitude", pl.Float32), ("timestamp", pl.Int64), ("user_id", pl.Categorical)]
)
def test_another_type(tmp_path, column, dtype) -> None:
    with pytest.raises(SchemaError, match=f"Needed `{column}` as"):
        open_with(tmp_path, lambda rows: rows.with_columns(pl.col(column).cast(dtype)))


def test_no_event_at_all(tmp_path) -> None:
    with pytest.raises(DataError, match="at least one event; found none"):
        Snapshot.of(tmp_path, None)
    folder = write_days(tmp_path, clean_events(days=1)) / "data" / "events"
    with pytest.raises(DataError, match=f"before {FIRST}"):
        Snapshot.of(folder, FIRST)
    empty = folder / f"day={FIRST}.parquet"
    pl.read_parquet(empty, hive_partitioning=False).clear().write_parquet(empty)
    with pytest.raises(DataError, match="found none"):
        Snapshot.of(folder, None)


def test_a_damaged_file(tmp_path) -> None:
    folder = write_days(tmp_path, clean_events(days=2)) / "data" / "events"
    (folder / f"day={FIRST}.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(IntegrityError, match=f"a whole Parquet file at .*{FIRST}"):
        Snapshot.of(folder, None)


def test_a_file_that_is_no_day(tmp_path) -> None:
    folder = write_days(tmp_path, clean_events(days=1)) / "data" / "events"
    (folder / "day=today.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="YYYY-MM-DD"):
        Snapshot.of(folder, None)

"""The digest of an event: stable for ever, blind to chunks, deaf to what is not identity."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.errors import ConfigError
from components.events.contract import conform
from components.events.keys import event_keys, text_digests
from tests.eventlog import NOW, log_params, toy_log

PARAMS = log_params().events


def keys(frame: pl.DataFrame) -> list[int]:
    return conform(frame, PARAMS, NOW)[0]["event_key"].to_list()


def test_known_digests() -> None:
    texts = pl.Series(["", "a", "user0001", "user00010", "é" * 40, "a\x00", "a"])
    found = text_digests(texts)
    assert found.tolist() == [
        16294208416658607535,
        10361829843645232397,
        5148629501302259096,
        8883013577568620876,
        15555704643945761885,
        8174593624705261660,
        10361829843645232397,
    ]
    assert len(set(found[:6].tolist())) == 6
    assert found[1] == found[6]


def test_a_key_depends_on_its_row_alone() -> None:
    frame = toy_log(500)
    whole = keys(frame)
    parts = [key for part in frame.iter_slices(7) for key in keys(part)]
    assert whole == parts
    shuffled = frame.with_row_index().sample(fraction=1.0, shuffle=True, seed=3)
    assert [whole[k] for k in shuffled["index"]] == keys(shuffled.drop("index"))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = toy_log(300)
    whole = keys(frame)
    monkeypatch.setattr("components.events.keys._BLOCK_ROWS", 13)
    assert keys(frame) == whole


@pytest.mark.parametrize("column", PARAMS.identity)
def test_every_identity_column_changes_the_key(column: str) -> None:
    frame = conform(toy_log(3).head(1), PARAMS, NOW)[0]
    other = {
        pl.String: pl.lit("other"),
        pl.Float64: pl.lit(1.25),
        pl.Datetime("us", "UTC"): pl.col("timestamp") + pl.duration(microseconds=1),
    }[frame.schema[column]]
    changed = frame.with_columns(other.cast(frame.schema[column]).alias(column))
    assert event_keys(frame, PARAMS.identity)[0] != event_keys(changed, PARAMS.identity)[0]


def test_order_and_offset_are_no_identity() -> None:
    frame = toy_log(20)
    changed = frame.with_columns(pl.col("source_seq") + 5, pl.lit(60).alias("utc_offset_min"))
    assert keys(frame) == keys(changed)


def test_missing_is_not_zero_and_minus_zero_is_zero() -> None:
    base = toy_log(3).head(1).drop("value")
    found = [keys(base.with_columns(pl.lit(v, dtype=pl.Float64).alias("value")))[0] for v in (None, 0.0, -0.0, np.nan)]
    assert found[1] == found[2]
    assert found[0] == found[3] == keys(base)[0]
    assert found[0] != found[1]


def test_exchanged_values_are_another_event() -> None:
    base = toy_log(3).head(1).drop("text")
    one = base.with_columns(pl.lit("a").alias("device"), pl.lit("b").alias("text"))
    two = base.with_columns(pl.lit("b").alias("device"), pl.lit("a").alias("text"))
    assert keys(one) != keys(two)


def test_an_event_id_is_the_identity_where_there_is_one() -> None:
    frame = toy_log(4).with_columns(pl.Series("event_id", ["x", "x", None, "y"]))
    found = keys(frame)
    assert found[0] == found[1]
    assert len({found[0], found[2], found[3]}) == 3
    assert found[2] == keys(toy_log(4))[2]


def test_no_collisions_among_many() -> None:
    texts = pl.Series([f"{prefix}{k}" for prefix in ("u", "user-", "a-rather-long-prefix-") for k in range(100_000)])
    assert len(np.unique(text_digests(texts))) == 300_000


def test_an_unknown_identity_is_refused() -> None:
    with pytest.raises(ConfigError, match="colour"):
        event_keys(conform(toy_log(2), PARAMS, NOW)[0], ["user_id", "colour"])

"""Any way of arriving at the same events ends in the same bytes."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.events.ingest import ingest
from tests.eventlog import NOW, day_bytes, log_params, toy_log

_CACHE: dict[bool, dict[str, bytes]] = {}


def a_log(ids: bool) -> pl.DataFrame:
    """Ties, duplicates that differ outside their identity, and dirt; with ids, one event also on several days."""
    log = toy_log(80, days=3)
    again = log.head(25).with_columns(pl.col("source_seq") + 7, pl.lit(60).alias("utc_offset_min"))
    dirt = log.tail(5).with_columns(pl.lit("").alias("user_id"))
    frame = pl.concat([log, again, dirt, log.tail(9)], how="diagonal")
    if ids:
        moved = frame.head(30).with_columns(pl.col("timestamp") + pl.duration(days=1), pl.lit("other").alias("text"))
        frame = pl.concat([frame, moved])
        frame = frame.with_columns(pl.format("e{}", pl.col("source_seq") % 40).alias("event_id"))
    return frame


def reference(ids: bool) -> dict[str, bytes]:
    if ids not in _CACHE:
        root = Path(tempfile.mkdtemp())
        try:
            a_log(ids).write_parquet(root / "log.parquet")
            ingest(root, log_params({"format": "parquet", "path": str(root / "log.parquet")}), now=NOW)
            _CACHE[ids] = day_bytes(root)
        finally:
            shutil.rmtree(root)
    return _CACHE[ids]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ids=st.booleans(),
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, 130), max_size=4),
    together=st.booleans(),
    buffer_rows=st.sampled_from([1, 17, 1_000_000]),
    group=st.integers(1, 200),
)
def test_order_files_chunks_and_splits_never_show(
    ids: bool, seed: int, cuts: list[int], together: bool, buffer_rows: int, group: int
) -> None:
    frame = a_log(ids).sample(fraction=1.0, shuffle=True, seed=seed)
    edges = sorted({0, *(cut for cut in cuts if cut < frame.height), frame.height})
    root = Path(tempfile.mkdtemp())
    try:
        params = log_params({"format": "parquet", "path": str(root / "raw")})
        (root / "raw").mkdir()
        for place, (start, stop) in enumerate(itertools.pairwise(edges)):
            frame[start:stop].write_parquet(root / "raw" / f"{place}.parquet", row_group_size=group)
            if not together:
                ingest(root, params, now=NOW, buffer_rows=buffer_rows)
        report = ingest(root, params, now=NOW, buffer_rows=buffer_rows)
        assert report.rows_in == frame.height
        assert day_bytes(root) == reference(ids)
    finally:
        shutil.rmtree(root)

"""What happened live is what is trained on: a log that came in live gives the day files that the same files give."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

import polars as pl
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.events.days import read_events
from components.events.ingest import ingest
from components.events.simulator import catalogue
from components.features.build import build
from components.files import sha256_tree
from components.params import parse_params
from components.serving.collect import collect
from components.serving.intake import check
from components.serving.state.record import Record
from components.workspace import Workspace
from tests.city import SEED, clean_log, small_city
from tests.eventlog import NOW, day_bytes, log_params, toy_log
from tests.livelog import filled
from tests.workspaces import FIRST_DAY, small_params

_FILES = log_params({"format": "parquet", "path": "raw"})
_LIVE = log_params({"format": "live"})


def as_sent(log: pl.DataFrame) -> list[Record]:
    """The log's events as clients send them, through the rules of intake."""
    records = []
    for row in log.iter_rows(named=True):
        raw = {name: value for name, value in row.items() if value is not None}
        found = check("event", raw | {"timestamp": row["timestamp"].isoformat()}, _LIVE.events, NOW)
        assert isinstance(found, Record)
        records.append(found)
    return records


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    blocks=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    also=st.floats(0, 1),
    ids=st.booleans(),
    live_first=st.booleans(),
)
def test_live_or_from_files_the_day_files_are_the_same_bytes(
    seed: int, blocks: list[int], also: float, ids: bool, live_first: bool
) -> None:
    log = toy_log(120, days=4, seed=seed).with_columns(pl.col("latitude", "longitude").fill_nan(None))
    if ids:
        log = log.with_columns(pl.format("e{}", pl.col("source_seq")).alias("event_id"))
    sent = log.sample(fraction=1.0, shuffle=True, seed=seed)
    root = Path(tempfile.mkdtemp())
    try:
        whole, mixed = root / "whole", root / "mixed"
        for one in (whole, mixed):
            (one / "raw").mkdir(parents=True)
        log.write_parquet(whole / "raw" / "log.parquet")
        ingest(whole, _FILES, now=NOW)
        state = filled([])
        both = log.sample(fraction=also, seed=seed)  # came in live, and is in the source's files too
        if live_first:
            log.head(0).write_parquet(mixed / "raw" / "log.parquet")
        else:
            both.write_parquet(mixed / "raw" / "log.parquet")
        start, kept = 0, 0
        for size in [*blocks, log.height]:
            state.append(as_sent(sent[start : start + size]))
            start += size
            collect(mixed, state, block=17)
            kept += ingest(mixed, _FILES, now=NOW).kept
        both.write_parquet(mixed / "raw" / "log.parquet")
        kept += ingest(mixed, _FILES, now=NOW).kept
        assert day_bytes(mixed) == day_bytes(whole)
        assert kept == sum(len(pl.read_parquet(path)) for path in (whole / "data" / "events").iterdir())
    finally:
        shutil.rmtree(root)


def test_the_features_are_the_same_bytes(tmp_path: Path) -> None:
    record = small_params()
    city = small_city(users=40, items=60, events_per_user_day=2.0)
    log = clean_log(city).filter(pl.col("timestamp").dt.date() < FIRST_DAY + dt.timedelta(days=24))
    stores = []
    for name in ("files", "live"):
        root = tmp_path / name
        root.mkdir()
        record["events"]["source"] |= {"format": "parquet" if name == "files" else "live", "path": "log.parquet"}
        params = parse_params(record, "test")
        if name == "files":
            log.write_parquet(root / "log.parquet")
        else:
            rows = log.sample(fraction=1.0, shuffle=True, seed=1)
            collect(root, filled(as_sent(rows)), block=200)
        ingest(root, params, now=NOW)
        workspace = Workspace(root)
        workspace.params.write_text(yaml.safe_dump(record))
        workspace.validated.mkdir(parents=True)
        read_events(root).collect().write_parquet(workspace.validated / "events.parquet")
        catalogue(city, SEED)[0].write_parquet(workspace.catalogue / "items.parquet")
        build(root, params)
        stores.append(sha256_tree(workspace.features))
    assert stores[0] == stores[1]
    assert len(stores[0]) > 5

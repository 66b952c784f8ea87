"""Rows in = kept + quarantined, whatever is planted; the order of rows within a day changes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.events.sieve import Sieve
from components.events.snapshot import Snapshot
from tests.unit.validation.snapshots import clean_events, params_with, write_days
from tests.unit.validation.test_rows import PLANTED

EVENTS = clean_events(days=4, per_day=25, users=5)
ROWS = len(EVENTS)
errors = st.lists(st.tuples(st.integers(0, ROWS - 1), st.sampled_from(sorted(PLANTED))), max_size=30)
repeats = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1)), max_size=10)


def spoiled(errors: list[tuple[int, str]]) -> pl.DataFrame:
    columns = {name: EVENTS[name].to_list() for name in EVENTS.columns}
    for row, rule in errors:
        for name, value in PLANTED[rule].items():
            columns[name][row] = value
    return pl.DataFrame(columns, schema=EVENTS.schema)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(errors=errors, repeats=repeats, seed=st.integers(0, 2**31))
def test_rows_are_conserved_in_any_order(errors, repeats, seed) -> None:
    events = spoiled(errors)
    keys = EVENTS["event_key"].to_list()
    for one, other in repeats:
        keys[one] = keys[other]
    blank = events["event_key"].is_null()
    events = events.with_columns(
        pl.when(blank).then(None).otherwise(pl.Series("event_key", keys, pl.UInt64)).alias("event_key")
    )
    day = EVENTS["timestamp"].dt.date()
    order = np.random.default_rng(seed).permutation(ROWS)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for name, rows, days in (("a", events, day), ("b", events[order], day[order])):
            root = write_days(Path(folder) / name, rows, days)
            sieve = Sieve(Snapshot.of(root / "data" / "events", None), params_with())
            outcomes.append((pl.concat(sieve.kept_chunks()), sieve.quarantine))
    kept, quarantined = outcomes[0]
    assert len(kept) + len(quarantined) == ROWS
    assert kept["event_key"].is_unique().all()
    assert set(kept["source_seq"]).isdisjoint(quarantined["source_seq"].drop_nulls())
    clean = set(range(ROWS)) - {row for row, _ in errors} - {row for pair in repeats for row in pair}
    untouched = set(EVENTS["source_seq"].gather(sorted(clean)))
    assert untouched <= set(kept["source_seq"])
    assert quarantined["rule"].null_count() == 0
    assert kept.equals(outcomes[1][0])
    assert quarantined.sort(pl.all()).equals(outcomes[1][1].sort(pl.all()), null_equal=True)

"""Histories without some events are what packing the shorter log gives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.features.fit import fit_encoding
from components.features.pack import pack
from components.features.store import Store
from components.features.without import without
from tests.unit.features.sample import log, params, times

NUMBERS = {
    name: {"scale": "log", "fill": {"rule": rule, "value": 0}}
    for name, rule in (
        ("gap_s", "median"), ("distance_km", "interpolate"), ("speed_kmh", "constant"), ("duration_s", "median"),
        ("value", "interpolate"),
    )
}  # fmt: skip


def whole_log(kind: str, sessions: bool) -> tuple[pl.DataFrame, object]:
    frame = log(n=500, users=4).with_columns(pl.lit(None).cast(pl.Int16).alias("utc_offset_min"))
    if not sessions:
        frame = frame.drop("session_id")
    frame = frame.sort("user_id", "timestamp", "source_seq").with_columns(source_seq=pl.int_range(pl.len()))
    changed = params(events={"time_kind": kind}, features={"session_gap_s": 7200})
    numbers = type(changed.features).model_validate(changed.features.model_dump() | {"numbers": NUMBERS})
    return frame, changed.model_copy(update={"features": numbers})


def packed(frame: pl.DataFrame, whole: object, encoding: object) -> Store:
    return pack(frame, encoding, whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["real", "day", "ordinal"])
def test_a_variant_is_the_shorter_log_packed(kind: str) -> None:
    frame, whole = whole_log(kind, sessions=False)
    encoding = fit_encoding(frame, None, np.ones(len(frame), bool), whole)  # type: ignore[arg-type]
    store = packed(frame, whole, encoding)
    rng = np.random.default_rng(0)
    start, stop = int(store.offsets[1]), int(store.offsets[2])
    n = stop - start
    keep = rng.random((6, n)) < np.array([0.9, 0.5, 0.1, 1.1, 0.02, -1])[:, None]
    made = without(store, 1, start, stop, keep)
    assert made.users.tolist() == [store.users[1]] * 6
    for variant, kept in enumerate(keep):
        rows = np.flatnonzero(kept) + start
        alone = packed(frame[rows.tolist()], whole, encoding)
        low, high = made.offsets[variant], made.offsets[variant + 1]
        assert high - low == len(rows)
        for name in set(store.columns) - {"window", "target", "flags"}:
            found, wanted = np.asarray(made[name][low:high]), np.asarray(alone[name])
            assert found.dtype == wanted.dtype, name
            exact = found.dtype.kind != "f"
            assert (
                np.array_equal(found, wanted)
                if exact
                else np.allclose(found, wanted, atol=0.02, rtol=1e-3, equal_nan=True)
            ), name
        assert np.array_equal(made.missing[low:high], alone.missing)
        assert np.allclose(made.numbers[low:high], alone.numbers, atol=0.02)


def test_sessions_that_the_source_names_are_not_cut_by_pauses() -> None:
    hours = [0, 3, 6, 9, 30]
    frame = pl.DataFrame(
        {
            "user_id": ["a"] * 5,
            "item_id": list("vwxyz"),
            "action": ["view"] * 5,
            "timestamp": times([3600 * hour for hour in hours]),
            "session_id": ["s", "s", "s", "s", "t"],
        }
    )
    _, whole = whole_log("real", sessions=True)
    encoding = fit_encoding(frame, None, np.ones(len(frame), bool), whole)  # type: ignore[arg-type]
    store = packed(frame, whole, encoding)
    made = without(store, 0, 0, 5, ~np.eye(5, dtype=bool)[1:2])
    assert made["session"].tolist() == [0, 0, 0, 1]


def test_nothing_left_out_changes_nothing() -> None:
    frame, whole = whole_log("real", sessions=True)
    encoding = fit_encoding(frame, None, np.ones(len(frame), bool), whole)  # type: ignore[arg-type]
    store = packed(frame, whole, encoding)
    start, stop = int(store.offsets[2]), int(store.offsets[3])
    made = without(store, 2, start, stop, np.ones((2, stop - start), bool))
    for name, column in store.columns.items():
        assert np.array_equal(made[name], np.tile(column[start:stop], 2), equal_nan=column.dtype.kind == "f"), name
    assert np.array_equal(made.numbers, np.tile(store.numbers[start:stop], (2, 1)))

"""What must hold of features whatever the log: parity, no look-ahead, one window each, no order of arrival."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.features import windows
from components.features.build import frame_to_store
from components.features.encoding import Encoding
from components.features.fit import fit_encoding
from components.features.pack import pack, pack_histories, pack_history
from components.features.store import Store
from components.features.windows import Split
from components.params import FillParams, NumberParams, WindowParams
from tests.unit.features.sample import START_S, log, params

RULES = {
    "gap_s": NumberParams(scale="log", fill=FillParams(rule="median", value=0.0)),
    "distance_km": NumberParams(scale="standard", fill=FillParams(rule="constant", value=1.0)),
    "speed_kmh": NumberParams(scale="robust", fill=FillParams(rule="median", value=0.0)),
    "duration_s": NumberParams(scale="min_max", fill=FillParams(rule="interpolate", value=0.0)),
    "value": NumberParams(scale="log", fill=FillParams(rule="interpolate", value=0.0)),
}
WHOLE = params(
    features={"numbers": RULES, "cells": [4, 7, 9]},
    validation={"max_value": 5.0, "max_events_per_user_day": 2, "max_speed_kmh": 5.0},
)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LOGS = st.builds(
    log, n=st.integers(20, 250), users=st.integers(1, 9), days=st.integers(25, 60), seed=st.integers(0, 10**6)
)
KINDS = st.sampled_from(["real", "day", "ordinal"])


def encoding_of(frame: pl.DataFrame, kind: str = "real") -> Encoding:
    whole = WHOLE.model_copy(update={"events": WHOLE.events.model_copy(update={"time_kind": kind})})
    return fit_encoding(frame, None, np.ones(len(frame), bool), whole)


def rows_equal(one: Store, part_one: slice, two: Store, part_two: slice) -> None:
    """Every computed column of some rows, bit by bit."""
    for name in one.columns:
        if name not in {"window", "target"}:
            np.testing.assert_array_equal(one[name][part_one], two[name][part_two], err_msg=name)
            assert one[name].dtype == two[name].dtype
    np.testing.assert_array_equal(one.numbers[part_one], two.numbers[part_two])
    np.testing.assert_array_equal(one.missing[part_one], two.missing[part_two])


@QUICK
@given(frame=LOGS, kind=KINDS)
def test_online_is_offline(frame: pl.DataFrame, kind: str) -> None:
    encoding = encoding_of(frame, kind)
    whole = pack(frame, encoding, WHOLE)
    ordered = frame.sort("timestamp", "source_seq", "event_key")
    for u, user in enumerate(whole.users):
        rows = slice(int(whole.offsets[u]), int(whole.offsets[u + 1]))
        events = ordered.filter(pl.col("user_id") == user)
        live = pack_history(events.to_dicts(), encoding, user_id=user)
        rows_equal(whole, rows, live, slice(None))
        rows_equal(whole, rows, pack(events, encoding, WHOLE), slice(None))


@QUICK
@given(frame=LOGS, kind=KINDS)
def test_users_packed_at_once_are_those_packed_one_by_one(frame: pl.DataFrame, kind: str) -> None:
    encoding = encoding_of(frame, kind)
    ordered = frame.sort("timestamp", "source_seq", "event_key")
    users = [*ordered["user_id"].unique(maintain_order=True), "nobody"]
    each = [(user, ordered.filter(pl.col("user_id") == user).to_dicts()) for user in users]
    together = pack_histories(each, encoding)
    assert together.users.tolist() == users
    for u, (user, events) in enumerate(each):
        rows = slice(int(together.offsets[u]), int(together.offsets[u + 1]))
        rows_equal(together, rows, pack_history(events, encoding, user_id=user), slice(None))


@QUICK
@given(frame=LOGS, cut=st.floats(0.2, 0.9), seed=st.integers(0, 10**6), kind=KINDS)
def test_nothing_looks_ahead(frame: pl.DataFrame, cut: float, seed: int, kind: str) -> None:
    """Altering, removing or adding events at or after t changes no feature before t, nor what training fitted."""
    moment = frame["timestamp"].sort()[int(cut * len(frame))]
    before = frame.filter(pl.col("timestamp") < moment)
    if before["item_id"].drop_nulls().is_empty():
        return
    later = log(n=60, users=12, days=30, seed=seed).with_columns(
        timestamp=pl.lit(moment) + pl.duration(hours=pl.int_range(pl.len())),
        event_key=pl.int_range(10**9, 10**9 + pl.len()).cast(pl.UInt64),
    )
    other = pl.concat([before, later])
    ours, theirs = (fit_encoding(f, None, (f["timestamp"] < moment).to_numpy(), WHOLE) for f in (frame, other))
    assert ours.scales == theirs.scales
    for kind_of_id, words in ours.vocabularies.items():
        assert words.ids.tolist() == theirs.vocabularies[kind_of_id].ids.tolist()
    for name in ("latitude", "longitude", "category"):
        np.testing.assert_array_equal(getattr(ours.catalogue, name), getattr(theirs.catalogue, name))
    encoding = encoding_of(before, kind)
    one, two = pack(frame, encoding, WHOLE), pack(other, encoding, WHOLE)
    code_two = {user: u for u, user in enumerate(two.users)}
    seconds = int(moment.timestamp())
    for u, user in enumerate(one.users):
        rows = slice(int(one.offsets[u]), int(one.offsets[u + 1]))
        n = int((one["time_s"][rows] < seconds).sum())
        if n:
            start = int(two.offsets[code_two[user]])
            rows_equal(one, slice(rows.start, rows.start + n), two, slice(start, start + n))


@QUICK
@given(
    frame=LOGS,
    seed=st.integers(0, 10**6),
    protocol=st.sampled_from(["temporal", "leave_one_out", "last_of_trajectory"]),
)
def test_order_of_arrival_changes_nothing(frame: pl.DataFrame, seed: int, protocol: str) -> None:
    shares = WHOLE.model_copy(update={"windows": WindowParams(tune="15%", blend="10%", test="15%")})
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    try:
        one = frame_to_store(frame, None, None, shares, protocol)
    except DataError:
        return
    two = frame_to_store(shuffled, None, None, shares, protocol)
    rows_equal(one, slice(None), two, slice(None))
    for name in ("window", "target"):
        np.testing.assert_array_equal(one[name], two[name])
    assert one.users.tolist() == two.users.tolist()


@QUICK
@given(
    seconds=st.lists(st.integers(0, 60 * 86_400), min_size=5, max_size=200),
    spans=st.tuples(*[st.sampled_from(["0d", "3d", "36h", "10%", "25%"])] * 3),
)
def test_each_event_has_one_window_and_windows_follow_time(seconds: list[int], spans: tuple[str, str, str]) -> None:
    time_s = START_S + np.array(seconds)
    try:
        starts = windows.edges(time_s, WindowParams(tune=spans[0], blend=spans[1], test=spans[2]))
    except DataError:
        return
    window = windows.window_of(time_s, starts)
    assert set(window.tolist()) <= {0, 1, 2, 3}
    order = np.argsort(time_s, kind="stable")
    assert (np.diff(window[order]) >= 0).all()
    for code in range(3):  # nothing of a window happens at or after the first event of a later one
        if (window == code).any() and (window > code).any():
            assert time_s[window == code].max() < time_s[window > code].min()


@QUICK
@given(
    frame=LOGS, protocol=st.sampled_from(["temporal", "leave_one_out", "last_of_trajectory"]), least=st.integers(1, 4)
)
def test_targets_are_events_with_an_item_in_a_window(frame: pl.DataFrame, protocol: str, least: int) -> None:
    shares = WHOLE.model_copy(update={"windows": WindowParams(tune="15%", blend="10%", test="15%")})
    try:
        store = frame_to_store(frame, None, None, shares, Split(protocol, min_length=least))
    except DataError:
        return
    target, window = np.asarray(store["target"]), np.asarray(store["window"])
    assert (store["item"][target] > 0).all()
    asked = np.flatnonzero(target & (window > 0))
    if protocol == "leave_one_out":
        assert set(np.bincount(store.user[asked]).tolist()) <= {0, 1, 2}
    if protocol == "last_of_trajectory":
        piece = list(zip(store.user[asked], store["session"][asked], window[asked], strict=True))
        assert len(set(piece)) == len(piece)
        with_item = np.asarray(store["item"]) > 0
        for row, (u, session, w) in zip(asked, piece, strict=True):
            same = (store.user == u) & (store["session"] == session) & (window == w) & with_item
            assert np.flatnonzero(same).max() == row
            assert same.sum() >= least

"""Packing a hand-written history: every column as it must be; and what the kind of time takes away."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from components.features.build import frame_to_store
from components.features.fit import fit_encoding
from components.features.pack import pack, pack_history
from components.features.store import COLUMNS, WINDOWS, layout
from tests.unit.features.sample import START_S, log, params, times


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": ["b", "a", "a", "a"],
            "item_id": ["y", "x", None, "new"],
            "action": ["like", "view", "view", "unheard"],
            "timestamp": times([50, 7200, 7260, 12_000]),
            "latitude": [None, 48.85, None, 48.86],
            "longitude": [None, 2.35, None, 2.35],
            "device": ["web", "web", None, "fridge"],
            "value": [None, 1e6, None, 2.0],
        }
    )


def test_every_column(frame: pl.DataFrame) -> None:
    whole = params()
    encoding = fit_encoding(frame, None, np.array([True, True, False, False]), whole)
    store = pack(frame, encoding, whole)
    assert store.users.tolist() == ["a", "b"]
    assert store.offsets.tolist() == [0, 3, 4]
    words = {kind: v.code_of for kind, v in encoding.vocabularies.items()}
    assert store["item"].tolist() == [words["item"]["x"], 0, 1, words["item"]["y"]]
    assert store["action"].tolist() == [words["action"]["view"], words["action"]["view"], 1, words["action"]["like"]]
    assert store["device"].tolist() == [2, 0, 1, 2]
    assert (store["time_s"] - START_S).tolist() == [7200, 7260, 12_000, 50]
    assert store["utc_offset_min"].tolist() == [60] * 4
    assert store["local_hour"].tolist() == [3, 3, 4, 1]
    assert store["local_weekday"].tolist() == [0] * 4
    assert store["gap_s"].tolist() == [-1, 60, 4740, -1]
    assert store["session"].tolist() == [0, 0, 1, 0]
    assert store["distance_km"][2] == pytest.approx(1.112, abs=1e-3)
    assert np.isnan(store["distance_km"][[0, 1, 3]]).all()
    assert store["flags"].tolist() == [4, 0, 0, 0]
    assert store["cell_8"].tolist() == [2, 0, 1, 0]
    assert (store["window"] == WINDOWS["rest"]).all()
    assert not store["target"].any()
    names = list(encoding.scales)
    bits = {name: (store.missing >> k & 1).tolist() for k, name in enumerate(names)}
    assert bits["gap_s"] == [1, 0, 0, 1]
    assert bits["distance_km"] == bits["speed_kmh"] == [1, 1, 0, 1]
    assert bits["value"] == [0, 1, 0, 1]
    assert not np.isnan(store.numbers).any()
    for name, dtype in layout(encoding).items():
        assert store[name].dtype == np.dtype(dtype)
    assert set(COLUMNS) <= set(store.columns)


def test_a_day_has_no_hour_and_an_order_no_clock(frame: pl.DataFrame) -> None:
    day = frame_to_store(*_divided("day"))
    assert set(day["local_hour"].tolist()) <= set(range(24))
    assert (day["utc_offset_min"] == 0).all()  # no zone moves a date
    assert day["gap_s"].max() > 0
    order = frame_to_store(*_divided("ordinal"))
    for name in ("utc_offset_min", "local_hour", "local_weekday", "holiday"):
        assert not order[name].any()
    assert set(order["gap_s"].tolist()) == {-1, 0}
    bits = list(order.encoding.scales).index("gap_s")
    assert (order.missing >> bits & 1).all()
    for store in (day, order):
        bits = list(store.encoding.scales).index("speed_kmh")
        assert (store.missing >> bits & 1).all()


def _divided(kind: str) -> tuple:
    return log(), None, None, params(events={"time_kind": kind}, windows={"tune": "10%", "blend": "10%"}), "temporal"


def test_empty_and_minimal_histories() -> None:
    store = frame_to_store(log(), None, None, params(), "temporal")
    empty = pack_history([], store.encoding, user_id="nobody")
    assert (empty.n_events, empty.offsets.tolist(), empty.users.tolist()) == (0, [0, 0], ["nobody"])
    assert empty.numbers.shape == (0, len(store.encoding.scales))
    one = pack_history(
        [{"item_id": "item3", "action": "view", "timestamp": START_S * 1_000_000}], store.encoding, user_id="u"
    )
    moment = dt.datetime.fromtimestamp(START_S, dt.UTC)
    same = pack_history([{"item_id": "item3", "action": "view", "timestamp": moment}], store.encoding, user_id="u")
    assert one["item"].tolist() == [store.encoding.vocabularies["item"].code_of["item3"]]
    for name in one.columns:
        np.testing.assert_array_equal(one[name], same[name])


def test_histories_come_sorted_and_ties_keep_their_order() -> None:
    encoding = frame_to_store(log(), None, None, params(), "temporal").encoding
    late, early = START_S * 1_000_000 + 5, START_S * 1_000_000
    events = [
        {"item_id": "item1", "action": "view", "timestamp": late},
        {"item_id": "item2", "action": "view", "timestamp": early},
        {"item_id": "item3", "action": "view", "timestamp": early},
    ]
    code = encoding.vocabularies["item"].code_of
    assert pack_history(events, encoding, user_id="u")["item"].tolist() == [code[f"item{k}"] for k in (2, 3, 1)]

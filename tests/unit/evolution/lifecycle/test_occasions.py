"""Occasions: what counts as one, what is known before a moment, and the same from a store as from a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError, SchemaError
from components.evolution.lifecycle.occasions import occasions_of
from components.evolution.lifecycle.purchases import Purchases, purchases_of
from components.features.build import frame_to_store
from tests.unit.evolution.lifecycle.logs import days, frame
from tests.unit.features import sample


def events(*rows: tuple[str, int, float | None, int]) -> pl.DataFrame:
    user, second, value, offset = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "user_id": user,
            "timestamp": pl.Series([s * 1_000_000 for s in second]).cast(pl.Datetime("us", "UTC")),
            "value": pl.Series(value, dtype=pl.Float64),
            "utc_offset_min": offset,
        }
    )


def test_events_of_one_local_day_are_one_occasion() -> None:
    hour = 3600
    found = occasions_of(
        events(("b", 30 * hour, 2.0, 0), ("a", 23 * hour, 1.0, 0), ("a", 25 * hour, None, -120), ("a", 1, 4.0, 0))
    )
    assert found.users.tolist() == ["a", "b"]
    assert found.offsets.tolist() == [0, 1, 2]  # 01:00 UTC on the second day is 23:00 two hours further west
    assert found.unit.tolist() == [0, 1]
    assert found.value.tolist() == [5.0, 2.0]
    assert np.isnan(occasions_of(events(("a", 1, None, 0))).value).all()


def test_what_is_before_a_moment() -> None:
    log = days([0, 3, 9], [5], [1, 2])
    assert log.count_before(np.array([0, 3, 6, 10])).tolist() == [[0, 1, 2, 3], [0, 0, 1, 1], [0, 2, 2, 2]]
    known = log.before(5)
    assert known.users.tolist() == ["user0", "user2"]
    assert known.unit.tolist() == [0, 3, 1, 2]
    assert log.gap.tolist() == [0, 3, 6, 0, 0, 1]
    assert log.end == 10


def test_statistics_are_those_of_fader_and_hardie() -> None:
    found = purchases_of(days([0, 7, 21], [14], value=[[1.0, 10.0, 20.0], [5.0]]), 29, 7)
    assert found.x.tolist() == [2, 0]
    assert found.t_x.tolist() == [3, 0]
    assert found.T.tolist() == [4, 2]
    assert found.valued.tolist() == [2, 0]
    assert found.mean_value[0] == 15  # the first occasion is not a repeat
    assert found.valued_share.tolist() == [1, 1]
    half = replace(found, valued=np.array([1.0, 0]))
    assert half.valued_share.tolist() == [0.5, 0.5]
    assert np.isnan(found.mean_value[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-40, 40), min_size=1, max_size=8), min_size=1, max_size=6), st.integers(-45, 45))
def test_counts_are_those_of_a_loop(histories: list[list[int]], moment: int) -> None:
    log = days(*[sorted(set(history)) for history in histories])
    count = log.count_before(np.array([moment, 0]))
    assert count[:, 0].tolist() == [sum(day < moment for day in set(history)) for history in histories]
    again = occasions_of(frame(log))
    assert again.unit.tolist() == log.unit.tolist()
    assert again.offsets.tolist() == log.offsets.tolist()


def test_a_store_says_the_same_as_the_frame_it_was_packed_from() -> None:
    log = sample.log(900, users=9).filter(pl.col("action") != "never heard of")
    store = frame_to_store(
        log, None, None, sample.params(windows={"tune": "5d", "blend": "5d", "test": "5d"}), "temporal"
    )
    for actions in (None, ["purchase"]):
        a = occasions_of(log.with_columns(pl.col("utc_offset_min").fill_null(60)), actions=actions)
        b = occasions_of(store, actions=actions)
        assert b.users.tolist() == a.users.tolist()
        assert b.unit.tolist() == a.unit.tolist()
        assert b.value == pytest.approx(a.value, abs=1e-3, nan_ok=True)


def test_what_cannot_be_used_is_refused() -> None:
    log = events(("a", 1, 1.0, 0))
    with pytest.raises(SchemaError, match="user_id"):
        occasions_of(log.drop("user_id"))
    with pytest.raises(SchemaError, match="date-times"):
        occasions_of(log.with_columns(pl.col("timestamp").dt.epoch()))
    with pytest.raises(DataError, match="`fly`"):
        occasions_of(log.with_columns(action=pl.lit("view")), actions=["fly"])
    with pytest.raises(DataError, match="none in the log"):
        occasions_of(log.head(0))
    with pytest.raises(DataError, match="later moment"):
        occasions_of(log).before(0)
    with pytest.raises(DataError, match="of user 0"):
        Purchases(*(np.array([float(one)]) for one in (0, 3, 5, 0, 1)))

"""Counts of the live page do not depend on the order in which events arrive, and differences add up to the whole."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from components.serving.pulse.broadcast import difference
from components.serving.pulse.pulse import Pulse
from components.serving.pulse.rolling import WINDOWS, Rolling
from components.serving.pulse.source import Source
from components.serving.state.protocol import Sizes, Stored
from components.serving.state.record import Record

NOW = 1_750_000_000
events = st.lists(
    st.tuples(
        st.integers(NOW - 90_000, NOW),  # received
        st.sampled_from(["view", "buy", "like"]),
        st.floats(-60, 60),
        st.floats(-180, 180),
    ),
    min_size=1,
    max_size=60,
)


def told_of(rows: list[tuple[int, str, float, float]]) -> dict[str, Any]:
    pulse = Pulse(Source(lambda _: None, dict, lambda: Sizes(0, 0, 0), "UTC"), lambda: float(NOW))
    for n, (received, action, latitude, longitude) in enumerate(rows):
        payload = {"item_id": "i", "action": action, "latitude": latitude, "longitude": longitude}
        pulse.applied([Stored(n + 1, Record("event", str(n), "u", received * 10**6, received * 10**6, payload))])
    return pulse.snapshot(names=True)


def by_name(told: dict[str, Any]) -> dict[str, Any]:
    """The counts, with actions by name: their order is that of arrival."""
    cells = {
        cell: sorted((told["actions"][row[0]], *row[1:]) for row in rows) for cell, rows in told["map"]["cells"].items()
    }
    return {"events": told["events"], "hours": told["hours"], "cells": cells, "resolution": told["map"]["resolution"]}


@settings(max_examples=60, deadline=None)
@given(rows=events, seed=st.integers(0, 1_000))
def test_order_of_arrival_changes_no_count(rows: list[tuple[int, str, float, float]], seed: int) -> None:
    other = list(rows)
    random.Random(seed).shuffle(other)
    assert by_name(told_of(rows)) == by_name(told_of(other))


@settings(max_examples=100, deadline=None)
@given(
    times=st.lists(st.tuples(st.integers(0, 1_200), st.sampled_from("ab")), max_size=80),
    later=st.integers(0, 2_000),
)
def test_a_ring_counts_what_a_list_would(times: list[tuple[int, str]], later: int) -> None:
    span, slots = WINDOWS["5m"]
    ring: Rolling[str] = Rolling(span, slots)
    for time_s, key in times:
        ring.add(key, time_s)
    now = max([later, *(time_s for time_s, _ in times)])
    ring.move(now)
    oldest = now // (span // slots) - slots  # slots up to this one have left
    for key in "ab":
        assert ring.total.get(key, 0) == sum(k == key and t // (span // slots) > oldest for t, k in times)


@settings(max_examples=40, deadline=None)
@given(rows=events, cut=st.integers(0, 60))
def test_a_difference_takes_a_listener_to_the_whole(rows: list[tuple[int, str, float, float]], cut: int) -> None:
    before, after = told_of(rows[: max(cut % len(rows), 1)]), told_of(rows)
    delta = difference(before, after)
    kept = before | delta
    changed = delta.get("map", {"cells": {}, "shapes": {}, "gone": []})
    cells = {k: v for k, v in (before["map"]["cells"] | changed["cells"]).items() if k not in changed["gone"]}
    shapes = {k: v for k, v in (before["map"]["shapes"] | changed["shapes"]).items() if k not in changed["gone"]}
    assert cells == after["map"]["cells"]
    assert shapes == after["map"]["shapes"]
    for key in after.keys() - {"map", "newest"}:
        assert kept[key] == after[key]

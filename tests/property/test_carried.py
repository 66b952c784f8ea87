"""A carried answer is that of a full pass, whatever came between two questions: events, a full view, another user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.features.store import Store
from components.params import BlendParams
from components.predictor import Queries, Scores
from components.ranking.blend import BlendPredictor
from components.training.network import NetworkPredictor
from components.training.sheet import Page
from tests.networks import ALL_INPUTS, GIVEN, HIDDEN, fitted, predictor, with_columns
from tests.toy import toy_store

STORE = toy_store(n_users=6, events_per_user=40, pattern="random")
WITHOUT = [name for name in ALL_INPUTS if name != "position"]
WIDE = {"copy_heads": 2, "item_bias": True, "distance": True, "inputs": WITHOUT}
MODELS: dict[str, dict[str, Any]] = {
    "gru": {"kind": "gru", "protocol": GIVEN, "inputs": WITHOUT},
    "transformer": {"kind": "transformer", "protocol": GIVEN, **WIDE},
    "positions": {"kind": "transformer", "protocol": GIVEN, **WIDE, "inputs": ALL_INPUTS},
    "hidden": {"kind": "hstu", "protocol": HIDDEN, **WIDE},
    "cosine": {"kind": "gru", "protocol": GIVEN, "inputs": WITHOUT, "temperature": 0.1},
    "transitions": {"kind": "gru", "protocol": GIVEN, "inputs": WITHOUT, "transitions": {"lags": 2, "successors": 4}},
    "rotation": {"kind": "lstm", "protocol": GIVEN, "inputs": WITHOUT, "conditioning": "rotation"},
    "no_step": {"kind": "st_lstm", "protocol": GIVEN, "inputs": WITHOUT},
}
_FITTED: dict[str, NetworkPredictor] = {}


def network(name: str) -> NetworkPredictor:
    if name not in _FITTED:
        one = fitted(STORE, predictor(**{**MODELS[name], "loop": {"epochs": 1}}))
        one.temperatures = {"item": 1.3, "action": 0.8}
        _FITTED[name] = one
    return _FITTED[name]


def asked(store: Store, user: int, n: int, after_s: int, given: bool) -> Queries:
    """The question after the first n events of a user."""
    start = int(store.offsets[user])
    last = int(store["time_s"][start + n - 1]) if n else 1_736_000_000
    return Queries(
        store, np.array([user], np.int32), np.array([start]), np.array([start + n]), np.array([last + after_s]),
        np.array([60], np.int16), np.full(1, np.nan, np.float32), np.full(1, np.nan, np.float32), given,
    )  # fmt: skip


def alike(ours: Scores, theirs: Scores) -> None:
    np.testing.assert_array_equal(np.isinf(ours.item), np.isinf(theirs.item))
    real = np.isfinite(theirs.item)
    np.testing.assert_allclose(ours.item[real], theirs.item[real], atol=1e-4)
    for name in ("action", "place"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert (one is None) == (other is None)
        if other is not None:
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert (ours.time is None) == (theirs.time is None)
    if ours.time is not None and theirs.time is not None:
        for name in ("weight", "mean", "sigma"):
            np.testing.assert_allclose(getattr(ours.time, name), getattr(theirs.time, name), atol=1e-4, rtol=1e-4)


STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 3), st.sampled_from([0, 40, 7_200, 900_000])), min_size=1, max_size=6
)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(begin=st.integers(0, 20), steps=STEPS)
def test_a_carried_answer_is_that_of_a_full_pass(name: str, begin: int, steps: list[tuple[int, int, int]]) -> None:
    one = network(name)
    given_time = MODELS[name]["protocol"] is GIVEN
    carried, n = None, begin
    for other, more, after_s in steps:
        n += more
        queries = asked(STORE, other, n, after_s, given_time)  # another user's state must be seen through
        scores, carried = one.carry(queries, carried)
        alike(scores, one.score(queries))


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 20), row=st.integers(0, 19), column=st.sampled_from(["item", "time_s", "action", "latitude"]))
def test_an_event_that_was_corrected_is_never_answered_from_what_was_read(n: int, row: int, column: str) -> None:
    one = network("transformer")
    queries = asked(STORE, 2, n, 3_600, True)
    _, carried = one.carry(queries, None)
    changed = np.array(STORE[column])
    at = int(STORE.offsets[2]) + min(row, n - 1)
    changed[at] = changed[at] - 1 if column != "item" else 2 + changed[at] % 20
    other = replace(queries, store=replace(STORE, columns={**STORE.columns, column: changed}))
    scores, _ = one.carry(other, carried)
    alike(scores, one.score(other))


def test_an_event_at_the_same_place_and_one_elsewhere_are_as_far_from_every_item_as_they_are() -> None:
    one = network("transformer")
    latitude, longitude = (np.array(STORE[name]) for name in ("latitude", "longitude"))
    at = int(STORE.offsets[4])
    latitude[at : at + 4], longitude[at : at + 4] = latitude[at], longitude[at]
    store, carried = with_columns(STORE, latitude=latitude, longitude=longitude), None
    for n in (3, 4, 5):
        queries = asked(store, 4, n, 600, True)
        scores, carried = one.carry(queries, carried)
        alike(scores, one.score(queries))


def test_what_was_read_is_not_read_again() -> None:
    one = network("transformer")
    _, first = one.carry(asked(STORE, 1, 5, 60, True), None)
    _, again = one.carry(asked(STORE, 1, 5, 9_000, True), first)
    _, on = one.carry(asked(STORE, 1, 6, 60, True), again)
    assert again is first
    assert isinstance(on.view, Page)
    assert on.view.length == first.view.length + 1


def test_a_mixture_hands_each_part_its_own() -> None:
    parts = {"one": network("transformer"), "two": network("gru")}
    params = BlendParams(parts=list(parts), history_buckets=[0], em_steps=1, candidate=True)
    blend = BlendPredictor(parts, params, GIVEN)
    carried = None
    for n in (3, 4, 4, 15, 16):
        queries = asked(STORE, 3, n, 600, True)
        scores, carried = blend.carry(queries, carried)
        alike(scores, blend.score(queries))
    assert set(carried) == {"one", "two"}

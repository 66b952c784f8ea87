"""The compiled step gives what torch's step gives, for every encoder and kind of input for which it is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models.encoders.relative import space_buckets, space_edges, time_buckets, time_edges
from components.models.incremental import begin, step
from components.models.sphere import chords
from components.training.stepping import Stepper, can_step_compiled
from tests.property.test_steps import INPUTS, STORE, model_of, tokens_between

LONG = 41
TWO = {"layers": 2, "heads": 2, "feedforward": 2}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "gru": ("gru", {"encoder": {"kind": "gru", "options": {"layers": 2}}}),
    "plain": ("transformer", {"encoder": {"kind": "transformer", "options": {**TWO, "bias": "none"}}}),
    "time": ("transformer", {"encoder": {"kind": "transformer", "options": {**TWO, "bias": "time"}}}),
    "space": ("transformer", {"encoder": {"kind": "transformer", "options": {**TWO, "bias": "space"}}}),
    "both": ("transformer", {"encoder": {"kind": "transformer", "options": {**TWO, "bias": "both"}}, "distance": True}),
    "few_inputs": ("gru", {"inputs": ["action", "clock"]}),
}


def changed(name: str) -> tuple[str, dict[str, Any]]:
    kind, more = MODELS[name]
    return kind, {"max_history": LONG, **more}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=8, deadline=None)
@given(user=st.integers(0, 3), known=st.integers(2, 30), more=st.integers(1, 10))
def test_a_compiled_step_is_that_of_torch(name: str, user: int, known: int, more: int) -> None:
    kind, params = changed(name)
    model = model_of(kind, **params)
    stepper = Stepper(model)
    theirs = begin(model, tokens_between(model, user, 0, known))
    page = stepper.page(theirs)
    for n in range(known, known + more):
        page = stepper.step(page, STORE, int(STORE.offsets[user]) + n - 1)
        theirs = step(model, theirs, tokens_between(model, user, n, n + 1), 1)
    ours = stepper.view(page)
    for one in ("events", "states"):
        torch.testing.assert_close(getattr(ours.read, one), getattr(theirs.read, one), atol=1e-5, rtol=1e-5)
    assert ours.carried is not None
    assert theirs.carried is not None
    assert set(ours.carried) == set(theirs.carried)
    for one in theirs.carried:
        torch.testing.assert_close(ours.carried[one], theirs.carried[one], atol=1e-5, rtol=1e-5)
    tokens, others = vars(ours.read.tokens), vars(theirs.read.tokens)
    assert list(tokens["codes"]) == list(others["codes"])
    for name_of, code in others["codes"].items():
        torch.testing.assert_close(tokens["codes"][name_of], code)
    for field in ("numbers", "time_s", "point", "position", "mask", "begins"):
        if others[field] is not None:
            torch.testing.assert_close(tokens[field], others[field])


def test_torch_goes_on_from_a_compiled_step() -> None:
    kind, params = changed("both")
    model = model_of(kind, **params)
    stepper = Stepper(model)
    page = stepper.page(begin(model, tokens_between(model, 1, 0, 5)))
    view = stepper.view(stepper.step(page, STORE, int(STORE.offsets[1]) + 4))
    view = step(model, view, tokens_between(model, 1, 6, 7), 1)
    with torch.no_grad():
        expected = model.read(tokens_between(model, 1, 0, 7)).states
    torch.testing.assert_close(view.read.states, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["gru", "both"])
def test_two_may_go_on_from_one_page_in_different_ways(name: str) -> None:
    kind, params = changed(name)
    model = model_of(kind, **params)
    stepper, start = Stepper(model), int(STORE.offsets[0])
    page = stepper.page(begin(model, tokens_between(model, 0, 0, 6)))
    one = stepper.step(page, STORE, start + 5)
    kept = stepper.view(one).read.states.clone()
    other = stepper.step(stepper.step(page, STORE, start + 9), STORE, start + 10)
    again = stepper.step(page, STORE, start + 5)
    assert one.sheet is page.sheet
    assert other.sheet is not page.sheet
    assert torch.equal(stepper.view(one).read.states, kept)
    torch.testing.assert_close(stepper.view(again).read.states, kept)
    assert not torch.allclose(stepper.view(other).read.states[:, 6], kept[:, 6])


@pytest.mark.parametrize(("kind", "written"), [("gru", True), ("transformer", True), ("lstm", False), ("bert", False)])
def test_models_that_are_not_written_are_left_to_torch(kind: str, written: bool) -> None:
    assert can_step_compiled(model_of(kind)) is written
    if written:
        assert not can_step_compiled(model_of(kind, inputs=[*INPUTS, "position"]))
        assert not can_step_compiled(model_of(kind).double())


def test_edges_are_where_torchs_buckets_begin() -> None:
    gaps = np.unique(np.concatenate([time_edges() + by for by in (-1, 0, 1)] + [np.arange(100)]))
    ours = np.searchsorted(time_edges(), gaps, side="right")
    np.testing.assert_array_equal(ours, time_buckets(torch.from_numpy(gaps)).numpy())
    angle = torch.linspace(0, np.pi, 5_000, dtype=torch.float64) ** 3 / np.pi**2
    there = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], dim=1).float()[None]
    here = there[:, :1]
    found = 1 + np.searchsorted(space_edges(), chords(here, there)[0, 0].numpy(), side="right")
    np.testing.assert_array_equal(found, space_buckets(here, there)[0, 0].numpy())

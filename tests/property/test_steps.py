"""A step gives what a full pass over the tokens in view gives, whatever the history, also when the view slides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import ConfigError
from components.features.store import Store
from components.models.config import config_of
from components.models.encoders import ENCODERS
from components.models.encoders.language import LanguageEncoder
from components.models.incremental import Steps, View, begin, can_step, step
from components.models.sequence import SequenceModel
from components.models.tokens import Tokens
from components.training.gather import Slices, tokens_of
from tests.networks import network_params
from tests.toy import toy_store

INPUTS = ["item", "action", "numbers", "clock", "cells", "device", "category"]
L = 12
STEPPING = {"rnn", "lstm", "gru", "cnn_rnn", "transformer", "hstu"}
STORE = toy_store(n_users=4, events_per_user=40, pattern="random")
#: lm reads texts, of which this store has none; it claims no step, like every encoder that lacks `carry`.
PLAIN = sorted(set(ENCODERS) - {"lm"})
OPTIONS = {"transformer": {"layers": 2, "heads": 2, "feedforward": 2, "bias": "both"}}


def model_of(kind: str, store: Store = STORE, **changes: object) -> SequenceModel:
    params = network_params(kind, **{"inputs": INPUTS, "copy_heads": 0, "max_history": L, **changes})
    torch.manual_seed(1)
    model = SequenceModel(config_of(params, store.encoding)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape))  # biases that begin at zero must not hide anything
    return model


def tokens_between(model: SequenceModel, user: int, first: int, stop: int) -> Tokens:
    """(1, stop - first) tokens of a user's history; token 0 is its start."""
    start = np.asarray(STORE.offsets)[user : user + 1].astype(np.int64)
    length = np.array([stop - first])
    return tokens_of(STORE, Slices(start, np.array([first]), length, length), model.config)


def full(model: SequenceModel, user: int, first: int, stop: int) -> torch.Tensor:
    with torch.no_grad():
        return model.read(tokens_between(model, user, first, stop)).states


def walk(model: SequenceModel, user: int, known: int, until: int, slide: int) -> View:
    view = begin(model, tokens_between(model, user, 0, known))
    for n in range(known, until):
        view = step(model, view, tokens_between(model, user, n, n + 1), slide)
        assert view.length <= L
    return view


@pytest.mark.parametrize("kind", PLAIN)
@settings(max_examples=8, deadline=None)
@given(user=st.integers(0, 3), known=st.integers(1, L), more=st.integers(1, 27), slide=st.integers(1, L))
def test_a_step_is_a_full_pass_over_what_is_in_view(kind: str, user: int, known: int, more: int, slide: int) -> None:
    encoder = {"kind": kind, "options": OPTIONS[kind]} if kind in OPTIONS else None
    model = model_of(kind, **({} if encoder is None else {"encoder": encoder}))
    until = min(known + more, 41)
    view = walk(model, user, known, until, slide)
    expected = full(model, user, until - view.length, until)
    torch.testing.assert_close(view.read.states, expected, atol=2e-5, rtol=1e-4)
    if slide == 1 and until > L:
        assert view.length == L  # exactly what the judge sees


def test_the_encoders_that_claim_steps_are_these() -> None:
    assert {kind for kind in PLAIN if can_step(model_of(kind))} == STEPPING
    assert not issubclass(LanguageEncoder, Steps)


def test_positions_that_count_from_the_end_are_read_anew_and_still_agree() -> None:
    model = model_of("transformer", inputs=[*INPUTS, "position"])
    assert not can_step(model)
    view = walk(model, 0, 3, 9, 1)
    torch.testing.assert_close(view.read.states, full(model, 0, 0, 9), atol=1e-5, rtol=1e-4)


def test_answers_with_copy_heads_come_from_the_view() -> None:
    model = model_of("gru", copy_heads=2, item_bias=True, distance=True)
    view = walk(model, 1, 2, 8, 1)
    read = model.read(tokens_between(model, 1, 0, 8))
    with torch.no_grad():
        ours, theirs = (model.answer(one, torch.tensor([7]), None).item for one in (view.read, read))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_several_histories_of_one_length_step_together() -> None:
    model = model_of("hstu")
    parts = [walk(model, user, 4, 8, 1).read.states for user in (0, 1)]
    rows = np.asarray(STORE.offsets)[:2].astype(np.int64)

    def both(first: int, stop: int) -> Tokens:
        length = np.full(2, stop - first)
        return tokens_of(STORE, Slices(rows, np.full(2, first), length, length), model.config)

    view = begin(model, both(0, 4))
    for n in range(4, 8):
        view = step(model, view, both(n, n + 1), 1)
    torch.testing.assert_close(view.read.states, torch.cat(parts), atol=1e-5, rtol=1e-4)


def test_more_tokens_than_the_model_reads_are_refused() -> None:
    model = model_of("gru")
    with pytest.raises(ConfigError, match="at most 12 tokens"):
        begin(model, tokens_between(model, 0, 0, L + 1))


def test_a_step_never_changes_what_it_was_given() -> None:
    model = model_of("transformer")
    view = begin(model, tokens_between(model, 0, 0, 5))
    assert view.carried is not None
    before = {name: one.clone() for name, one in view.carried.items()}
    token = tokens_between(model, 0, 5, 6)
    first = step(model, view, token, 1)
    second = step(model, replace(view), token, 1)
    assert torch.equal(first.read.states, second.read.states)
    assert all(torch.equal(view.carried[name], one) for name, one in before.items())


@pytest.mark.parametrize("slide", [1, 5])
def test_a_full_view_lets_go_of_as_many_as_it_was_told(slide: int) -> None:
    view = walk(model_of("gru"), 2, L, L + 1, slide)
    assert view.length == L + 1 - slide

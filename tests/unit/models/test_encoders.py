"""Every encoder: a state knows its past and nothing else, however the batch is made up."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from components.errors import ConfigError
from components.models.config import SequenceConfig, config_of
from components.models.encoders import ENCODERS, build_encoder
from components.models.sequence import SequenceModel
from components.training.gather import Slices, tokens_of
from tests.networks import OPTIONS, network_params
from tests.toy import toy_encoding, toy_store


def config(kind: str, **changes: object) -> SequenceConfig:
    return config_of(network_params(kind, **changes), toy_encoding())


def model(kind: str, **changes: object) -> SequenceModel:
    torch.manual_seed(1)
    return SequenceModel(config(kind, **changes)).eval()


def test_every_encoder_is_tested() -> None:
    assert set(ENCODERS) == set(OPTIONS)


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_state_does_not_know_the_future(kind: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(config(kind)).eval()
    events, time = torch.randn(3, 9, 16), torch.arange(9).repeat(3, 1)
    mask = torch.ones(3, 9, dtype=torch.bool)
    before = encoder(events, time, mask)
    changed = events.clone()
    changed[:, 5:] += 1.0
    after = encoder(changed, time, mask)
    assert before.shape == (3, 9, 16)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-6)
    assert (before[:, 5] - after[:, 5]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_earlier_event_reaches_the_state(kind: str) -> None:
    encoder = build_encoder(config(kind)).eval()
    events = torch.randn(1, 6, 16, requires_grad=True)
    encoder(events, torch.zeros(1, 6), torch.ones(1, 6, dtype=torch.bool))[0, 5].square().sum().backward()
    assert events.grad is not None
    assert bool((events.grad[0].abs().sum(1) > 0).all())


@pytest.mark.parametrize("kind", ENCODERS)
def test_padding_and_neighbours_change_nothing(kind: str) -> None:
    store, one = toy_store(), model(kind)
    length = np.array([3, 12, 7])
    slices = Slices(store.offsets[:3], np.array([0, 5, 2]), length, length)
    together = one.states(tokens_of(store, slices, one.config))
    for i in range(3):
        alone = one.states(tokens_of(store, slices[slice(i, i + 1)], one.config))[0]
        torch.testing.assert_close(together[i, : length[i]], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["item", "action", "numbers", "clock", "cells", "device"])
def test_each_input_is_read(name: str) -> None:
    store = toy_store()
    length = np.array([10])
    one = model("gru", inputs=[name])
    tokens = tokens_of(store, Slices(store.offsets[:1], np.array([0]), length, length), one.config)
    codes = {key: torch.where(value > 0, value - 1, 1) for key, value in tokens.codes.items()}
    numbers = None if tokens.numbers is None else tokens.numbers + 1
    changed = one.states(replace(tokens, codes=codes, numbers=numbers))
    assert (one.states(tokens) - changed).abs().max() > 1e-4


def test_the_category_of_an_item_is_read_and_answers_with_it() -> None:
    store = toy_store()
    length = np.array([10])
    one = model("gru", inputs=["item", "category"])
    tokens = tokens_of(store, Slices(store.offsets[:1], np.array([0]), length, length), one.config)
    states, table = one.states(tokens), one.embedding.table.all().detach().clone()
    one.embedding.table.category += 2
    assert (one.states(tokens) - states).abs().max() > 1e-4
    assert (one.embedding.table.all() - table).abs().max() > 1e-4


@pytest.mark.parametrize("changes", [{"inputs": ["category"]}, {"inputs": ["mood"]}, {"heads": {"action": 1.0}}])
def test_wrong_inputs_and_heads_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        config("gru", **changes)


def test_positions_count_from_the_end() -> None:
    store, one = toy_store(), model("transformer", inputs=["position"])
    length = np.array([4, 6])
    slices = Slices(store.offsets[:2], np.array([2, 2]), length, length)
    tokens = tokens_of(store, slices, one.config)
    assert tokens.position.tolist() == [[3, 2, 1, 0, 0, 0], [5, 4, 3, 2, 1, 0]]


def test_the_start_token_gives_an_empty_history_a_state() -> None:
    store, one = toy_store(), model("transformer")
    nobody = Slices(np.array([0]), np.array([0]), np.array([1]), np.array([1]))
    states = one.states(tokens_of(store, nobody, one.config))
    assert bool(torch.isfinite(states).all())
    assert states.shape == (1, 1, 16)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gru", {}),
        ("gru", {"layers": 0}),
        ("gru", {"layers": 1, "heads": 2}),
        ("transformer", {"layers": 2, "heads": 3, "feedforward": 1}),
        ("lstm++", {"layers": 1}),
    ],
)
def test_wrong_options_are_refused(kind: str, options: dict[str, int]) -> None:
    wrong = replace(config("gru"), encoder=kind, options=options)
    with pytest.raises(ConfigError):
        build_encoder(wrong)


def test_configuration_survives_json() -> None:
    one = config("transformer")
    assert SequenceConfig.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_log_without_time_has_no_clock() -> None:
    encoding = toy_encoding()
    ordinal = replace(encoding, settings={**encoding.settings, "time_kind": "ordinal"})
    one = config_of(network_params("gru", target_time="given"), ordinal)
    assert "time" not in one.heads
    assert "clock" not in one.inputs
    assert not one.request_clock

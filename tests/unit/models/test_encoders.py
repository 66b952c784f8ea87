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
from components.models.tokens import Tokens
from components.training.gather import Slices, tokens_of
from tests.networks import OPTIONS, network_params
from tests.toy import toy_encoding, toy_store

PLAIN = [kind for kind in ENCODERS if kind != "lm"]  # it reads texts: test_language_encoder.py
CAUSAL = [kind for kind in PLAIN if kind != "bert"]


def config(kind: str, **changes: object) -> SequenceConfig:
    return config_of(network_params(kind, **changes), toy_encoding())


def model(kind: str, **changes: object) -> SequenceModel:
    torch.manual_seed(1)
    return SequenceModel(config(kind, **changes)).eval()


def tokens_for(events: torch.Tensor, seed: int = 0) -> Tokens:
    """Tokens of some time and place for embedded events (B, L, d): full rows, cut from longer histories."""
    rng = torch.Generator().manual_seed(seed)
    B, L, _ = events.shape
    point = torch.nn.functional.normalize(torch.randn(B, L, 3, generator=rng), dim=2)
    return Tokens(
        codes={},
        numbers=None,
        time_s=torch.randint(1, 10**6, (B, L), generator=rng).cumsum(1),
        point=point * (torch.rand(B, L, 1, generator=rng) < 0.8),
        position=torch.arange(L - 1, -1, -1).repeat(B, 1),
        mask=torch.ones(B, L, dtype=torch.bool),
        begins=torch.zeros(B, dtype=torch.bool),
        hidden=None,
    )


def test_every_encoder_is_tested() -> None:
    assert set(PLAIN) == set(OPTIONS)


@pytest.mark.parametrize("kind", CAUSAL)
def test_a_state_does_not_know_the_future(kind: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(config(kind)).eval()
    events = torch.randn(3, 9, 16)
    tokens = tokens_for(events)
    assert tokens.point is not None
    before = encoder(events, tokens)
    changed, time_s, point = events.clone(), tokens.time_s.clone(), tokens.point.clone()
    changed[:, 5:] += 1.0
    time_s[:, 5:] += 10**7
    point[:, 5:] = -point[:, 5:]
    after = encoder(changed, replace(tokens, time_s=time_s, point=point))
    assert before.shape == (3, 9, 16)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-6)
    assert (before[:, 5] - after[:, 5]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", PLAIN)
def test_every_earlier_event_reaches_the_state(kind: str) -> None:
    encoder = build_encoder(config(kind)).eval()
    events = torch.randn(1, 6, 16, requires_grad=True)
    weight = torch.randn(16, generator=torch.Generator().manual_seed(0))
    (encoder(events, tokens_for(events))[0, 5] * weight).sum().backward()
    assert events.grad is not None
    assert bool((events.grad[0].abs().sum(1) > 0).all())


def test_a_hidden_event_is_told_from_both_sides_and_never_from_itself() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(config("bert")).eval()
    events = torch.randn(2, 8, 16)
    hidden = torch.zeros(2, 8, dtype=torch.bool)
    hidden[:, 3] = True
    tokens = replace(tokens_for(events), hidden=hidden)
    before = encoder(events, tokens)
    itself, later = events.clone(), events.clone()
    itself[:, 3] = torch.randn(2, 16)
    later[:, 6] = torch.randn(2, 16)
    assert encoder(itself, tokens).equal(before)
    assert (encoder(later, tokens)[:, 2] - before[:, 2]).abs().max() > 1e-3  # token 2 answers event 3
    seen = encoder(itself, replace(tokens, hidden=None))
    assert (seen[:, 2] - encoder(events, replace(tokens, hidden=None))[:, 2]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", PLAIN)
def test_the_gradient_reaches_every_weight(kind: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(config(kind, dropout=0.0))
    events = torch.randn(4, 12, 16)
    (encoder(events, tokens_for(events)) * torch.randn(4, 12, 16)).sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().sum()) > 0, name


@pytest.mark.parametrize(
    ("kind", "name", "reads"),
    [
        *[(kind, "bias", word) for kind in ("transformer", "hstu") for word in ("none", "time", "space", "both")],
        *[("st_lstm", "gates", word) for word in ("time", "space", "both")],
    ],
)
def test_times_and_places_are_read_where_they_are_asked_for(kind: str, name: str, reads: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(replace(config(kind), options={**OPTIONS[kind], name: reads})).eval()
    events = torch.randn(2, 6, 16)
    tokens = tokens_for(events)
    point = torch.roll(tokens.point, 1, dims=0) if tokens.point is not None else None
    states = encoder(events, tokens)
    later = encoder(events, replace(tokens, time_s=tokens.time_s * 100))
    elsewhere = encoder(events, replace(tokens, point=point))
    assert torch.equal(states, later) != (reads in ("time", "both"))
    assert torch.equal(states, elsewhere) != (reads in ("space", "both"))


@pytest.mark.parametrize(("kind", "name"), [("transformer", "bias"), ("hstu", "bias"), ("st_lstm", "gates")])
def test_what_a_log_does_not_have_is_refused(kind: str, name: str) -> None:
    encoding = toy_encoding()
    ordinal = replace(encoding, settings={**encoding.settings, "time_kind": "ordinal"})
    words = {kind: one for kind, one in encoding.vocabularies.items() if not kind.startswith("cell_")}
    nowhere = replace(encoding, vocabularies=words)
    for word, log, lacks in (("time", ordinal, "order alone"), ("space", nowhere, "no places")):
        params = network_params(kind, encoder={"kind": kind, "options": {**OPTIONS[kind], name: word}})
        assert config_of(params, encoding).reads_points == (word == "space")
        with pytest.raises(ConfigError, match=lacks):
            config_of(params, log)


def test_a_bias_that_is_zero_changes_nothing() -> None:
    plain, biased = model("transformer"), model("transformer")
    biased.encoder = build_encoder(replace(biased.config, options={**OPTIONS["transformer"], "bias": "both"})).eval()
    biased.encoder.load_state_dict(plain.encoder.state_dict(), strict=False)
    for bias in biased.encoder.biases:
        bias.time.weight.data.zero_()
        bias.space.weight.data.zero_()
    events = torch.randn(3, 8, 16)
    tokens = tokens_for(events)
    torch.testing.assert_close(plain.encoder(events, tokens), biased.encoder(events, tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", PLAIN)
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
        ("transformer", {"layers": 2, "heads": 3, "feedforward": 1, "bias": "none"}),
        ("transformer", {"layers": 2, "heads": 2, "feedforward": 1, "bias": "mood"}),
        ("transformer", {"layers": 2, "heads": 2, "feedforward": 1}),
        ("cnn_rnn", {"kernel": 3, "convolutions": 1, "cell": "transformer", "layers": 1}),
        ("st_lstm", {"layers": 1, "gates": "none"}),
        ("hstu", {"layers": 1, "heads": 3, "bias": "none"}),
        ("bert", {"layers": 1, "heads": 2, "feedforward": 1, "mask_share": 1}),
        ("bert", {"layers": 1, "heads": 2, "feedforward": 1}),
        ("seq2seq", {"layers": 1, "decoder_layers": 1, "heads": 2, "feedforward": 1, "horizon": 0}),
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

"""Events as text: what is written of them, what a state has read, and what it cannot have."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from components.errors import ConfigError, IntegrityError
from components.features.encoding import Encoding
from components.language.pretrained import load_pretrained
from components.models.config import SequenceConfig, config_of, language_digest
from components.models.encoders import build_encoder
from components.models.encoders.language import LanguageEncoder
from components.models.tokens import Tokens
from components.training.gather import Slices, tokens_of
from tests.languages import lm, need_minilm, tiny
from tests.networks import network_params
from tests.toy import toy_store


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("lm") / request.param, request.param)


def told(encoding: Encoding) -> Encoding:
    """The toy's items under names whose words the small tokenizer knows."""
    names = ["", "", *(("coffee", "bar", "museum", "coffee bar")[i % 4] for i in range(encoding.n_items - 2))]
    return replace(encoding, catalogue=replace(encoding.catalogue, title=np.array(names, dtype=object)))


STORE = replace(toy_store(), encoding=told(toy_store().encoding))


def config(folder: Path | str, **changes: object) -> SequenceConfig:
    options = changes.pop("options", {})
    params = network_params("gru", **{"encoder": lm(folder, **options), **changes})  # type: ignore[arg-type]
    return config_of(params, STORE.encoding)


def encoder(folder: Path | str, **changes: object) -> LanguageEncoder:
    torch.manual_seed(0)
    found = build_encoder(config(folder, **changes))
    assert isinstance(found, LanguageEncoder)
    found.begin(STORE.encoding)
    return found.eval()


def tokens_for(one: SequenceConfig) -> Tokens:
    """Three histories: whole, cut, and whole but short."""
    length = np.array([9, 12, 4])
    return tokens_of(STORE, Slices(STORE.offsets[:3], np.array([0, 5, 0]), length, length), one)


def written(one: LanguageEncoder, tokens: Tokens, name: str) -> list[list[str]]:
    """What is read of each event of the first history, in words."""
    ids, at = one.texts(tokens)
    words = load_pretrained(name).tokenizer.convert_ids_to_tokens
    edges = at[0].tolist()
    return [words(ids[0, a + 1 : b + 1].tolist()) for a, b in itertools.pairwise(edges)]


def test_an_event_is_written_by_the_template(folder: Path) -> None:
    one = encoder(folder)
    tokens = tokens_for(config(folder))
    said = written(one, tokens, str(folder))
    hour, day = int(tokens.codes["hour"][0, 2]), int(tokens.codes["weekday"][0, 2])
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    title = told(STORE.encoding).catalogue.title[int(tokens.codes["item"][0, 2])]
    action = STORE.encoding.vocabularies["action"].ids[int(tokens.codes["action"][0, 2])]
    gap = int(tokens.time_s[0, 2] - tokens.time_s[0, 1])
    later = "hours" if 3600 <= gap < 72_000 else "a" if 72_000 <= gap < 129_600 else "days"
    assert said[1][0] == later
    hours = str(hour % 12 or 12), "am" if hour < 12 else "pm"
    rest = [days[day], *hours, action, *title.split()]
    start = said[1].index(days[day])
    assert said[1][start : start + len(rest)] == rest
    assert said[0][0] == days[int(tokens.codes["weekday"][0, 1])]  # nothing came before the first event


def test_an_event_is_cut_to_its_tokens(folder: Path) -> None:
    shape = config(folder, options={"tokens": 3})
    said = written(encoder(folder, options={"tokens": 3}), tokens_for(shape), str(folder))
    assert {len(one) for one in said[:8]} == {3}
    assert said[1] == written(encoder(folder), tokens_for(config(folder)), str(folder))[1][:3]


def test_the_start_has_a_state_of_its_own_and_padding_has_no_text(folder: Path) -> None:
    one, tokens = encoder(folder), tokens_for(config(folder))
    ids, at = one.texts(tokens)
    assert at[0, 0] == 0
    assert at[1, 0] > 0  # the history was cut: its first token is an event
    assert set(at[2, 3:].tolist()) == {int(at[2, 3])}
    assert set(ids[:, 0].tolist()) == {one.texts.first}
    assert ids.shape[1] == int(at.max()) + 1


def test_a_state_does_not_know_the_future(folder: Path) -> None:
    one, tokens = encoder(folder), tokens_for(config(folder))
    events = torch.randn(3, 12, 16)
    before = one(events, tokens)
    codes = {name: code.clone() for name, code in tokens.codes.items()}
    codes["item"][:, 5:], codes["hour"][:, 5:], codes["action"][:, 5:] = 1, 23, 3
    time_s = tokens.time_s.clone()
    time_s[:, 5:] += 10**7
    changed = events.clone()
    changed[:, 5:] += 1.0
    after = one(changed, replace(tokens, codes=codes, time_s=time_s))
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-6)
    assert (before[:2, 5] - after[:2, 5]).abs().max() > 1e-3


@pytest.mark.parametrize("column", ["item", "action", "hour", "weekday"])
def test_every_earlier_event_reaches_the_state_through_its_words(folder: Path, column: str) -> None:
    one, tokens = encoder(folder), tokens_for(config(folder))
    events = torch.zeros(3, 12, 16)
    before = one(events, tokens)
    codes = {name: code.clone() for name, code in tokens.codes.items()}
    codes[column][0, 1] = 3 if int(codes[column][0, 1]) != 3 else 2
    assert (one(events, replace(tokens, codes=codes))[0, 8] - before[0, 8]).abs().max() > 1e-5


def test_padding_and_neighbours_change_nothing(folder: Path) -> None:
    one, shape = encoder(folder), config(folder)
    length = np.array([3, 12, 7])
    slices = Slices(STORE.offsets[:3], np.array([0, 5, 2]), length, length)
    events = torch.randn(3, 12, 16)
    with torch.no_grad():
        together = one(events, tokens_of(STORE, slices, shape))
        for i in range(3):
            mine = tokens_of(STORE, slices[slice(i, i + 1)], shape)
            alone = one(events[i : i + 1, : length[i]], mine)[0]
            torch.testing.assert_close(together[i, : length[i]], alone, rtol=1e-5, atol=1e-5)


def test_histories_that_are_read_in_parts_are_read_alike(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, tokens = encoder(folder), tokens_for(config(folder))
    events = torch.randn(3, 12, 16)
    with torch.no_grad():
        whole = one(events, tokens)
        monkeypatch.setattr("components.models.encoders.language._AT_ONCE", 1)
        torch.testing.assert_close(one(events, tokens), whole, rtol=1e-5, atol=1e-5)


def learning(one: LanguageEncoder) -> set[str]:
    """Weights of the language model that a step moves."""
    tokens = tokens_for(config(one.name, options={"tuning": one.tuning}))
    (one.train()(torch.randn(3, 12, 16), tokens) * torch.randn(3, 12, 16)).sum().backward()
    return {name for name, weight in one.language.named_parameters() if weight.grad is not None}


def test_adapters_alone_learn_and_are_merged_away(folder: Path) -> None:
    one = encoder(folder)
    moved = learning(one)
    assert moved
    assert all("lora_" in name for name in moved)
    plain = encoder(folder, options={"tuning": "frozen"})
    for name, weight in one.language.named_parameters():
        if "lora_B" in name:
            weight.data.normal_()  # as if it had learned
    tokens, events = tokens_for(config(folder)), torch.randn(3, 12, 16)
    one.eval()
    before = one(events, tokens)
    one.settle()
    assert {name for name, _ in one.named_parameters()} == {name for name, _ in plain.named_parameters()}
    torch.testing.assert_close(one(events, tokens), before, rtol=1e-4, atol=1e-5)
    assert (plain(events, tokens) - before).abs().max() > 1e-3


def test_all_learn_or_nothing_does(folder: Path) -> None:
    full = encoder(folder, options={"tuning": "full"})
    unread = {name for name, _ in full.language.named_parameters()} - learning(full)
    assert not [name for name in unread if not name.startswith("pooler.")]  # what pools is not asked
    assert not learning(encoder(folder, options={"tuning": "frozen"}))


def test_a_frozen_model_drops_nothing(folder: Path) -> None:
    one = encoder(folder, options={"tuning": "frozen"}).train()
    assert one.training
    assert not one.language.training


def test_a_run_is_known_by_the_model_that_it_reads_with(folder: Path, tmp_path: Path) -> None:
    other = tiny(tmp_path / "other", seed=1)
    digests = [language_digest(network_params("gru", encoder=lm(one))) for one in (folder, other)]
    shape = config(folder)
    assert shape.language is not None
    assert digests[0] == shape.language["digest"] != digests[1]
    assert language_digest(network_params("gru")) is None


def test_the_first_layers_can_be_taken_alone(folder: Path) -> None:
    one, all_of_it = config(folder, options={"layers": 1}), config(folder, options={"layers": 9})
    assert one.language is not None
    assert all_of_it.language is not None
    depth = {
        shape["architecture"].get("num_hidden_layers", shape["architecture"].get("n_layer"))
        for shape in (one.language, all_of_it.language)
    }
    assert depth == {1, 2}


def test_configuration_survives_json(folder: Path) -> None:
    one = config(folder)
    assert SequenceConfig.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert one.told_columns == ("weekday", "hour", "action", "item")


def test_a_log_of_mere_order_is_read_without_times(folder: Path) -> None:
    ordinal = replace(STORE.encoding, settings={**STORE.encoding.settings, "time_kind": "ordinal"})
    one = config_of(network_params("gru", encoder=lm(folder)), ordinal)
    assert one.told_columns == ("action", "item")


def wrong(folder: Path) -> Iterator[tuple[dict[str, object], str]]:
    yield {"options": {"tokens": 0}}, "options model, template, layers and tokens"
    yield {"options": {"model": str(folder / "gone")}}, "no such folder"
    yield {"options": {"template": "{mood}"}}, "mood"
    yield {"options": {"tuning": "half"}}, "tuning"
    yield {"options": {"learning_rate": 0}}, "learning_rate"
    yield {"options": {"rank": 0}}, "integers in 1"
    yield {"options": {"more": 1}}, "integers in 1"
    yield {"options": {"targets": "no_such_matrix"}}, "no_such_matrix"
    yield {"max_history": 40}, "at most 256 tokens"


def test_what_cannot_be_is_refused(folder: Path) -> None:
    for changes, message in wrong(folder):
        with pytest.raises(ConfigError, match=message):
            encoder(folder, **changes)


def test_a_model_that_cannot_be_kept_from_the_future_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sees_all = "components.models.encoders.language.hidden_states"
    monkeypatch.setattr(
        sees_all, lambda language, ids: ids[..., None].float() + ids.sum(1, keepdim=True)[..., None].float()
    )
    with pytest.raises(ConfigError, match="kept from what comes later"):
        encoder(folder)


def test_tables_that_name_no_token_are_refused(folder: Path) -> None:
    one = encoder(folder)
    one.texts.check()
    one.texts.get_buffer("piece_0")[1, 0] = 10_000
    with pytest.raises(IntegrityError, match="out of range"):
        one.texts.check()


def test_the_real_model_reads_items_of_one_name_alike() -> None:
    options = {"tuning": "frozen", "layers": 3, "template": "{title}"}
    one, tokens = encoder(need_minilm(), options=options), tokens_for(config(need_minilm(), options=options))
    item, events = tokens.codes["item"], torch.zeros(3, 12, 16)
    namesake = torch.where(item > 1, 2 + (item + 2) % 20, item)  # the toy's names come again after four items
    another = torch.where(item > 1, 2 + (item - 1) % 20, item)
    states, same, other = (one(events, replace(tokens, codes={"item": codes})) for codes in (item, namesake, another))
    torch.testing.assert_close(states, same)
    assert (states - other)[:, 1:4].abs().max() > 1e-3

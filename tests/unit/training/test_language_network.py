"""A network that reads events as text, as a predictor: it learns from words alone, and its artifact is whole."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.errors import ConfigError
from components.features.store import Store
from components.files import read_json, sha256_tree
from components.language.folders import digest_of_model
from components.models.config import config_of
from components.models.encoders.language import LanguageEncoder
from components.models.sequence import SequenceModel
from components.predictor import NoTracker, Window
from components.training.batches import Batch, Corpus
from components.training.gather import Slices
from components.training.loop import Trainer, learning_rate, make_optimiser
from components.training.network import NetworkPredictor, initial_model
from components.training.tune import Judge
from tests.languages import lm, need_text, tiny
from tests.networks import HIDDEN, fitted, ndcg, popularity_ndcg, predictor, queries_of
from tests.toy import toy_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("lm") / "bert")


def named(n_users: int = 12, **changes: int) -> Store:
    """Twelve items in a ring, called by the numbers that the small tokenizer knows."""
    store = toy_store(n_users=n_users, n_items=12, **changes)
    titles = np.array(["", "", *(str(i + 1) for i in range(12))], dtype=object)
    encoding = replace(store.encoding, catalogue=replace(store.encoding.catalogue, title=titles))
    return replace(store, encoding=encoding)


def test_the_order_of_items_is_learned_from_their_words_alone(folder: Path) -> None:
    store = named(60)
    settings = {"inputs": [], "heads": {"item": 1.0}, "loop": {"epochs": 12}}
    reader = lm(folder, template="{title}", tokens=2, tuning="full", learning_rate=0.01)
    mute = lm(folder, template="{device}", tokens=2, tuning="full", learning_rate=0.01)
    score, silent = (ndcg(store, fitted(store, predictor("gru", encoder=one, **settings))) for one in (reader, mute))
    assert score > 0.75
    assert score > max(silent, popularity_ndcg(store)) + 0.3


def test_a_saved_model_is_whole_and_answers_the_same(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "base"
    shutil.copytree(folder, own)
    store = named()
    one = fitted(store, predictor("gru", encoder=lm(own)))
    one.save(tmp_path / "m")
    record = read_json(tmp_path / "m" / "config.json")
    assert record["model"]["language"]["digest"] == digest_of_model(own)
    shutil.rmtree(own)  # neither hub nor base model is needed from here on
    two = NetworkPredictor.load(tmp_path / "m")
    queries = queries_of(store, one)
    a, b = one.score(queries), two.score(queries)
    np.testing.assert_array_equal(a.item, b.item)
    np.testing.assert_array_equal(a.action, b.action)  # type: ignore[arg-type]
    assert not any("lora" in name for name in two.model.state_dict())
    two.save(tmp_path / "n")
    assert sha256_tree(tmp_path / "m") == sha256_tree(tmp_path / "n")


def test_a_last_lesson_reaches_the_adapters_too(folder: Path) -> None:
    store = named()
    loops = ({"epochs": 1, "finish_epochs": more} for more in (0, 1))
    chosen, finished = (
        {name: weight for name, weight in one.model.state_dict().items() if name.startswith("encoder.language.")}
        for one in (fitted(store, predictor("gru", encoder=lm(folder), loop=loop)) for loop in loops)
    )
    assert chosen.keys() == finished.keys()
    assert any(not weight.equal(finished[name]) for name, weight in chosen.items())


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    store = named()
    for name in ("a", "b"):
        fitted(store, predictor("gru", encoder=lm(folder))).save(tmp_path / name)
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")


def test_a_training_that_was_stopped_goes_on_to_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, loop = named(), {"epochs": 2, "tokens_per_batch": 64, "checkpoint_every_steps": 1}
    fitted(store, predictor("gru", encoder=lm(folder), loop=loop)).save(tmp_path / "whole")
    one, take = predictor("gru", encoder=lm(folder), loop=loop), Trainer.take

    def stopped(self: Trainer, slices: Slices, steps: int) -> Batch:
        if self.state.step == 3:
            raise KeyboardInterrupt
        return take(self, slices, steps)

    one.checkpoints = tmp_path / "checkpoints"
    monkeypatch.setattr(Trainer, "take", stopped)
    with pytest.raises(KeyboardInterrupt):
        fitted(store, one)
    monkeypatch.setattr(Trainer, "take", take)
    fitted(store, one).save(tmp_path / "resumed")
    assert one.curves[0]["step"] == 1.0
    assert sha256_tree(tmp_path / "resumed") == sha256_tree(tmp_path / "whole")


def test_an_artifact_without_the_extra_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(named(), predictor("gru", encoder=lm(folder, tuning="frozen"), loop={"epochs": 1})).save(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'chronotope\[text\]'"):
        NetworkPredictor.load(tmp_path / "m")


def test_answers_do_not_depend_on_what_comes_later(folder: Path) -> None:
    store = named()
    one = fitted(store, predictor("gru", encoder=lm(folder), loop={"epochs": 1}))
    query = queries_of(store, one, n=1)
    later = np.arange(store.n_events) >= int(query.stop[0])
    names = ("item", "action", "local_hour", "local_weekday", "time_s")
    changed = {name: np.where(later, 2, np.asarray(store[name])).astype(store[name].dtype) for name in names}
    other = replace(query, store=replace(store, columns={**store.columns, **changed}))
    np.testing.assert_array_equal(one.score(query).item, one.score(other).item)


def trainer(folder: Path, tuning: str) -> Trainer:
    need_text()
    store, one = named(), predictor("gru", encoder=lm(folder, tuning=tuning, learning_rate=0.002))
    config = config_of(one.network, store.encoding)
    corpus = Corpus(Window(store, "train"), config, "last", 256, 0)
    judge = Judge.of(Window(store, "tune"), HIDDEN, "ndcg@10", 10, 0)
    model = initial_model(config, store.encoding, corpus, 0)
    return Trainer(model, corpus, judge, one.loop, one.precision, 0, NoTracker(), None)


def reader_of(model: SequenceModel) -> LanguageEncoder:
    assert isinstance(model.encoder, LanguageEncoder)
    return model.encoder


@pytest.mark.parametrize("tuning", ["lora", "full", "frozen"])
def test_pretrained_weights_have_a_learning_rate_of_their_own(folder: Path, tuning: str) -> None:
    one = trainer(folder, tuning)
    plan = one.corpus.plan(0)
    before = {name: weight.detach().clone() for name, weight in one.model.named_parameters()}
    for _ in range(2):
        one.take(plan[0], 2)
    rates = {id(weight): group["lr"] for group in one.optimiser.param_groups for weight in group["params"]}
    own = learning_rate(one.loop.optimiser, 1, 0.0)
    pretrained = {id(weight) for weight in reader_of(one.model).language.parameters()}
    moved = set()
    for name, weight in one.model.named_parameters():
        if id(weight) in pretrained:
            assert rates.get(id(weight), own * 0.2) == pytest.approx(own * 0.2)
            moved |= {name} if not weight.equal(before[name]) else set()
        else:
            assert rates[id(weight)] == pytest.approx(own)
    assert bool(moved) == (tuning != "frozen")
    assert all("lora_" in name for name in moved) or tuning == "full"


def test_plain_networks_keep_two_groups() -> None:
    store, one = named(), predictor("gru")
    config = config_of(one.network, store.encoding)
    groups = make_optimiser(SequenceModel(config), one.loop.optimiser).param_groups
    assert [group["share"] for group in groups] == [1.0, 1.0]

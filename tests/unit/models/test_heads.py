"""Auxiliary heads: the next category and the coarse cell are learned where a log has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.features.place import expected_place
from components.models.config import config_of
from components.models.losses import class_cross_entropy
from components.predictor import Window
from components.training.batches import Corpus
from components.training.begin import initial_model
from tests.networks import network_params
from tests.toy import toy_encoding, toy_store

HEADS = {"item": 1.0, "place": 0.3, "place_coarse": 0.2, "category": 0.2}


def test_their_losses_are_those_of_the_next_event() -> None:
    store = toy_store()
    config = config_of(network_params("gru", heads=HEADS, dropout=0.0), store.encoding)
    corpus = Corpus(Window(store, "train"), config, "chunks", 256, 0)
    model = initial_model(config, store.encoding, corpus, 0).eval()
    slices = corpus.plan(0)[0]
    batch = corpus.batch(slices)
    found = model.losses(batch.tokens, batch.targets, 0.0, torch.float32)
    assert set(found) == set(HEADS) == set(batch.count)
    item = batch.targets.item
    category = torch.from_numpy(np.asarray(store.encoding.catalogue.category)[item.numpy()]).long()
    states = model.states(batch.tokens).flatten(0, 1)[batch.targets.at]
    assert model.category is not None
    expected = class_cross_entropy(model.category(states), (category - 2).clamp_min(-1))
    torch.testing.assert_close(found["category"], expected)
    assert batch.count["category"] == int((category > 1).sum())
    row = {int(fine): int(coarse) for fine, coarse in zip(store["cell_8"], store["cell_6"], strict=True)}
    assert [row[code] for code in batch.targets.place.tolist()] == batch.targets.place_coarse.tolist()
    answers = model.answer_step(states, None)
    assert answers.category is not None
    assert answers.place_coarse is not None
    assert answers.category.shape[1] == 4
    assert answers.place_coarse.shape[1] == 4
    torch.testing.assert_close(answers.category.exp().sum(1), torch.ones(len(states)))


def test_a_log_without_them_has_no_such_heads() -> None:
    encoding = toy_encoding(n_categories=1)
    assert "category" not in config_of(network_params("gru", heads=HEADS), encoding).heads
    vocabularies = {name: one for name, one in encoding.vocabularies.items() if name != "cell_6"}
    one = config_of(network_params("gru", heads=HEADS), replace(encoding, vocabularies=vocabularies))
    assert "place" in one.heads
    assert "place_coarse" not in one.heads


def test_the_expected_place_is_the_centre_of_the_weight() -> None:
    latitude, longitude = np.array([np.nan, 48.0, 49.0, 48.0]), np.array([np.nan, 2.0, 2.0, 3.0])
    weight = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]])
    lat, lon = expected_place(weight, latitude, longitude)
    assert lat[:2] == pytest.approx([48.0, 48.5])
    assert lon[:2] == pytest.approx([2.0, 2.0])
    assert np.isnan(lat[2])
    lat, lon = expected_place(np.array([[1.0, 1.0]]), np.array([0.0, 0.0]), np.array([179.0, -179.0]))
    assert abs(lon[0]) == pytest.approx(180.0)  # not Greenwich

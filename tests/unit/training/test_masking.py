"""Hidden events: nothing of them is left in what a model reads, and only they are asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from components.features.store import Store
from components.models.config import config_of
from components.models.sequence import SequenceModel
from components.predictor import Window
from components.training.batches import Corpus
from components.training.gather import Slices, tokens_of
from components.training.masking import asked, draw, hide
from tests.networks import network_params, with_columns
from tests.toy import toy_store

SLICES = Slices(np.array([0, 40, 80]), np.array([0, 0, 3]), np.array([12, 7, 12]), np.array([12, 6, 12]))


def corpus(store: Store) -> Corpus:
    config = config_of(network_params("bert"), store.encoding)
    return Corpus(Window(store, "train"), config, "chunks", 256, 0)


def test_nothing_of_a_hidden_event_is_left() -> None:
    store = toy_store()
    config = replace(config_of(network_params("bert"), store.encoding), options={"bias": "both"})  # points as well
    slices, hidden = draw(SLICES, 0.4, 0)
    token = slices.first[:, None] + np.arange(hidden.shape[1])
    row = (slices.begin[:, None] + token - 1)[hidden]
    at = np.zeros(store.n_events, bool)
    at[row] = True
    columns = {
        name: np.where(at, store[name] + 1, store[name]).astype(store[name].dtype)
        for name in ("item", "action", "device", "local_hour", "local_weekday", "holiday", "cell_6", "cell_8", "time_s")
    }
    columns["latitude"] = np.where(at, -store["latitude"], store["latitude"])
    numbers, missing = store.numbers.copy(), store.missing.copy()
    for changed in (row, row + 1):  # the next event's gap and distance are those to the hidden one
        numbers[changed] += 5
        missing[changed] ^= 1
    other = replace(with_columns(store, **columns), numbers=numbers, missing=missing)
    a, b = (hide(tokens_of(one, slices, config), torch.from_numpy(hidden)) for one in (store, other))
    assert hidden.sum() > 5
    assert all(a.codes[name].equal(b.codes[name]) for name in a.codes)
    assert a.numbers is not None
    assert b.numbers is not None
    assert a.numbers.equal(b.numbers)
    assert a.time_s.equal(b.time_s)
    assert a.point is not None
    assert b.point is not None
    assert a.point.equal(b.point)
    assert bool((a.point.abs().sum(-1) > 0).any())


def test_hidden_events_and_the_end_are_asked_and_nothing_else() -> None:
    store = toy_store()
    one = corpus(store)
    for slices in one.plan(0):
        batch = one.batch(slices)
        hidden = batch.tokens.hidden
        assert hidden is not None
        L = hidden.shape[1]
        length = batch.tokens.mask.sum(1)
        at = set(batch.targets.at.tolist()) | set(batch.targets.open_at.tolist())
        ends = {i * L + int(n) - 1 for i, n in enumerate(length)}
        inner = {i * L + j - 1 for i, j in hidden.nonzero().tolist()}
        assert at == ends | inner
        assert batch.count["item"] == len(batch.targets.at)
        items = batch.tokens.codes["item"].flatten()
        shown = [place + 1 for place in batch.targets.at.tolist() if place not in ends]
        assert bool((items[shown] == 0).all())


def test_the_share_and_the_open_intervals_are_as_asked_for() -> None:
    many = Slices(np.arange(4000) * 20, np.zeros(4000, np.int64), np.full(4000, 11), np.full(4000, 10))
    slices, hidden = draw(many, 0.3, 0)
    assert abs(hidden[:, 1:10].mean() - 0.3) < 0.02
    assert not hidden[:, 0].any()
    assert abs((slices.length > slices.answers).mean() - 0.3) < 0.03
    assert asked(slices, hidden)[np.arange(4000), slices.length - 1].all()
    again = draw(many, 0.3, 0)[1]
    assert np.array_equal(hidden, again)
    assert not np.array_equal(hidden, draw(many, 0.3, 1)[1])


def test_other_encoders_are_asked_everything() -> None:
    store = toy_store()
    config = config_of(network_params("gru"), store.encoding)
    one = Corpus(Window(store, "train"), config, "chunks", 256, 0)
    batch = one.batch(one.plan(0)[0])
    assert batch.tokens.hidden is None
    assert len(batch.targets.at) + len(batch.targets.open_at) == int(batch.tokens.mask.sum())


def test_gradients_reach_every_weight_in_training() -> None:
    store = toy_store()
    one = corpus(store)
    torch.manual_seed(0)
    model = SequenceModel(one.config)
    batch = one.batch(one.plan(0)[0])
    sum(model.losses(batch.tokens, batch.targets, 0.0, torch.float32).values()).backward()  # type: ignore[union-attr]
    still = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert still == []

"""What is judged and kept while a network trains: a mean of weights, and the likelihood of the tune window."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from components.models.config import config_of
from components.predictor import Window
from components.training.average import WeightMean
from components.training.batches import Corpus
from components.training.likelihood import Likelihood
from tests.networks import fitted, network_params, predictor, queries_of
from tests.toy import toy_store


def test_the_mean_follows_the_weights_and_gives_them_back() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    mean = WeightMean(layer, 0.5)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    mean.follow(0)  # keeps (1 + 0) / (10 + 0) of the old mean
    mean.follow(100)  # keeps one half
    with mean.in_place():
        assert float(layer.weight.detach()) == pytest.approx(0.95)
    assert float(layer.weight.detach()) == 1.0


def test_without_a_decay_there_is_no_mean() -> None:
    layer = nn.Linear(1, 1)
    mean = WeightMean(layer, 0.0)
    mean.follow(0)
    assert mean.tensors == {}
    before = layer.weight.detach().clone()
    with mean.in_place():
        assert torch.equal(layer.weight, before)


def test_the_mean_is_what_is_kept() -> None:
    store = toy_store()
    kept, plain = (fitted(store, predictor("gru", loop={"average": decay})).model.state_dict() for decay in (0.9, 0.0))
    assert any(not torch.equal(kept[name], plain[name]) for name in kept)


def test_the_likelihood_is_of_the_answers() -> None:
    store = toy_store()
    inputs = ["item", "action", "numbers"]  # no position: that of a stretch is counted from its end
    changes = {"heads": {"item": 1.0}, "max_history": 64, "inputs": inputs}
    one = fitted(store, predictor("gru", loop={"choose_by": "log_likelihood"}, **changes))
    config = config_of(one.network, store.encoding)
    found = Likelihood(Corpus(Window(store, "tune"), config, "last", 256, 0)).score(one.model, one.precision)
    rows = Window(store, "tune").targets
    item = np.asarray(store["item"])[np.sort(rows)]
    queries = queries_of(store, one, "tune")
    order = np.lexsort((queries.stop, queries.user))
    log_p = one.score(queries[order]).item[np.arange(len(item)), item]
    known = item > 1
    lasts = queries[order].stop - queries[order].start < config.max_history  # nobody's history was cut
    assert lasts.all()
    assert found == pytest.approx(float(np.mean(log_p[known])), abs=1e-4)
    assert any("tune_log_likelihood" in row for row in one.curves)


def test_a_tune_window_without_answers_has_no_likelihood() -> None:
    store = toy_store()
    one = predictor("gru", heads={"item": 1.0})
    corpus = Corpus(Window(store, "tune"), config_of(one.network, store.encoding), "last", 256, 0)
    empty = Likelihood(corpus)
    corpus.plan = lambda epoch: []  # type: ignore[method-assign]
    model = fitted(store, one).model
    assert math.isnan(empty.score(model, one.precision))


def test_sequences_that_were_cut_leave_no_open_interval() -> None:
    store = toy_store()
    config = config_of(network_params("gru"), store.encoding)
    opened = Corpus(Window(store, "train"), config, "last", 256, 0, open_intervals=True)
    cut = Corpus(Window(store, "train"), config, "last", 256, 0, open_intervals=False)
    count = [sum(one.batch(part).count["time"] for part in one.plan(0)) for one in (opened, cut)]
    assert count[0] > count[1]

"""The last lesson: what only the tune window shows is learned, and nothing behind it is read."""

from __future__ import annotations

import numpy as np
import torch

from components.features.store import WINDOWS
from components.models.config import config_of
from components.predictor import Window
from components.training.batches import Corpus
from components.training.likelihood import Likelihood
from tests.networks import fitted, predictor, with_columns
from tests.toy import toy_store


def test_the_tune_window_is_learned_after_the_choice() -> None:
    store = toy_store()
    plain, finished = (fitted(store, predictor("gru", loop={"finish_epochs": n})) for n in (0, 3))
    tune = Likelihood(Corpus(Window(store, "tune"), config_of(plain.network, store.encoding), "last", 256, 0))
    of = [tune.score(one.model, one.precision) for one in (plain, finished)]
    assert of[1] > of[0]
    assert plain.curves == finished.curves[: len(plain.curves)], "the choice itself must not change"


def test_nothing_behind_the_tune_window_is_read() -> None:
    store = toy_store()
    behind = np.isin(np.asarray(store["window"]), [WINDOWS["blend"], WINDOWS["test"]])
    item = np.where(behind, 2 + (np.asarray(store["item"]) + 5) % 7, store["item"]).astype(store["item"].dtype)
    poisoned = with_columns(store, item=item)
    loop = {"finish_epochs": 2}
    changes = {"transitions": {"lags": 1, "successors": 5}}
    one, other = (fitted(of, predictor("gru", loop=loop, **changes)).model.state_dict() for of in (store, poisoned))
    assert behind.any()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_transitions_are_counted_over_both_windows() -> None:
    store = toy_store()
    changes = {"transitions": {"lags": 1, "successors": 5}}
    plain, finished = (fitted(store, predictor("gru", loop={"finish_epochs": n}, **changes)) for n in (0, 1))
    total = [float(one.model.state_dict()["item.transitions.total"].sum()) for one in (plain, finished)]
    assert total[1] > total[0]

"""The last lesson: what only the tune window shows is learned, and nothing behind it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.errors import ConfigError
from components.evaluation.protocol import Protocol
from components.features.store import WINDOWS
from components.models.config import config_of
from components.params import load_params
from components.predictor import Window
from components.ranking.stage import blend_of
from components.training.batches import Corpus
from components.training.likelihood import Likelihood
from tests.networks import fitted, predictor, with_columns
from tests.toy import toy_store

ROOT = Path(__file__).resolve().parents[3]


def test_the_tune_window_is_learned_after_the_choice() -> None:
    store = toy_store()
    plain, finished = (fitted(store, predictor("gru", loop={"finish_epochs": n})) for n in (0, 3))
    tune = Likelihood(Corpus(Window(store, "tune"), config_of(plain.network, store.encoding), "last", 256, 0))
    of = [tune.score(one.model, one.precision) for one in (plain, finished)]
    assert of[1] > of[0]
    assert plain.curves == finished.curves[: len(plain.curves)], "the choice itself must not change"
    steps = [row["step"] for row in finished.curves]
    assert len(steps) > len(plain.curves)
    assert steps == sorted(steps), "the last lesson's steps are counted on"


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


def test_a_ranker_learns_nothing_from_answers_that_are_known_by_heart() -> None:
    params = load_params(ROOT / "components" / "presets" / "default.yaml")
    finished = params.training.loop.model_copy(update={"finish_epochs": 1})
    training = params.training.model_copy(update={"loop": finished})
    parts = {"transformer": predictor("transformer")}
    protocol = Protocol.of(params.evaluation)
    with pytest.raises(ConfigError, match=r"rankers\.ranker\.since: blend"):
        blend_of("ranker", parts, params.model_copy(update={"training": training}), protocol)
    assert blend_of("ranker", parts, params, protocol).name == "ranker"

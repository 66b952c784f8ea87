"""A decoder writes what comes next, in order, no further than it was asked to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from components.errors import ConfigError
from components.evaluation.forecast import following, judge_lists
from components.features.store import WINDOWS
from components.models.config import config_of
from components.models.sequence import SequenceModel
from components.predictor import Window
from components.training.batches import Corpus
from components.training.forecast import forecast
from components.training.lists import judged_lists
from components.training.network import NetworkPredictor
from tests.networks import fitted, network_params, predictor, queries_of, with_columns
from tests.toy import toy_store

STORE = toy_store(n_users=60)
RULES: dict[str, Any] = {"steps": 4, "span_s": None, "beams": 1, "distinct": False}


@pytest.fixture(scope="module")
def writer() -> NetworkPredictor:
    heads = {"item": 1.0, "time": 0.1}
    return fitted(STORE, predictor("seq2seq", loop={"epochs": 10}, inputs=["item"], heads=heads))


def test_the_rule_of_the_log_is_written_on(writer: NetworkPredictor) -> None:
    """Item i is followed by i + 1, nine times in ten."""
    queries = queries_of(STORE, writer)
    found = forecast(writer.model, queries, writer.precision, **RULES)
    last = np.asarray(STORE["item"])[queries.stop - 1] - 2
    expected = 2 + (last[:, None] + np.arange(1, 5)) % 20
    assert (found.items == expected).mean() > 0.85
    score = judge_lists(found.items, following(queries, 4, None))
    assert score["set_recall@4"] > 0.6
    assert score["kendall_tau"] > 0.8
    assert score["queries"] == len(queries)


def test_lists_of_the_tune_window_are_judged_where_a_model_writes_some(writer: NetworkPredictor) -> None:
    told = judged_lists(writer, Window(STORE, "tune"))
    assert told is not None
    assert told["set_recall@4"] is not None
    assert 0.6 < told["set_recall@4"] <= 1
    assert told["queries"] is not None
    assert told["queries"] > 0
    reader = fitted(STORE, predictor("gru", loop={"epochs": 1}, inputs=["item"], heads={"item": 1.0}))
    assert judged_lists(reader, Window(STORE, "tune")) is None


def test_lists_are_judged_by_the_tune_window_alone(writer: NetworkPredictor) -> None:
    """What happens later changes nothing."""
    later = np.asarray(STORE["window"]) > WINDOWS["tune"]
    changed = with_columns(STORE, item=np.where(later, 2, STORE["item"]).astype(np.int32))
    assert judged_lists(writer, Window(changed, "tune")) == judged_lists(writer, Window(STORE, "tune"))


def test_what_followed_is_the_same_whatever_may_be_seen(
    writer: NetworkPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    actual = []

    def kept(written: np.ndarray, followed: np.ndarray) -> dict[str, float]:
        actual.append(followed)
        return {}

    monkeypatch.setattr("components.training.lists.judge_lists", kept)
    for history in ("online", "train_only"):
        monkeypatch.setattr(writer, "protocol", replace(writer.protocol, history=history))
        judged_lists(writer, Window(STORE, "tune"))
    np.testing.assert_array_equal(*actual)
    assert (actual[0] > 0).sum(1).max() == 4


def test_the_first_step_is_the_answer_that_is_judged(writer: NetworkPredictor) -> None:
    queries = queries_of(STORE, writer, n=40)
    found = forecast(writer.model, queries, writer.precision, **{**RULES, "steps": 1})
    scores = writer.score(queries).item
    assert np.array_equal(found.items[:, 0], scores.argmax(1))
    np.testing.assert_allclose(found.log_probability, scores.max(1), atol=1e-4)


def test_a_wider_beam_finds_no_less_likely_lists(writer: NetworkPredictor) -> None:
    queries = queries_of(STORE, writer, n=40)
    greedy, wide = (forecast(writer.model, queries, writer.precision, **{**RULES, "beams": beams}) for beams in (1, 6))
    assert (wide.log_probability >= greedy.log_probability - 1e-4).mean() > 0.95
    every = forecast(writer.model, queries[slice(0, 3)], writer.precision, **{**RULES, "steps": 2, "beams": 400})
    assert (every.log_probability >= wide.log_probability[:3] - 9.0).all()


def test_distinct_lists_hold_no_item_twice(writer: NetworkPredictor) -> None:
    same = np.full(STORE.n_events, 5, np.int32)
    queries = replace(queries_of(STORE, writer, n=20), store=replace(STORE, columns={**STORE.columns, "item": same}))
    for beams in (1, 3):
        found = forecast(writer.model, queries, writer.precision, **{**RULES, "beams": beams, "distinct": True})
        assert all(len(set(row)) == 4 for row in found.items.tolist())


def test_a_span_ends_the_list_by_the_median_gaps(writer: NetworkPredictor) -> None:
    queries = queries_of(STORE, writer, n=40)
    whole = forecast(writer.model, queries, writer.precision, **RULES)
    assert (np.diff(whole.after_s, axis=1) >= 0).all()
    span = float(np.median(whole.after_s[:, 1]))
    cut = forecast(writer.model, queries, writer.precision, **{**RULES, "span_s": span})
    assert np.array_equal(cut.items > 0, whole.after_s <= span)
    assert 0 < (cut.items > 0).mean() < 1
    first = writer.score(queries).time
    assert first is not None
    np.testing.assert_allclose(whole.after_s[:, 0], first.quantile(0.5), rtol=1e-3)


def test_what_cannot_be_written_is_refused(writer: NetworkPredictor) -> None:
    queries = queries_of(STORE, writer, n=2)
    with pytest.raises(ConfigError, match="horizon"):
        forecast(writer.model, queries, writer.precision, **{**RULES, "steps": 5})
    timeless = SequenceModel(config_of(network_params("seq2seq", heads={"item": 1.0}), STORE.encoding)).eval()
    with pytest.raises(ConfigError, match="time head"):
        forecast(timeless, queries, writer.precision, **{**RULES, "span_s": 60.0})
    silent = SequenceModel(config_of(network_params("gru"), STORE.encoding)).eval()
    with pytest.raises(ConfigError, match="seq2seq"):
        forecast(silent, queries, writer.precision, **RULES)


def test_later_steps_are_trained_on_what_follows_and_nothing_behind_it() -> None:
    """Changing the answers behind a step changes no earlier step's gradient; every weight learns."""
    corpus = Corpus(Window(STORE, "train"), config_of(network_params("seq2seq"), STORE.encoding), "chunks", 256, 0)
    batch = corpus.batch(corpus.plan(0)[0])
    torch.manual_seed(0)
    model = SequenceModel(corpus.config)
    losses = model.losses(batch.tokens, batch.targets, 0.0, torch.float32)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    grad = model.encoder.steps.weight.grad
    assert grad is not None
    assert bool((grad.abs().sum(1) > 0).all())

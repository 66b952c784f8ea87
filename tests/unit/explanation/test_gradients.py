"""Integrated gradients: their sum is the change of the answer, whatever the network, and they agree with plain sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.explanation import gradients as module
from components.explanation.gradients import integrated_gradients
from components.explanation.reasons import reasons
from components.features.store import Store
from components.training.gather import query_slices, tokens_of
from tests.networks import GIVEN, HIDDEN, fitted, predictor, queries_of
from tests.toy import toy_store


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(pattern="markov")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("gru", {}),
        ("transformer", {"copy_heads": 2, "item_bias": True, "distance": True}),
        ("hstu", {}),
        ("bert", {}),
        ("seq2seq", {"inputs": ["item", "category"]}),
    ],
)
def test_effects_sum_to_the_change_of_the_answer(log: Store, kind: str, changes: dict) -> None:
    protocol = GIVEN if kind == "gru" else HIDDEN
    one = fitted(log, predictor(kind, protocol, loop={"epochs": 1}, **changes))
    query = queries_of(log, one)[7:8]
    items = np.argsort(-one.score(query).item[0])[:2]
    found = integrated_gradients(one, query, items, steps=32)
    n = int(query.stop[0] - query.start[0])
    assert found.event.tolist() == list(range(n - 12, n))  # with a start token cut away, twelve events are read
    assert found.effect.sum(axis=0) == pytest.approx(found.change, abs=2e-3)
    assert np.abs(found.change).max() > 1e-3


def test_a_short_history_keeps_its_start(log: Store) -> None:
    one = fitted(log, predictor("transformer", loop={"epochs": 1}))
    query = queries_of(log, one)[0:1]
    short = replace(query, stop=query.start + 3)
    found = integrated_gradients(one, short, np.array([4]), steps=16)
    assert found.event.tolist() == [0, 1, 2]
    assert found.effect.sum() == pytest.approx(found.change[0], abs=2e-3)


def test_they_are_the_mean_gradient_along_the_path(log: Store) -> None:
    """Against a sum written out here: rectangles of many steps, no library."""
    one = fitted(log, predictor("gru", loop={"epochs": 1}))
    model, query = one.model, queries_of(log, one)[3:4]
    tokens = tokens_of(query.store, query_slices(query, 12), model.config)
    unknown = module._blank(tokens, torch.ones(1, 12, dtype=torch.bool))
    real, blank = model.embedding(tokens).detach(), model.embedding(unknown).detach()
    total = torch.zeros_like(real)
    for step in range(200):
        point = (blank + (step + 0.5) / 200 * (real - blank)).requires_grad_()
        read = module.Read(tokens, point, model.encoder(point, tokens))
        log_p = model.answer(read, torch.tensor([11]), None).item[0, 5 - 2]
        total += torch.autograd.grad(log_p, point)[0] / 200
    wanted = ((real - blank) * total).sum(2)[0].numpy()
    found = integrated_gradients(one, query, np.array([5]), steps=32)
    assert found.effect[:, 0] == pytest.approx(wanted, abs=2e-4)


def test_reasons_show_gradients_of_the_events_that_are_read(log: Store) -> None:
    one = fitted(log, predictor("gru", loop={"epochs": 1}))
    query = queries_of(log, one)[7:8]
    found = reasons(one, query, np.array([5]), max_events=20, gradient_steps=8)[0]
    told = {event.row for event in found.events if event.gradient}
    stop = int(query.stop[0])
    assert told == set(range(stop - 12, stop))
    assert all(set(event.gradient) <= {"toy"} for event in found.events)
    assert not any(event.gradient for event in reasons(one, query, np.array([5]), max_events=20)[0].events)


def test_a_copy_head_that_is_sure_still_has_gradients(log: Store) -> None:
    """Shares of events that fall to zero must not make the gradients of the others no numbers."""
    one = fitted(log, predictor("transformer", loop={"epochs": 1}, copy_heads=2))
    with torch.no_grad():
        assert one.model.item.copy is not None
        one.model.item.copy.rank.weight.copy_(torch.arange(20.0)[:, None].expand(20, 2) * -60.0)
    query = queries_of(log, one)[7:8]
    found = integrated_gradients(one, query, np.array([int(log["item"][query.stop[0] - 1])]), steps=16)
    assert np.isfinite(found.effect).all()
    assert np.abs(found.effect).max() > 0

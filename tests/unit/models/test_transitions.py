"""The transition head: what followed the last items, an answer's own event left out while it trains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from components.errors import ConfigError, IntegrityError
from components.models.config import config_of
from components.models.embedding import ItemTable
from components.models.pointers import Asked
from components.models.sequence import SequenceModel
from components.models.tokens import Tokens
from components.models.transitions import TransitionHead
from components.training.gather import Slices, tokens_of
from components.training.successors import count_successors, successors
from tests.networks import network_params
from tests.toy import toy_encoding, toy_store

HISTORIES = [[2, 3, 4, 2, 3, 5], [2, 3, 3, 4, 1, 4]]


def table() -> ItemTable:
    return ItemTable(config_of(network_params("gru"), toy_encoding()))


def store_of(histories: list[list[int]] = HISTORIES) -> object:
    """A toy store with these items; everything else is as it comes."""
    store = toy_store(n_users=len(histories), events_per_user=len(histories[0]))
    item = np.array(histories, np.int32).ravel()
    return replace(store, columns={**store.columns, "item": item})


def head(lags: int = 1, keep: int = 4) -> TransitionHead:
    config = config_of(network_params("gru", transitions={"lags": lags, "successors": keep}), toy_encoding())
    one = TransitionHead(config)
    store = store_of()
    count_successors(store, np.ones(store.n_events, bool), one)
    return one


def history(*items: int) -> Tokens:
    length = np.array([len(items) + 1])
    config = config_of(network_params("gru"), toy_encoding())
    seen = tokens_of(toy_store(), Slices(np.array([0]), np.array([0]), length, length), config)
    return replace(seen, codes={**seen.codes, "item": torch.tensor([[0, *items]])})


def ask(one: TransitionHead, seen: Tokens, target: int | None = None) -> dict[int, float]:
    """Item → share of the first lag at the end of a history."""
    last = seen.mask.sum(1, keepdim=True) - 1
    asked = Asked(torch.zeros(1, 1, 16), last, None)
    found = one(asked, seen, table(), None if target is None else torch.tensor([[target]]))
    share = found.log_share[0, 0, 0].exp().tolist()
    return {code: part for code, part in zip(found.code[0, 0, 0].tolist(), share, strict=True) if part > 0}


def test_pairs_are_counted_within_a_user_and_known_items_only() -> None:
    store = store_of()
    code, count, total = successors(store, np.ones(12, bool), 1, 7, 3)
    assert total.tolist() == count.sum(1).tolist()
    assert code[2].tolist() == [3, 0, 0]
    assert count[2].tolist() == [3, 0, 0]
    assert code[3].tolist() == [4, 3, 5]  # 2 times, then by code
    assert count[3].tolist() == [2, 1, 1]
    assert code[5].tolist() == [0, 0, 0]  # the end of a user: what the next one does follows nothing
    assert count[1].sum() == 0
    assert code[4].tolist() == [2, 0, 0]  # nor does anything follow or precede what is unknown


def test_only_the_most_frequent_are_kept_and_only_trained_rows_counted() -> None:
    store = store_of()
    code, count, total = successors(store, np.ones(12, bool), 1, 7, 1)
    assert (code[3].tolist(), count[3].tolist(), total[3]) == ([4], [2], 4)
    trained = np.arange(12) < 3
    _, count, _ = successors(store, trained, 1, 7, 3)
    assert count.sum() == 2


def test_shares_are_those_of_the_counts_and_each_lag_looks_further_back() -> None:
    one = head(lags=2)
    assert ask(one, history(2, 3)) == pytest.approx({4: 0.5, 3: 0.25, 5: 0.25})
    last = torch.tensor([[2]])
    found = one(Asked(torch.zeros(1, 1, 16), last, None), history(2, 3), table(), None)
    second = dict(zip(found.code[0, 1, 0].tolist(), found.log_share[0, 1, 0].exp().tolist(), strict=True))
    assert second.get(4) == pytest.approx(1 / 3)  # two after item 2 came 4, 5 and 3


def test_an_answer_in_training_is_taken_out_of_its_own_counts() -> None:
    one = head()
    assert ask(one, history(2, 3), target=5) == pytest.approx({4: 2 / 3, 3: 1 / 3})
    assert ask(one, history(2, 3), target=4) == pytest.approx({4: 1 / 3, 3: 1 / 3, 5: 1 / 3})
    assert ask(one, history(4), target=2) == {}


def test_taste_prefers_the_successors_that_the_state_points_at() -> None:
    one, items = head(), table()
    with torch.no_grad():
        one.taste.fill_(1.0)
        items.item.weight.zero_()
        items.item.weight[5, 0] = 2.0
    last = torch.tensor([[2]])
    states = torch.zeros(1, 1, 16)
    states[..., 0] = 1.0
    found = one(Asked(states, last, None), history(2, 3), items, None)
    share = dict(zip(found.code[0, 0, 0].tolist(), found.log_share[0, 0, 0].exp().tolist(), strict=True))
    assert share[5] / share[3] == pytest.approx(np.exp(2.0), rel=1e-4)  # both came once
    assert share[4] / share[3] == pytest.approx(2.0, rel=1e-4)


def test_nothing_follows_a_start_or_an_unknown_item() -> None:
    one = head()
    assert ask(one, history()) == {}
    assert ask(one, history(2, 1)) == {}


def test_a_table_that_points_beyond_the_catalogue_is_refused() -> None:
    one = head()
    one.check()
    one.successor[0, 2, 0] = one.items
    with pytest.raises(IntegrityError, match="successors"):
        one.check()


@pytest.mark.parametrize("kind", ["bert", "seq2seq"])
def test_encoders_without_a_last_item_have_no_transitions(kind: str) -> None:
    with pytest.raises(ConfigError, match="transitions"):
        config_of(network_params(kind, transitions={"lags": 1, "successors": 4}), toy_encoding())


@pytest.mark.parametrize("wrong", [(0, 3.0), (2, 0.5), (2, 3e38), (2, float("nan"))])
def test_counts_that_are_none_are_refused(wrong: tuple[int, float]) -> None:
    """A share on padding would be lost, and a wild number would become the answer."""
    one = head()
    one.successor[0, 2, 0], one.count[0, 2, 0] = wrong
    with pytest.raises(IntegrityError, match="counts"):
        one.check()


def test_support_does_not_depend_on_the_answer() -> None:
    """Also where the answer was cut from the successors that are kept."""
    one = head(keep=1)
    asked = Asked(torch.zeros(1, 1, 16), torch.tensor([[2]]), None)
    found = [one(asked, history(2, 3), table(), torch.tensor([[code]])).support.item() for code in (3, 4, 5)]
    assert found == pytest.approx([np.log1p(3.0)] * 3)


def test_training_leaves_an_answer_out_of_its_own_counts_and_asking_does_not() -> None:
    torch.manual_seed(0)
    config = config_of(network_params("gru", dropout=0.0, transitions={"lags": 1, "successors": 4}), toy_encoding())
    one = SequenceModel(config)
    assert one.item.transitions is not None
    store = store_of()
    count_successors(store, np.ones(store.n_events, bool), one.item.transitions)
    read = one.read(history(4, 3))
    asked = Asked(read.states, torch.arange(3)[None], None)
    target = torch.tensor([[0, 0, 5]])  # followed item 3 once: never but for itself
    losses = {}
    for training in (True, False):
        one.train(training)
        losses[training] = float(one.item.loss(asked, read, one.embedding.table, target).detach())
    assert losses[True] > losses[False] + 0.1

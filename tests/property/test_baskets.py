"""Baskets are one notion from the question to every learner.

A basket of one line is the plain question; the order of lines never matters; nothing of a basket is in its history.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import ConfigError
from components.evaluation.metrics import item_metric
from components.evaluation.protocol import make_queries
from components.features.store import WINDOWS, Store
from components.memory.predictor import MemoryPredictor
from components.memory.replay import Questions
from components.models.config import config_of
from components.models.sequence import SequenceModel
from components.params import EnsembleParams
from components.predictor import NoTracker, Window
from components.ranking.blend import BlendPredictor
from components.ranking.ensemble import EnsemblePredictor
from components.ranking.lessons import Lessons, lessons_of
from components.ranking.parts import judges_asker
from components.ranking.ranker import RankerPredictor
from components.training.batches import Batch, Corpus
from components.training.begin import initial_model
from components.training.gather import tokens_of
from components.training.tune import Judge
from tests.baskets import RULE, basket_store, turned, with_columns
from tests.networks import HIDDEN, fitted, network_params, predictor
from tests.rankers import PARAMS, memory_of, ranker_of
from tests.toy import toy_store

quick = settings(max_examples=6, deadline=None, derandomize=True)
seeds = st.integers(0, 5)
sizes = st.integers(2, 4).filter(lambda size: 36 % size == 0)
SHAPES: list[dict[str, Any]] = [
    {},
    {"copy_heads": 2, "item_bias": True},
    {"distance": True, "item_bias": True},
]


def asked(store: Store, window: str = "blend", rule: Any = RULE) -> Questions:
    return judges_asker(rule)(Window(store, window), False)


def sets_of(questions: Questions) -> list[list[int]]:
    return [sorted(questions[np.array([q])].item.tolist()) for q in range(len(questions))]


# ---- a basket of one line


@quick
@given(seeds)
def test_a_basket_of_one_line_is_the_plain_question(seed: int) -> None:
    store = toy_store(n_users=10, events_per_user=30, seed=seed)
    plain, basket = asked(store, rule=HIDDEN), asked(store)
    np.testing.assert_array_equal(plain.row, basket.row)
    np.testing.assert_array_equal(plain.item, basket.item)
    np.testing.assert_array_equal(plain.offsets, basket.offsets)
    for name in ("user", "start", "stop", "time_s"):
        np.testing.assert_array_equal(getattr(plain.queries, name), getattr(basket.queries, name))
    assert (basket.answers().weight == 1).all()


def test_what_learns_from_baskets_of_one_line_learns_the_same() -> None:
    store = toy_store(n_users=12, n_items=15, events_per_user=36, pattern="habit")
    learned = []
    for rule in (HIDDEN, RULE):
        memory = memory_of(store, rule)
        blend = BlendPredictor({"memory": memory}, PARAMS.training.blend, rule)
        ranker = ranker_of(store, {"memory": memory}, rule)
        likelihood = blend.fit_weights(Window(store, "blend"))
        query = make_queries(Window(store, "test"), rule)[0]
        learned.append((likelihood, memory.score(query).item.tobytes(), ranker.score(query).item.tobytes()))
    assert learned[0] == learned[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_loss_of_baskets_of_one_line_is_the_plain_loss(shape: dict[str, Any]) -> None:
    store = toy_store(n_users=8, events_per_user=20)
    plain, basket = (losses_of(store, shape, on) for on in (False, True))
    assert set(plain) == set(basket)
    for head, value in plain.items():
        assert basket[head] == pytest.approx(value, rel=1e-4), head


def model_and_batch(store: Store, shape: dict[str, Any], baskets: bool) -> tuple[SequenceModel, Batch, Corpus]:
    config = config_of(network_params(dropout=0.0, **shape), store.encoding)
    corpus = Corpus(Window(store, "train"), config, "chunks", 4096, 0, baskets=baskets)
    model = initial_model(config, store.encoding, corpus, 0).eval()
    plan = corpus.plan(0)
    return model, corpus.batch(plan[0]), corpus


def losses_of(store: Store, shape: dict[str, Any], baskets: bool) -> dict[str, float]:
    model, batch, _ = model_and_batch(store, shape, baskets)
    return {h: float(v.detach()) for h, v in model.losses(batch.tokens, batch.targets, 0.0, torch.float32).items()}


# ---- the order of lines


@quick
@given(sizes, seeds)
def test_the_order_of_lines_changes_no_question(size: int, seed: int) -> None:
    store = basket_store(size, seed)
    one, other = asked(store), asked(turned(store, size))
    assert sets_of(one) == sets_of(other)
    np.testing.assert_array_equal(one.queries.stop, other.queries.stop)
    np.testing.assert_array_equal(one.queries.time_s, other.queries.time_s)
    total = np.bincount(one.answers().query, one.answers().weight, len(one))
    assert total == pytest.approx(1)


def within(store: Store, window: str) -> Store:
    """The baskets of one window turned, all others as they were."""
    other, own = turned(store), np.asarray(store["window"]) == WINDOWS[window]
    moved = {name: np.where(own, other[name], store[name]).astype(store[name].dtype) for name in ("item", "cell_8")}
    return with_columns(store, **moved)


def last_of(store: Store, window: str) -> np.ndarray:
    """Rows of each user's last basket of a window: nothing that is asked in it sees them."""
    rows = Window(store, window).targets
    user, time_s = store.user[rows], np.asarray(store["time_s"])[rows]
    newest = np.zeros(store.n_users, np.int64)
    np.maximum.at(newest, user, time_s)
    return np.sort(rows[time_s == newest[user]])


def only_last(store: Store) -> Store:
    """The log, asked in its blend window about each user's last basket alone."""
    target = np.zeros(store.n_events, bool)
    target[last_of(store, "blend")] = True
    return with_columns(store, target=target | (np.asarray(store["window"]) != WINDOWS["blend"]))


def lessons(ranker: RankerPredictor, store: Store) -> Lessons:
    window = Window(store, "blend", "train_only")
    questions = judges_asker(RULE)(window, False)
    _, newer = lessons_of(ranker.parts, [(window, questions)], ranker.looker, ranker.ranker, 7)
    return newer


def test_the_order_of_lines_teaches_mixtures_and_rankers_the_same() -> None:
    store = only_last(basket_store())
    other = within(store, "blend")
    assert (np.asarray(store["item"]) != np.asarray(other["item"])).any()
    memory = memory_of(store, RULE)
    ranker = ranker_of(store, {"memory": memory}, RULE)
    one, two = lessons(ranker, store), lessons(ranker, other)
    np.testing.assert_array_equal(one.right, two.right)
    np.testing.assert_array_equal(one.asked, two.asked)
    assert one.found.max() > 1
    stack = {"parts": ["memory"], "method": "stack", "weights": None, "history_buckets": [0], "em_steps": 5}
    params = EnsembleParams.model_validate(stack | {"pull": 1.0, "max_queries": 500, "candidate": False})
    trusts = []
    for log in (store, other):
        ensemble = EnsemblePredictor({"memory": memory}, params, RULE)
        ensemble.fit_weights(Window(log, "blend", "train_only"))
        trusts.append(ensemble.trust("item").weights)
    assert trusts[0] == pytest.approx(trusts[1], abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_order_of_the_lines_that_are_learned_changes_no_loss(shape: dict[str, Any]) -> None:
    store = basket_store()
    last = last_of(store, "train")  # no history of the corpus holds them but as answers
    other = turned(store)
    item = np.asarray(store["item"]).copy()
    item[last] = np.asarray(other["item"])[last]
    assert (item != store["item"]).any()
    moved = losses_of(with_columns(store, item=item), shape, True)["item"]
    assert moved == pytest.approx(losses_of(store, shape, True)["item"], rel=1e-5)


# ---- nothing of a basket is in its own history


def test_nothing_of_a_basket_is_in_the_history_that_is_asked() -> None:
    store = basket_store()
    questions = asked(store, "test")
    time_s = np.asarray(store["time_s"])
    last = questions.queries.stop - 1
    assert (time_s[last] < time_s[questions.row]).all()
    memory = memory_of(store, RULE)
    one = fitted(store, predictor("transformer", RULE, loop={"epochs": 1}))
    newest = last_of(store, "test")
    item = np.asarray(store["item"]).copy()
    item[newest] = 2 + (item[newest] + 3) % 15
    altered = asked(with_columns(store, item=item), "test")
    own = np.isin(altered.row, newest)
    assert own.any()
    for learner in (memory, one):
        before, after = (learner.score(each.queries[own]).item for each in (questions, altered))
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_of_a_basket_reaches_the_state_that_it_is_learned_from(shape: dict[str, Any]) -> None:
    store = basket_store()
    model, batch, corpus = model_and_batch(store, shape, True)
    slices = corpus.plan(0)[0]
    L = batch.tokens.mask.shape[1]
    history, place = batch.targets.at.numpy() // L, batch.targets.at.numpy() % L
    row = slices.begin[history] + slices.first[history] + place  # of each basket's first line
    basket_of = batch.targets.basket
    assert basket_of is not None
    for query, first in enumerate(row):  # what is learned there is the basket that begins there, whole
        learned = basket_of.item[basket_of.query == query].tolist()
        assert learned == sorted(set(np.asarray(store["item"])[first : first + 3].tolist()))
    states = model.read(batch.tokens).states.flatten(0, 1)[batch.targets.at].detach()
    for basket in range(0, len(row), 11):
        item = np.asarray(store["item"]).copy()
        item[row[basket] : row[basket] + 3] = 2 + (item[row[basket] : row[basket] + 3] + 5) % 15
        tokens = tokens_of(with_columns(store, item=item), slices, model.config)
        again = model.read(tokens).states.flatten(0, 1)[batch.targets.at].detach()
        assert torch.equal(again[basket], states[basket])


# ---- what is learned is what is judged


def test_a_network_is_chosen_by_whole_baskets() -> None:
    store = basket_store()
    one = fitted(store, predictor("gru", RULE, loop={"epochs": 1}))
    judge = Judge.of(Window(store, "tune"), RULE, "ndcg@10", 10_000, 0)
    ranks = judge.ranks(one.model, one.precision)
    assert len(ranks) == len(judge.item) > len(judge)
    queries, targets = make_queries(Window(store, "tune"), RULE)
    scores = one.score(queries).item
    query = np.repeat(np.arange(len(targets)), np.diff(targets.offsets))
    own = scores[query, targets.item]
    greater = (scores[query, 2:] > own[:, None]).sum(1)
    ties = (scores[query, 2:] == own[:, None]).sum(1) - 1
    wanted = item_metric("ndcg@10", 1.0 + greater + 0.5 * ties, targets.offsets).mean()
    assert judge.score(one.model, one.precision) == pytest.approx(wanted, abs=1e-4)


def test_baskets_teach_a_network_what_lines_do_not() -> None:
    """After a basket of three comes another of three; of its lines only the first follows a line of the one before."""
    store = basket_store()
    kind = (np.arange(12)[:, None] + np.arange(36) // 3) % 5  # of each event's basket
    store = with_columns(store, item=(2 + 3 * kind + np.arange(36) % 3).ravel().astype(np.int32))
    shape = {"loop": {"epochs": 20}, "inputs": ["item"], "heads": {"item": 1.0}}
    judge = Judge.of(Window(store, "test"), RULE, "ndcg@3", 10_000, 0)
    whole, lines = (fitted(store, predictor("gru", rule, **shape)) for rule in (RULE, HIDDEN))
    assert judge.score(whole.model, whole.precision) > 0.95
    assert judge.score(lines.model, lines.precision) < 0.8


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("bert", {}),
        ("seq2seq", {}),
        ("gru", {"transitions": {"lags": 1, "successors": 4}}),
        ("gru", {"loop": {"label_smoothing": 0.1}}),
    ],
)
def test_what_learns_events_within_a_basket_is_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="ties: basket"):
        fitted(basket_store(), predictor(kind, RULE, **changes))


def test_memory_is_fitted_on_whole_baskets() -> None:
    store = basket_store()
    questions = asked(store, "tune")
    assert len(questions.item) > 1.5 * len(questions)
    memory = MemoryPredictor(PARAMS.memory, judges_asker(RULE))
    told: dict[str, float] = {}

    class Told(NoTracker):
        def log(self, metrics: Any, step: int) -> None:
            told.update(metrics)

    window = replace(Window(store, "tune"), history="train_only")
    memory.fit(Window(store, "train"), window, Told())
    answers = judges_asker(RULE)(window, False)
    item = memory.score(answers.queries).item
    said = answers.answers()
    mean = np.average(item[said.query, said.item], weights=said.weight)
    assert told["tune_log_likelihood_hidden"] == pytest.approx(mean, abs=1e-4)

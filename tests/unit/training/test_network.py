"""The network as a predictor: it learns what is there to be learned, and answers the same however it is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from components.errors import ConfigError, IntegrityError, TrainingError
from components.evaluation.judge import judge
from components.files import sha256_tree
from components.models.config import config_of
from components.params import load_params
from components.predictor import NoTracker, Predictor, Queries, Window
from components.training.batches import Corpus
from components.training.begin import initial_model
from components.training.device import Precision
from components.training.forecast import forecast
from components.training.likelihood import Likelihood
from components.training.loop import make_optimiser
from components.training.network import NetworkPredictor
from components.training.tune import Judge
from tests.networks import (
    GIVEN,
    HIDDEN,
    OPTIONS,
    fitted,
    ndcg,
    network_params,
    popularity_ndcg,
    predictor,
    queries_of,
    with_columns,
)
from tests.toy import MONDAY_S, toy_store

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("kind", OPTIONS)
def test_order_is_learned_and_popularity_beaten(kind: str) -> None:
    store = toy_store(n_users=60)
    epochs = 30 if kind == "bert" else 8  # it is asked three events in ten
    one = fitted(store, predictor(kind, loop={"epochs": epochs}, inputs=["item"], heads={"item": 1.0}))
    score = ndcg(store, one)
    assert score > 0.75  # the rule holds nine times in ten
    assert score > popularity_ndcg(store) + 0.3


def test_answers_are_float32_whatever_training_was() -> None:
    store = toy_store(n_users=20)
    one = fitted(store, predictor("seq2seq", GIVEN, loop={"epochs": 1}))
    queries = queries_of(store, one, n=9)
    corpus = Corpus(Window(store, "tune"), one.model.config, "last", 256, 0)

    def said() -> list[object]:
        lists = forecast(one.model, queries, one.precision, steps=3, span_s=None, beams=2, distinct=True)
        likelihood = Likelihood(corpus).score(one.model, one.precision)
        return [one.score(queries).item.tobytes(), lists.items.tobytes(), lists.log_probability.tobytes(), likelihood]

    before = said()
    one.precision = Precision(torch.device("cpu"), torch.bfloat16, torch.bfloat16)
    assert said() == before


def test_shuffled_histories_teach_no_order() -> None:
    store = toy_store(n_users=60)
    rng = np.random.default_rng(0)
    item = np.asarray(store["item"]).reshape(60, 40)
    shuffled = with_columns(store, item=rng.permuted(item, axis=1).ravel())
    settings = {"loop": {"epochs": 8}, "inputs": ["item"], "heads": {"item": 1.0}}
    straight, twin = (fitted(one, predictor("gru", **settings)) for one in (store, shuffled))
    assert ndcg(store, straight) > ndcg(shuffled, twin) + 0.3


def test_one_batch_is_learned_by_heart() -> None:
    store = toy_store(n_users=4, events_per_user=12, pattern="random")
    one = predictor("transformer", dropout=0.0)
    config = config_of(one.network, store.encoding)
    corpus = Corpus(Window(store, "train"), config, "last", 256, 0)
    model = initial_model(config, store.encoding, corpus, 0)
    optimiser = make_optimiser(model, one.loop.optimiser)
    batch = corpus.batch(corpus.plan(0)[0])
    losses = []
    for _ in range(150):
        found = model.losses(batch.tokens, batch.targets, 0.0, torch.float32)
        optimiser.zero_grad()
        sum(found.values()).backward()  # type: ignore[union-attr]
        optimiser.step()
        losses.append({head: float(value.detach()) / batch.count[head] for head, value in found.items()})
    assert losses[0]["item"] > 2.5
    assert losses[-1]["item"] < 0.3
    assert losses[-1]["action"] < 0.3


def test_planted_gaps_are_recovered() -> None:
    """Users come back after an hour or after a week; the time head tells which, and how surely."""
    store = toy_store(n_users=80, events_per_user=30)
    slow = np.repeat(np.arange(80) % 2 == 1, 30)
    rng = np.random.default_rng(1)
    gap = np.exp(np.where(slow, np.log(7 * 86_400), np.log(3_600)) + 0.3 * rng.normal(size=len(slow)))
    gap[store.offsets[:-1]] = 0
    time_s = MONDAY_S + np.cumsum(gap.reshape(80, 30), axis=1).ravel().astype(np.int64)
    gap_s = np.diff(time_s, prepend=0)
    gap_s[store.offsets[:-1]] = -1
    numbers = np.zeros_like(store.numbers)
    numbers[:, 0] = np.log1p(np.maximum(gap_s, 0)) / 10
    place = np.arange(store.n_events) % 30
    window = np.where(place < 20, 0, 3).astype(np.int8)  # nothing to stop early on: items are random here
    planted = replace(with_columns(store, time_s=time_s, gap_s=gap_s, window=window), numbers=numbers)
    one = fitted(planted, predictor("gru", loop={"epochs": 8}, inputs=["numbers"], heads={"item": 0.1, "time": 1.0}))
    queries = queries_of(planted, one)
    time = one.score(queries).time
    assert time is not None
    is_slow = queries.user % 2 == 1
    median = time.quantile(0.5)
    assert 0.85 < np.median(median[is_slow]) / (7 * 86_400) < 1.15
    assert 0.85 < np.median(median[~is_slow]) / 3_600 < 1.15
    truth = gap_s[queries.stop].astype(np.float64)
    inside = (time.quantile(0.1) <= truth) & (truth <= time.quantile(0.9))
    assert 0.7 < inside.mean() < 0.9


def test_open_intervals_make_silence_likelier() -> None:
    """Half of the users stop for good in the first tenth: only the survival term can know that they do not return."""
    store = toy_store(n_users=60, events_per_user=40)
    time_s = np.asarray(store["time_s"]).copy()
    gone = np.repeat(np.arange(60) % 2 == 0, 40)
    device = np.where(gone, 2, 3).astype(np.int16)
    time_s[gone] = MONDAY_S + (time_s[gone] - MONDAY_S) // 20  # forty events within two days, then nothing
    gap_s = np.diff(time_s, prepend=0)
    gap_s[store.offsets[:-1]] = -1
    window = np.where(time_s < MONDAY_S + 30 * 86_400, 0, 3).astype(np.int8)
    changed = with_columns(store, time_s=time_s, gap_s=gap_s, window=window, device=device)
    settings = {"loop": {"epochs": 6}, "inputs": ["device", "numbers"], "heads": {"item": 0.1, "time": 1.0}}
    with_survival = fitted(changed, predictor("gru", **settings))
    tailless = np.where(window == 3, 1, window).astype(np.int8)
    last = np.asarray(changed.offsets)[1:] - 1
    tailless[last] = 1  # every user now has an event within training's span that is not training's
    without = fitted(with_columns(changed, window=tailless), predictor("gru", **settings))
    user = np.arange(0, 60, 2)
    stop = np.asarray(store.offsets)[user + 1]
    week = np.full(len(user), 7 * 86_400.0)

    def silent(one: NetworkPredictor) -> float:
        queries = Queries(
            changed,
            user.astype(np.int32),
            np.asarray(store.offsets)[user],
            stop,
            time_s[stop - 1],
            np.zeros(len(user), np.int16),
            np.full(len(user), np.nan, np.float32),
            np.full(len(user), np.nan, np.float32),
            False,
        )
        time = one.score(queries).time
        assert time is not None
        return float(np.exp(time.log_survival(week)).mean())

    assert silent(with_survival) > silent(without) + 0.005


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_request_clock_is_used_where_it_matters(kind: str) -> None:
    """What comes next depends on the hour alone: only a model that is told the time can know it."""
    store = toy_store(n_users=60, pattern="random")
    hour = np.asarray(store["local_hour"])
    ruled = with_columns(store, item=(2 + hour // 2).astype(np.int32))
    settings = {"loop": {"epochs": 15 if kind == "bert" else 6}, "inputs": ["item"], "heads": {"item": 1.0}}
    told = fitted(ruled, predictor(kind, GIVEN, **settings))
    blind = fitted(ruled, predictor(kind, HIDDEN, **settings))
    assert ndcg(ruled, told) > ndcg(ruled, blind) + 0.2


def test_a_rotation_uses_the_clock_too() -> None:
    store = toy_store(n_users=60, pattern="random")
    ruled = with_columns(store, item=(2 + np.asarray(store["local_hour"]) // 2).astype(np.int32))
    settings = {"loop": {"epochs": 6}, "inputs": ["item"], "heads": {"item": 1.0}, "conditioning": "rotation"}
    score = ndcg(ruled, fitted(ruled, predictor("gru", GIVEN, **settings)))
    assert score > ndcg(ruled, fitted(ruled, predictor("gru", HIDDEN, **settings))) + 0.2


def test_the_time_head_does_not_see_the_time_of_the_answer() -> None:
    store = toy_store()
    one = fitted(store, predictor("gru", GIVEN))
    queries = queries_of(store, one, n=20)
    later = replace(queries, time_s=queries.time_s + 5 * 3_600)
    a, b = one.score(queries), one.score(later)
    assert a.time is not None
    assert b.time is not None
    np.testing.assert_array_equal(a.time.mean, b.time.mean)
    assert np.abs(np.exp(a.item) - np.exp(b.item)).max() > 1e-4


def test_the_time_head_does_not_learn_from_the_time_of_the_answer() -> None:
    store = toy_store()
    one = predictor("gru", GIVEN, dropout=0.0)
    config = config_of(one.network, store.encoding)
    corpus = Corpus(Window(store, "train"), config, "chunks", 256, 0)
    model = initial_model(config, store.encoding, corpus, 0)
    batch = corpus.batch(corpus.plan(0)[0])
    request = batch.targets.request
    assert request is not None
    other = replace(batch.targets, request=replace(request, log_gap=request.log_gap + 3, hour=23 - request.hour))
    a, b = (model.losses(batch.tokens, targets, 0.0, torch.float32) for targets in (batch.targets, other))
    assert a["time"].equal(b["time"])
    assert not a["item"].equal(b["item"])


def test_the_place_of_a_request_is_not_read_and_cannot_be_asked_for() -> None:
    """In training it would be the answer's own place, which no judged query has."""
    store = toy_store(n_users=20, pattern="random")
    one = fitted(store, predictor("gru", loop={"epochs": 1}, target_time="given"))
    queries = queries_of(store, one, n=10)
    somewhere = replace(queries, latitude=np.full(10, 48.85, np.float32), longitude=np.full(10, 2.35, np.float32))
    np.testing.assert_array_equal(one.score(queries).item, one.score(somewhere).item)
    with pytest.raises(ValidationError, match="query_place"):
        network_params(query_place=True)


@pytest.mark.parametrize("kind", OPTIONS)
def test_answers_are_distributions_and_rows_are_independent(kind: str) -> None:
    store = toy_store()
    one = fitted(store, predictor(kind))
    queries = queries_of(store, one)
    scores = one.score(queries)
    assert isinstance(one, Predictor)
    assert one.capabilities == {"item", "action", "time", "place"}
    assert scores.item.shape == (len(queries), 22)
    assert np.isneginf(scores.item[:, :2]).all()
    assert scores.action is not None
    assert scores.place is not None
    assert scores.time is not None
    for part in (np.exp(scores.item), scores.action, scores.place, scores.time.weight):
        np.testing.assert_allclose(part.sum(1), 1.0, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(queries))[:17]
    some = one.score(queries[order])
    np.testing.assert_allclose(some.item[:, 2:], scores.item[order][:, 2:], atol=2e-5)
    np.testing.assert_allclose(some.time.mean, scores.time.mean[order], atol=2e-5)  # type: ignore[union-attr]


def test_answers_do_not_depend_on_what_comes_later() -> None:
    store = toy_store()
    one = fitted(store, predictor())
    queries = queries_of(store, one, n=30)
    first = int(queries.stop.min())
    for i in range(5):
        query = queries[slice(i, i + 1)]
        stop = int(query.stop[0])
        changed = {
            name: np.where(np.arange(store.n_events) >= stop, 2, np.asarray(store[name])).astype(store[name].dtype)
            for name in ("item", "action", "local_hour", "cell_8")
        }
        other = replace(query, store=with_columns(store, **changed))
        np.testing.assert_array_equal(one.score(query).item, one.score(other).item)
    assert first > 0


@pytest.mark.parametrize("protocol", [HIDDEN, GIVEN])
def test_an_empty_history_and_unknown_items_are_answered(protocol: object) -> None:
    store = toy_store()
    one = fitted(store, predictor(protocol=protocol))  # type: ignore[arg-type]
    queries = queries_of(store, one, n=4)
    empty = replace(queries, stop=queries.start)
    unknown = replace(queries, store=with_columns(store, item=np.ones(store.n_events, np.int32)))
    for asked in (empty, unknown):
        assert np.isfinite(one.score(asked).item[:, 2:]).all()
    np.testing.assert_allclose(one.score(empty).item[0, 2:], one.score(empty).item[1, 2:], atol=1.0)


def test_one_user_is_enough() -> None:
    store = toy_store(n_users=1, events_per_user=10)
    one = fitted(store, predictor("gru"))
    assert np.isfinite(one.score(queries_of(store, one)).item[:, 2:]).all()


def test_a_tune_window_without_events_trains_to_the_end() -> None:
    store = toy_store()
    window = np.where(np.asarray(store["window"]) == 0, 0, 3).astype(np.int8)
    one = fitted(with_columns(store, window=window), predictor("gru", loop={"epochs": 2}))
    assert one.curves[-1]["epoch"] == 1.0
    assert not any("tune" in name for row in one.curves for name in row)


def test_early_stopping_keeps_the_best_weights() -> None:
    store = toy_store(n_users=60)
    one = predictor("gru", loop={"epochs": 30, "patience": 2, "optimiser": {"learning_rate": 0.05}})
    fitted(store, one)
    scores = [row["tune_ndcg@10"] for row in one.curves if "tune_ndcg@10" in row]
    assert len(scores) < 30
    assert np.argmax(scores) == len(scores) - 3
    quick = Judge.of(Window(store, "tune"), HIDDEN, "ndcg@10", 200, 3)
    assert quick.score(one.model, one.precision) == pytest.approx(max(scores))


def test_tune_ranks_are_those_of_the_judge() -> None:
    store = toy_store()
    protocol = replace(HIDDEN, seen="filtered")
    one = fitted(store, predictor("gru", protocol))
    quick = Judge.of(Window(store, "tune"), protocol, "ndcg@10", 10_000, 0)
    ranks = quick.ranks(one.model, one.precision)
    slow = judge(one, Window(store, "tune"), protocol, max_queries=10_000, seed=0)
    np.testing.assert_allclose(np.sort(ranks), np.sort(slow.ranks))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    store = toy_store()
    before = torch.random.get_rng_state()
    for name in ("a", "b"):
        fitted(store, predictor()).save(tmp_path / name)
        torch.manual_seed(99)
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")
    other = predictor()
    other.seed = 4
    fitted(store, other).save(tmp_path / "c")
    assert sha256_tree(tmp_path / "a")["weights.safetensors"] != sha256_tree(tmp_path / "c")["weights.safetensors"]
    torch.random.set_rng_state(before)


@pytest.mark.parametrize("kind", OPTIONS)
def test_what_was_saved_answers_the_same(kind: str, tmp_path: Path) -> None:
    store = toy_store()
    one = fitted(store, predictor(kind, GIVEN))
    one.save(tmp_path / "m")
    two = NetworkPredictor.load(tmp_path / "m")
    queries = queries_of(store, one)
    a, b = one.score(queries), two.score(queries)
    np.testing.assert_array_equal(a.item, b.item)
    np.testing.assert_array_equal(a.action, b.action)  # type: ignore[arg-type]
    two.save(tmp_path / "n")
    assert sha256_tree(tmp_path / "m") == sha256_tree(tmp_path / "n")


def test_an_item_only_network_is_loaded_too(tmp_path: Path) -> None:
    store = toy_store()
    one = fitted(store, predictor("gru", inputs=["item"], heads={"item": 1.0}))
    one.save(tmp_path / "m")
    queries = queries_of(store, one)
    np.testing.assert_array_equal(NetworkPredictor.load(tmp_path / "m").score(queries).item, one.score(queries).item)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    one = fitted(toy_store(), predictor("gru"))
    other = toy_store(n_items=25)
    with pytest.raises(IntegrityError, match="encoding"):
        one.score(queries_of(other, one))


def test_a_loss_that_is_no_number_stops_before_it_reaches_a_weight() -> None:
    store = toy_store()
    numbers = store.numbers.copy()
    numbers[np.asarray(store["window"]) == 0] = np.nan
    one = predictor("gru")
    with pytest.raises(TrainingError, match="step 0"):
        one.fit(Window(replace(store, numbers=numbers), "train"), Window(store, "tune"), NoTracker())
    with pytest.raises(ConfigError):
        _ = one.model


def test_curves_hold_no_clock_and_go_to_the_tracker() -> None:
    class Tracker:
        def __init__(self) -> None:
            self.rows: list[tuple[int, dict[str, float]]] = []

        def log(self, metrics, step) -> None:  # type: ignore[no-untyped-def]
            self.rows.append((step, dict(metrics)))

    store, tracker = toy_store(), Tracker()
    one = predictor("gru")
    one.fit(Window(store, "train"), Window(store, "tune"), tracker)
    names = {name for row in one.curves for name in row}
    assert names == {"step", "epoch", "learning_rate", "tune_ndcg@10"} | {
        f"loss_{head}" for head in ("item", "action", "time", "place")
    }
    assert any("tokens_per_second" in row for _, row in tracker.rows)
    assert any("tune_ndcg_at_10" in row for _, row in tracker.rows)
    steps = [step for step, _ in tracker.rows]
    assert steps == sorted(steps)


def test_params_describe_every_network() -> None:
    params = load_params(ROOT / "params.yaml")
    for name, entry in params.training.models.items():
        if entry.kind == "network":
            assert NetworkPredictor.of(name, params, 2).seed == params.workspace.seed + 2
    with pytest.raises(ConfigError, match="nobody"):
        NetworkPredictor.of("nobody", params)


@pytest.mark.parametrize("temperature", [None, 0.1])
@pytest.mark.parametrize("inputs", [["item"], ["item", "position"], ["action", "clock"]])
def test_any_inputs_train(inputs: list[str], temperature: float | None) -> None:
    store = toy_store()
    one = fitted(store, predictor(loop={"epochs": 1}, inputs=inputs, temperature=temperature, heads={"item": 1.0}))
    assert one.capabilities == {"item"}
    assert np.isfinite(one.score(queries_of(store, one, n=5)).item[:, 2:]).all()

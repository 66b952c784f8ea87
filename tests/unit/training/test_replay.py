"""What an update learns: all that is new, a share of what is old, and by that it forgets less."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import TrainingError
from components.features.store import WINDOWS, Store
from components.models.config import config_of
from components.predictor import NoTracker, Window
from components.training.batches import Corpus
from components.training.network import NetworkPredictor
from components.training.replay import Replay
from tests.networks import fitted, ndcg, network_params, predictor, with_columns
from tests.toy import toy_store

DAY_S = 86_400


@pytest.fixture(scope="module")
def log() -> Store:
    return toy_store(n_users=40, events_per_user=60)


def middle(store: Store) -> int:
    time_s = np.asarray(store["time_s"])[np.asarray(store["window"]) == WINDOWS["train"]]
    return int(np.quantile(time_s, 0.8))


def test_all_that_is_new_and_a_share_of_what_is_old(log: Store) -> None:
    since = middle(log)
    train = np.asarray(log["window"]) == WINDOWS["train"]
    new = train & (np.asarray(log["time_s"]) > since)
    rows = Replay(since, 0.3).rows(log, 6, 1)
    assert rows[new].all()
    assert not rows[~train].any()
    assert rows[train & ~new].mean() == pytest.approx(0.3, abs=0.1)
    assert (Replay(since, 0.0).rows(log, 6, 1) == new).all()
    assert (Replay(since, 1.0).rows(log, 6, 1) == train).all()
    assert (Replay(since, 0.3).rows(log, 6, 1) == rows).all()
    assert (Replay(since, 0.3).rows(log, 6, 2) != rows).any()


def test_blocks_are_drawn_whole(log: Store) -> None:
    since = middle(log)
    rows = Replay(since, 0.5).rows(log, 6, 1)
    old = (np.asarray(log["window"]) == WINDOWS["train"]) & (np.asarray(log["time_s"]) <= since)
    place = np.arange(log.n_events) - np.asarray(log.offsets)[log.user]
    block = log.user.astype(np.int64) * 1000 + place // 6
    for one in np.unique(block[old]):
        assert len(set(rows[old & (block == one)].tolist())) == 1


def test_an_epoch_is_as_long_as_what_is_learned(log: Store) -> None:
    config = config_of(network_params("gru"), log.encoding)
    whole = Corpus(Window(log, "train"), config, "chunks", 256, 1)
    only = Replay(middle(log), 0.0).rows(log, 12, 1)
    some = Corpus(Window(log, "train"), config, "chunks", 256, 1, only=only)
    asked = sum(some.batch(one).count["item"] for one in some.plan(0))
    assert asked == int(only.sum())
    assert len(some.stretches(0)) < 0.6 * len(whole.stretches(0))
    with pytest.raises(TrainingError):
        Corpus(Window(log, "train"), config, "chunks", 256, 1, only=np.zeros(log.n_events, bool))


def two_towns() -> tuple[Store, Store, int]:
    """Two towns. Until a day the first walks up among its items, the second among others; then the second alone is
    seen, walking down among the first one's.

    The second store asks the first town alone in its test window.
    """
    base = toy_store(n_users=60, n_items=24, events_per_user=60, seed=4)
    user, time_s = base.user, np.asarray(base["time_s"])
    since = middle(base)
    item = np.asarray(base["item"]).copy()
    second = user % 2 == 1
    place = np.arange(base.n_events) - np.asarray(base.offsets)[user]
    start, new = user * 7, time_s > since
    item[~second] = 2 + (start + place)[~second] % 12
    item[second] = np.where(new, 2 + (start - place) % 12, 14 + (start + place) % 12)[second]
    train = np.asarray(base["window"]) == WINDOWS["train"]
    late = train & (time_s > since)
    window = np.asarray(base["window"]).copy()
    window[late & ~second] = WINDOWS["rest"]
    window[(window == WINDOWS["tune"]) & ~second] = WINDOWS["rest"]  # what is new is all that chooses
    target = np.asarray(base["target"]).copy()
    both = with_columns(base, item=item.astype(np.int32), window=window.astype(np.int8), target=target)
    first_only = with_columns(both, target=target & ~second)
    return both, first_only, since


def test_replay_keeps_what_was_known_better_than_none() -> None:
    both, first_town, since = two_towns()
    before = np.asarray(both["time_s"]) <= since
    early = with_columns(both, window=np.where(before | (both["window"] != 0), both["window"], -1).astype(np.int8))
    champion = fitted(early, predictor("gru", loop={"epochs": 8, "patience": 8}, max_history=2))
    known = ndcg(first_town_of(first_town), champion)

    def updated(share: float) -> float:
        one: NetworkPredictor = predictor("gru", loop={"epochs": 4, "patience": 4}, max_history=2)
        one.origin, one.replay = champion.as_origin(early.encoding, "x"), Replay(since, share)
        one.fit(Window(both, "train"), Window(both, "tune"), NoTracker())
        return ndcg(first_town_of(first_town), one)

    kept, forgotten = updated(0.5), updated(0.0)
    assert known > 0.5
    assert forgotten < known - 0.05, "the toy log does not make anybody forget"
    assert kept > forgotten + 0.05


def first_town_of(store: Store) -> Store:
    """Asked are the first town's users alone."""
    keep = np.asarray(store["target"]) | (np.asarray(store["window"]) != WINDOWS["test"])
    return with_columns(store, window=np.where(keep, store["window"], WINDOWS["rest"]).astype(np.int8))

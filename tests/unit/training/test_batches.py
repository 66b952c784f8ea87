"""What an epoch shows the model: every training event once, nothing behind it, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from components.errors import TrainingError
from components.features.store import Store
from components.models.config import config_of
from components.predictor import Window
from components.training.batches import Corpus, Crops
from tests.networks import network_params, with_columns
from tests.toy import toy_store


def corpus(store: Store, crops: Crops = "rolling", seed: int = 0, **changes: object) -> Corpus:
    config = config_of(network_params("gru", **changes), store.encoding)
    return Corpus(Window(store, "train"), config, crops, 256, seed)


def answered(one: Corpus, epoch: int = 0) -> np.ndarray:
    """Rows that the epoch's stretches answer."""
    pieces = one.stretches(epoch)
    return np.concatenate(
        [np.arange(b + f, b + f + n) for b, f, n in zip(pieces.begin, pieces.first, pieces.answers, strict=True)]
    )


@pytest.mark.parametrize("crops", ["chunks", "rolling"])
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_an_epoch_answers_every_training_event_once(crops: Crops, epoch: int) -> None:
    store = toy_store()
    rows = np.flatnonzero(np.asarray(store["window"]) == 0)
    assert np.array_equal(np.sort(answered(corpus(store, crops), epoch)), rows)


def test_last_answers_the_end_of_each_history() -> None:
    store = toy_store()
    one = corpus(store, "last")
    found = answered(one)
    assert len(found) == np.minimum(one.end - one.begin, 12).sum()
    assert np.isin(one.end - 1, found).all()


def test_rolling_cuts_move_from_epoch_to_epoch() -> None:
    one = corpus(toy_store())
    assert not np.array_equal(np.sort(one.stretches(0).first), np.sort(one.stretches(1).first))


def test_tokens_and_targets_are_shifted_by_one() -> None:
    store = toy_store()
    one = corpus(store, "chunks")
    for slices in one.plan(0):
        batch = one.batch(slices)
        B, L = batch.tokens.mask.shape
        assert B * L <= 256
        at = batch.targets.at.numpy()
        row = (slices.begin[:, None] + slices.first[:, None] + np.arange(L)).ravel()[at]
        assert np.array_equal(batch.targets.item.numpy(), np.asarray(store["item"])[row])
        seen = batch.tokens.codes["item"].numpy().ravel()[at]
        starts = np.isin(row, store.offsets)
        assert np.array_equal(seen[~starts], np.asarray(store["item"])[row[~starts] - 1])
        assert not seen[starts].any()
        assert int(np.sum(np.isnan(batch.targets.log_gap.numpy()))) == int(starts.sum())


def test_rows_behind_training_are_never_read() -> None:
    store = toy_store()
    later = np.asarray(store["window"]) != 0
    changed = {
        name: np.where(later, 1, np.asarray(store[name])).astype(np.asarray(store[name]).dtype)
        for name in ("item", "action", "local_hour", "cell_8", "gap_s")
    }
    other = with_columns(store, **changed)
    one, two = corpus(store), corpus(other)
    for slices in one.plan(0):
        a, b = one.batch(slices), two.batch(slices)
        assert a.targets.item.equal(b.targets.item)
        assert all(a.tokens.codes[name].equal(b.tokens.codes[name]) for name in a.tokens.codes)
        assert a.targets.log_gap.nan_to_num(-1).equal(b.targets.log_gap.nan_to_num(-1))
        assert a.targets.open_log_gap.equal(b.targets.open_log_gap)


def test_context_that_is_no_target_is_read_but_not_answered() -> None:
    store = toy_store()
    window = np.asarray(store["window"]).copy()
    first = np.asarray(store.offsets)[:-1]
    window[first] = -1  # "rest": history only
    one = corpus(with_columns(store, window=window), "chunks")
    total = sum(len(one.batch(slices).targets.item) for slices in one.plan(0))
    assert total == int((window == 0).sum())


def test_the_plan_depends_on_seed_and_epoch_alone() -> None:
    one, same, other = corpus(toy_store()), corpus(toy_store()), corpus(toy_store(), seed=1)
    assert all(np.array_equal(a.begin, b.begin) for a, b in zip(one.plan(3), same.plan(3), strict=True))
    assert not all(np.array_equal(a.begin, b.begin) for a, b in zip(one.plan(3), other.plan(3), strict=False))
    assert not all(np.array_equal(a.begin, b.begin) for a, b in zip(one.plan(3), one.plan(4), strict=False))


def test_little_is_padding_when_lengths_differ() -> None:
    store = toy_store(n_users=300, events_per_user=60)
    keep = np.random.default_rng(0).integers(1, 40, 300)  # histories of 1..39 training events
    place = np.arange(store.n_events) % 60
    window = np.where(place < np.repeat(keep, 60), 0, 1).astype(np.int8)
    one = corpus(with_columns(store, window=window), "last", max_history=40, heads={"item": 1.0})
    masks = [one.batch(slices).tokens.mask for slices in one.plan(0)]
    assert sum(int(mask.sum()) for mask in masks) > 0.9 * sum(mask.numel() for mask in masks)


def test_open_intervals_end_with_training() -> None:
    store = toy_store()
    one = corpus(store, "chunks")
    assert one.tails
    spans = []
    for slices in one.plan(0):
        batch = one.batch(slices)
        spans += np.expm1(batch.targets.open_log_gap.double().numpy()).tolist()
    time_s = np.asarray(store["time_s"])
    until = time_s[np.asarray(store["window"]) == 0].max()
    np.testing.assert_allclose(np.sort(spans), np.sort(until - time_s[one.end - 1]), rtol=1e-4, atol=0.01)


def test_leave_one_out_has_no_open_interval() -> None:
    store = toy_store()
    left = np.repeat(np.asarray(store.offsets)[1:], 40) - np.arange(store.n_events)
    window = np.select([left == 1, left == 2], [3, 1], 0).astype(np.int8)
    assert not corpus(with_columns(store, window=window)).tails


def test_nothing_to_learn_from_is_said() -> None:
    store = toy_store()
    with pytest.raises(TrainingError, match="training window"):
        corpus(with_columns(store, window=np.full(store.n_events, 3, np.int8)))
    with pytest.raises(TrainingError, match="known item"):
        corpus(with_columns(store, item=np.ones(store.n_events, np.int32)))


def test_in_session_learns_only_what_follows_in_the_same_session() -> None:
    store = toy_store()
    session = np.asarray(store["session"])
    follows = np.append(False, session[1:] == session[:-1]) & (np.asarray(store["gap_s"]) >= 0)
    config = config_of(network_params("gru"), store.encoding)
    one = Corpus(Window(store, "train"), config, "chunks", 256, 0, targets="in_session")
    asked = []
    for slices in one.plan(0):
        batch = one.batch(slices)
        L = batch.tokens.mask.shape[1]
        row = (slices.begin[:, None] + slices.first[:, None] + np.arange(L)).ravel()[batch.targets.at.numpy()]
        assert len(row)  # no step without an answer
        asked.append(row)
    wanted = np.flatnonzero(follows & (np.asarray(store["window"]) == 0))
    assert 0 < len(wanted) < (np.asarray(store["window"]) == 0).sum()
    assert np.array_equal(np.sort(np.concatenate(asked)), wanted)


def test_a_log_without_an_answer_in_a_session_is_refused() -> None:
    store = toy_store()
    alone = with_columns(store, session=np.arange(store.n_events, dtype=np.int32))
    config = config_of(network_params("gru"), store.encoding)
    with pytest.raises(TrainingError, match="in a session"):
        Corpus(Window(alone, "train"), config, "chunks", 256, 0, targets="in_session")

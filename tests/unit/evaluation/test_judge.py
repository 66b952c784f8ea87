"""The order in which the judge asks and teaches, and what it writes down."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.errors import DataError, IntegrityError
from components.evaluation.judge import DAY_S, judge
from components.evaluation.judgement import Judgement, same_queries
from components.evaluation.protocol import Protocol
from components.features.store import WINDOWS, Store
from components.predictor import NoTracker, Queries, Scores, Window
from tests.toy import toy_store
from tests.unit.evaluation.simple import Counts, Spy

HIDDEN = Protocol("temporal", "hidden", "online", "kept", "miss", "source")


def judged(predictor: Counts, store: Store, protocol: Protocol = HIDDEN, window: str = "test") -> Judgement:
    predictor.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    return judge(predictor, Window(store, window), protocol, max_queries=10_000, seed=0)


def test_no_lesson_precedes_its_question() -> None:
    store, spy = toy_store(), Spy()
    judged(spy, store)
    taught: set[int] = set()
    for kind, what in spy.log:
        if kind == "teach":
            taught |= set(what.tolist())  # type: ignore[union-attr]
            continue
        assert isinstance(what, Queries)
        # the answer of a query is the row at its stop: neither it nor anything of that day or later was taught
        day = store["time_s"][what.stop] // DAY_S
        assert all((store["time_s"][row] // DAY_S) < day.min() for row in taught)
        assert (store["time_s"][what.stop - 1] <= store["time_s"][what.stop]).all()
    assert spy.taught().tolist() == sorted(spy.taught().tolist(), key=lambda row: (store["time_s"][row], row))


def test_everything_after_training_is_taught_exactly_once_and_tune_and_blend_first() -> None:
    store, spy = toy_store(), Spy()
    judged(spy, store)
    taught = spy.taught()
    expected = np.flatnonzero(store["window"] > WINDOWS["train"])
    assert sorted(taught.tolist()) == expected.tolist()
    kind, first = spy.log[0]
    assert kind == "teach"
    assert set(store["window"][first].tolist()) == {WINDOWS["tune"], WINDOWS["blend"]}  # type: ignore[index]


def test_a_frozen_history_teaches_nothing() -> None:
    store, spy = toy_store(), Spy()
    judged(spy, store, dataclasses.replace(HIDDEN, history="train_only"))
    assert all(kind == "ask" for kind, _ in spy.log)


def test_leave_one_out_teaches_what_precedes_its_window_and_nothing_of_it() -> None:
    store, spy = toy_store(), Spy()
    judged(spy, store, dataclasses.replace(HIDDEN, split="leave_one_out"))
    assert set(store["window"][spy.taught()].tolist()) == {WINDOWS["tune"], WINDOWS["blend"]}


def test_time_is_always_predicted_without_the_time_of_the_answer() -> None:
    store, spy = toy_store(), Spy(heads=True)
    judgement = judged(spy, store, dataclasses.replace(HIDDEN, target_time="given"))
    assert {queries.time_given for queries in spy.asked()} == {True, False}
    hidden = judged(Counts(heads=True), store)
    np.testing.assert_array_equal(judgement.column("time_ll"), hidden.column("time_ll"))


def test_ranks_are_those_of_popularity() -> None:
    store = toy_store()
    predictor = Counts()
    judgement = judged(predictor, store, dataclasses.replace(HIDDEN, history="train_only"))
    count = predictor.count[2:]
    for rank, target in zip(judgement.ranks, judgement.targets, strict=True):
        own = count[target - 2]
        assert rank == 1 + (count > own).sum() + 0.5 * ((count == own).sum() - 1)


@pytest.mark.parametrize("unseen", ["miss", "dropped"])
def test_unseen_answers_are_misses_or_left_out_and_their_share_is_told(unseen: str) -> None:
    store = toy_store()
    rows = Window(store, "test").targets
    store.columns["item"][rows[::4]] = 1
    judgement = judged(Counts(), store, dataclasses.replace(HIDDEN, unseen=unseen))  # type: ignore[arg-type]
    cold = judgement.table["cold_item"].to_numpy()
    assert judgement.about["unseen_share"] == pytest.approx(len(rows[::4]) / len(rows))
    value = judgement.metric("hr@20")
    assert cold.sum() == len(rows[::4])
    assert np.isnan(value[cold]).all() if unseen == "dropped" else (value[cold] == 0).all()
    assert (value[~cold] == 1).all()


def test_a_repeat_is_a_miss_when_the_seen_is_filtered() -> None:
    store = toy_store(pattern="habit")
    kept, filtered = (
        judged(Counts(own=0.9), store),
        judged(Counts(own=0.9), store, dataclasses.replace(HIDDEN, seen="filtered")),
    )
    repeat = kept.table["repeat"].to_numpy()
    assert repeat.mean() > 0.9
    assert (filtered.metric("hr@20")[repeat] == 0).all()
    assert kept.metric("hr@5")[repeat].mean() > 0.9
    seen = [
        set(store["item"][store.offsets[u] : row].tolist()) for u, row in filtered.table.select("user", "row").rows()
    ]
    assert not any(set(top) & known - {0} for top, known in zip(filtered.lists.tolist(), seen, strict=True))


class Broken(Counts):
    """Answers nothing but NaN."""

    def score(self, queries: Queries) -> Scores:
        return Scores(np.full((len(queries), len(self.count)), np.nan, np.float32))


def test_a_broken_predictor_wins_nothing() -> None:
    judgement = judged(Broken(), toy_store())
    assert judgement.metric("hr@20").sum() == 0
    assert (judgement.ranks == 20.5).all()


def test_the_judgement_does_not_depend_on_how_queries_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    store = toy_store()
    whole = judged(Counts(own=0.5, heads=True), store)
    monkeypatch.setattr("components.evaluation.judge._CELLS", 70)
    assert judged(Counts(own=0.5, heads=True), store).table.equals(whole.table, null_equal=True)


def test_every_model_of_a_window_is_asked_the_same() -> None:
    store = toy_store()
    assert same_queries(judged(Counts("a"), store), judged(Counts("b", own=0.3), store))
    assert not same_queries(judged(Counts(), store), judged(Counts(), store, window="blend"))


def test_baskets_have_several_answers() -> None:
    store = toy_store(pattern="random", events_per_user=60)
    store.columns["time_s"][:] = store["time_s"] // DAY_S * DAY_S
    judgement = judged(Counts(), store, dataclasses.replace(HIDDEN, ties="basket"))
    assert np.diff(judgement.offsets).max() > 1
    assert len(judgement.ranks) == judgement.offsets[-1] == len(judgement.targets)


def test_a_judgement_survives_the_disk_with_the_same_bytes(tmp_path: Path) -> None:
    judgement = judged(Counts(heads=True), toy_store())
    judgement.save(tmp_path / "one.parquet")
    judgement.save(tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    back = Judgement.load(tmp_path / "one.parquet")
    assert back.table.equals(judgement.table, null_equal=True)
    assert (back.protocol, back.about, back.n_items) == (judgement.protocol, judgement.about, judgement.n_items)
    with pytest.raises(DataError):
        Judgement.load(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(IntegrityError):
        Judgement.load(tmp_path / "bad.parquet")

"""A challenger that nobody hears: off the path, bounded, and scored on what came next."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.experiments.exposure import Evidence
from components.experiments.plan import Plan
from components.experiments.shadow import Silence, silence
from components.experiments.silent import Pair, Silent, erase, erase_forgotten, pairs
from components.serving.collect import collect
from components.serving.question import Answer, RankedItem
from components.workspace import Workspace
from tests.experiments import HOUR_US, START_US, did, log_of, plan


def answer(*items: str) -> Answer:
    return Answer([RankedItem(item, 0.1, item, None) for item in items], None, None, None, 0, "", None, [])


def pair(user: str, at_h: float, champion: str, challenger: str, answered: int = 0) -> Pair:
    return Pair(user, START_US + int(at_h * HOUR_US), 0, answered, tuple(champion), tuple(challenger))


def nothing_came() -> int:
    return 0


def score(one: Plan, kept: list[Pair], events: list) -> Silence:
    evidence = Evidence(one)
    evidence.follow(log_of(events))
    return silence(one, kept, evidence.happened, START_US + 10_000 * HOUR_US)


def test_a_full_queue_leaves_questions_out_and_never_waits(tmp_path: Path) -> None:
    gate = threading.Event()
    silent = Silent(tmp_path, 2, 3, nothing_came)

    def slow() -> Answer:
        gate.wait(30)
        return answer("x")

    taken = [silent.offer(f"u{n}", n, 0, answer("a"), slow) for n in range(10)]  # returns though nothing moves
    assert 2 <= sum(taken) <= 3
    assert silent.left_out == 10 - sum(taken)
    gate.set()
    silent.close()
    assert len(list(pairs(tmp_path))) == sum(taken)


def test_a_challenger_that_throws_is_counted_and_the_next_one_is_asked(tmp_path: Path) -> None:
    heard: list[object] = []
    silent = Silent(tmp_path, 10, 3, nothing_came, heard=lambda *told: heard.append(told))

    def throw() -> Answer:
        raise ValueError("NaN")

    silent.offer("u", 1, 0, answer("a"), throw)
    silent.offer("v", 2, 0, answer("a", "b", "c", "d"), lambda: answer("b"))
    silent.close()
    assert (silent.failed, silent.asked) == (1, 1)
    assert heard == [("v", ("b",))]
    assert list(pairs(tmp_path)) == [Pair("v", 2, 0, 0, ("a", "b", "c"), ("b",))]


def test_a_forgotten_user_is_taken_out_up_to_the_moment(tmp_path: Path) -> None:
    silent = Silent(tmp_path, 10, 3, nothing_came)
    for n in range(6):
        silent.offer(f"u{n % 2}", 9_000 - n, n, answer("a"), lambda: answer("b"))  # whatever time was asked about
    silent.close()
    assert erase(tmp_path, {"u1": 4}) == 2
    assert sorted((one.user_id, one.asked) for one in pairs(tmp_path)) == [("u0", 0), ("u0", 2), ("u0", 4), ("u1", 5)]
    assert erase(tmp_path / "nothing", {"u1": 4}) == 0


def test_what_waited_when_a_user_was_forgotten_is_not_kept(tmp_path: Path) -> None:
    gate = threading.Event()
    silent = Silent(tmp_path, 10, 3, nothing_came)

    def slow() -> Answer:
        gate.wait(30)
        return answer("x")

    for user, asked in (("held up", 1), ("gone", 1), ("stays", 1), ("gone", 3)):
        silent.offer(user, 1, asked, answer("a"), slow)
    silent.forget({"gone": 2})
    gate.set()
    silent.close()
    assert [(one.user_id, one.asked) for one in pairs(tmp_path)] == [("held up", 1), ("stays", 1), ("gone", 3)]


def test_after_the_experiment_a_forgotten_user_goes_with_what_is_collected(tmp_path: Path) -> None:
    state = log_of([did(user, "a", 1) for user in ("gone", "stays")])
    for name in ("ended", "other"):
        silent = Silent(Workspace(tmp_path).shadows / name, 10, 3, state.head)
        for user in ("gone", "stays"):
            silent.offer(user, START_US + 10**15, state.head(), answer("a"), lambda: answer("b"))
        silent.close()
    state.forget("gone")
    collect(tmp_path, state)
    assert erase_forgotten(tmp_path) == 2
    left = [one.user_id for name in ("ended", "other") for one in pairs(Workspace(tmp_path).shadows / name)]
    assert left == ["stays", "stays"]


def test_an_event_that_the_challenger_may_have_counted_is_not_scored(tmp_path: Path) -> None:
    one, state = plan("shadow"), log_of([did("u", "x", 0)])
    gate = threading.Event()
    silent = Silent(tmp_path, 10, 3, state.head)

    def peeks() -> Answer:
        gate.wait(30)
        return answer(str(state.last("u", 1)[0].record.payload["item_id"]))

    silent.offer("u", START_US + HOUR_US, state.head(), answer("a"), peeks)
    state.append([did("u", "c", 2)])  # while the question waits
    gate.set()
    silent.close()
    evidence = Evidence(one)
    evidence.follow(state)
    found = silence(one, pairs(tmp_path), evidence.happened, START_US + 10_000 * HOUR_US)
    assert (found.asked, found.late, found.scored) == (1, 1, 0)


def test_both_lists_are_scored_by_the_next_event() -> None:
    one = plan("shadow", k=3)
    found = score(one, [pair("u", 1, "abc", "cxa")], [did("u", "c", 2), did("u", "a", 3)])
    assert (found.asked, found.scored, found.users) == (1, 1, 1)
    assert found.overlap == pytest.approx(2 / 3)
    assert found.compared["ndcg"].champion == pytest.approx(0.5)
    assert found.compared["ndcg"].challenger == pytest.approx(1.0)
    assert found.compared["mrr"].champion == pytest.approx(1 / 3)
    assert found.compared["hit_rate"].path.value.tolist() == [0.0]


@pytest.mark.parametrize(
    "event", [did("u", "a", 1), did("u", "a", 30), did("v", "a", 2), did("u", "a", 1 + 0.5 / 3600)]
)
def test_what_is_not_next_scores_nothing(event: object) -> None:
    assert score(plan("shadow"), [pair("u", 1, "abc", "cxa")], [event]).scored == 0


def test_an_item_beyond_k_is_a_miss() -> None:
    found = score(plan("shadow", k=2), [pair("u", 1, "abc", "cab")], [did("u", "c", 2)])
    assert (found.compared["hit_rate"].champion, found.compared["hit_rate"].challenger) == (0.0, 1.0)


def test_a_better_challenger_is_seen_by_user_and_a_like_one_is_not() -> None:
    one, rng = plan("shadow", least_users=100), np.random.default_rng(0)
    kept, events = [], []
    for n in range(1_500):
        item = "abcdef"[rng.integers(6)]
        kept += [pair(f"u{n}", 1 + repeat, "abc", "abc" if rng.random() < 0.5 else f"{item}bc") for repeat in range(2)]
        events.append(did(f"u{n}", item, 5))
    better = score(one, kept, events)
    assert better.users == 1_500
    assert better.scored == 3_000
    assert better.compared["ndcg"].path.last[1] > 0
    same = score(one, [replace(p, challenger=tuple("cba")) for p in kept], events)
    assert same.compared["hit_rate"].path.last[0] == 0.0
    assert np.isnan(same.compared["hit_rate"].path.last[1])  # no user differs: nothing can be said of a spread

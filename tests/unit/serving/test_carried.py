"""What a champion carries of its users: handed back to the same user, bounded, forgotten; and what is settled."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from components.params import PolicyParams, load_params
from components.predictor import Queries, Scores
from components.serving import watch
from components.serving.carried import Carried
from components.serving.settle import settle
from tests.conftest import ROOT
from tests.serving import toy_champion

SCORES = Scores(np.zeros((1, 3), np.float32))


class Counting:
    """Carries how often it was asked."""

    def score(self, queries: Queries) -> Scores:
        return SCORES

    def carry(self, queries: Queries, carried: Any) -> tuple[Scores, Any]:
        self.handed = carried
        return SCORES, (carried or 0) + 1


def test_a_user_is_handed_what_their_own_last_answer_gave_and_an_inline_history_nothing() -> None:
    predictor = Counting()
    carried = Carried(predictor)  # type: ignore[arg-type]
    handed = []
    for user in ("a", "b", "a", None, "a"):
        carried.score(None, user)  # type: ignore[arg-type]
        handed.append(predictor.handed)
    assert handed == [None, None, 1, None, 2]


def test_who_was_not_asked_for_longest_is_let_go_and_who_is_erased_at_once() -> None:
    predictor = Counting()
    carried = Carried(predictor, users=2)  # type: ignore[arg-type]
    for user in ("a", "b", "a", "c"):
        carried.score(None, user)  # type: ignore[arg-type]
    assert len(carried) == 2
    assert carried.users == ["a", "c"]
    carried.forget("c")
    carried.forget("nobody")
    assert len(carried) == 1
    carried.score(None, "a")  # type: ignore[arg-type]
    assert predictor.handed == 2
    carried.score(None, "b")  # type: ignore[arg-type]
    assert predictor.handed is None


def test_a_champion_that_was_settled_goes_with_its_last_holder_without_a_collection() -> None:
    champion = toy_champion()
    watch.warm(champion)
    gc.disable()
    settle(first=True)
    held = [weakref.ref(one) for one in (champion, champion.predictor, champion.carried)]
    del champion
    gone = [one() is None for one in held]
    gc.unfreeze()
    gc.enable()
    assert gone == [True] * 3


def test_who_asked_the_old_champion_is_read_by_the_new_one_if_it_reads_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(watch, "_ask", lambda champion, user: asked.append(user))
    watch.meet(toy_champion(), ["a", "b"])  # the memory has nothing to read
    assert asked == []
    watch.meet(SimpleNamespace(predictor=Counting()), ["a", "b"])  # type: ignore[arg-type]
    assert asked == ["a", "b"]


def test_a_champion_that_carries_is_warmed_for_one_more_event(monkeypatch: pytest.MonkeyPatch) -> None:
    champion, lengths = toy_champion(), []

    class Noting:
        def carry(self, queries: Queries, carried: object) -> tuple[object, int]:
            lengths.append((int(queries.stop[0] - queries.start[0]), carried))
            return None, len(lengths)

    monkeypatch.setattr(type(champion), "predictor", Noting())
    monkeypatch.setattr(watch, "_ask", lambda *_: None)
    watch.warm(champion)
    assert lengths == [(2, None), (3, 1)]


def test_a_champion_is_warmed_by_every_rule_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question under a rule would otherwise wait until its loops are compiled."""
    tried: set[str] = set()

    def noted(champion: object, user: str | None, policy: PolicyParams | None = None) -> None:
        if policy is not None and user is not None:
            tried.add(policy.rules["active"].order)

    policy = load_params(ROOT / "params.yaml").policy
    monkeypatch.setattr(watch, "_ask", noted)
    watch.warm(toy_champion(), policy)
    assert tried == {rule.order for rule in policy.rules.values()}
    assert len(tried) > 1

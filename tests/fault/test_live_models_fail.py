"""A model that fails while it follows the live log: nothing is lost, nothing counts twice, others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.errors import ServiceError, TrainingError
from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.question import Answer, Question
from tests.unit.serving.live import SPLIT, ask, champion, live_of, log, params, sent, tables

WHOLE = params()
FRAME = log(240)
EARLY, LATE = (FRAME.filter(part) for part in (pl.col("timestamp") < SPLIT, pl.col("timestamp") >= SPLIT))


def fails(monkeypatch: pytest.MonkeyPatch, model: Champion, method: str, *at: int) -> None:
    """Let a model's method raise at some of its calls, counted from 1."""
    real, calls = getattr(model.predictor, method), [0]

    def sometimes(*arguments: Any) -> None:
        calls[0] += 1
        if calls[0] in at:
            raise MemoryError
        real(*arguments)

    monkeypatch.setattr(model.predictor, method, sometimes)


def in_spite_of(work: Callable[[], object]) -> None:
    """Do something, whether or not it raises."""
    try:
        work()
    except TrainingError:
        return


def same_counts(one: Live, other: Live) -> None:
    for name, table in tables(other).items():
        np.testing.assert_allclose(tables(one)[name], table, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("method", ["update", "forget"])
@pytest.mark.parametrize("at", [1, 2])
def test_what_an_update_did_not_count_is_counted_later(method: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    live, sound = live_of(champion(EARLY, WHOLE)), live_of(champion(EARLY, WHOLE))
    fails(monkeypatch, live.champion, method, at)
    events = sent(LATE)
    events = [*events[20:40], *events[:20], *events[40:]]  # late ones take back what they land before
    for start in range(0, len(events), 10):
        in_spite_of(lambda batch=events[start : start + 10]: live.take("event", batch))  # type: ignore[misc]
        sound.take("event", events[start : start + 10])
    for user in ("u1", "u3"):
        in_spite_of(lambda user=user: live.forget(user))  # type: ignore[misc]
        sound.forget(user)
    live.follow()
    assert live.offset == live.state.head()
    same_counts(live, sound)


class Beside:
    """A challenger that answers everybody, or nobody any more."""

    def __init__(self, challenger: Champion | None) -> None:
        self.challenger = challenger

    def answer(self, champion: Champion, question: Question, ask: Callable[[Champion], Answer]) -> Answer:
        return ask(self.challenger or champion)


def test_a_challenger_that_fails_stands_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    live, sound = live_of(champion(EARLY, WHOLE)), live_of(champion(EARLY, WHOLE))
    challenger = champion(EARLY, WHOLE)
    live.beside = Beside(challenger)
    live.prepare(challenger)
    fails(monkeypatch, challenger, "update", *range(1, 99))
    events = sent(LATE)
    for batch in (events[:5], events[5:]):
        assert live.take("event", batch).accepted == sound.take("event", batch).accepted == len(batch)
    assert live.offset == live.state.head()
    same_counts(live, sound)
    with pytest.raises(ServiceError):  # an arm falls back to the champion
        live.answer(ask("u1"))


def test_a_champion_that_fails_does_not_refuse_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    live = live_of(champion(EARLY, WHOLE))
    fails(monkeypatch, live.champion, "update", *range(1, 99))
    assert live.take("event", sent(LATE)[:5]).accepted == 5
    assert len(live.timeline("u1", 500)) + len(live.timeline("u2", 500)) > 0
    assert live.forget("u1") == live.state.head()
    assert live.timeline("u1", 500) == []


def test_a_challenger_is_let_go_with_its_experiment() -> None:
    live, beside = live_of(champion(EARLY, WHOLE)), Beside(champion(EARLY, WHOLE))
    live.beside, challenger = beside, beside.challenger
    assert challenger is not None
    live.prepare(challenger)
    live.follow()
    assert live.of(challenger).ready
    beside.challenger = None
    live.follow()
    with pytest.raises(ServiceError, match="let go"):
        live.of(challenger)

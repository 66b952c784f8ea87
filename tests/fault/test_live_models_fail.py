"""A model that fails while it follows the live log: nothing is lost, nothing counts twice, others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.errors import TrainingError
from components.serving.champion import Champion
from components.serving.live import Live
from tests.unit.serving.live import SPLIT, champion, live_of, log, params, sent, tables

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

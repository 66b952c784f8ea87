"""A forgotten user is counted no more, whoever counts while they are forgotten, and whoever has no room for them."""

from __future__ import annotations

import threading
import time

import numpy as np
import polars as pl
import pytest

from components.errors import StorageError
from components.serving.champion import Champion
from components.serving.follow import Followed
from components.serving.live import Live
from tests.fault.test_live_models_fail import Beside
from tests.unit.serving.live import SPLIT, champion, live_of, log, params, sent, tables

WHOLE = params()
FRAME = log(240)
EARLY, LATE = (FRAME.filter(part) for part in (pl.col("timestamp") < SPLIT, pl.col("timestamp") >= SPLIT))


def _served(room: bool = False) -> tuple[Live, Champion]:
    """A service with a challenger that follows, which took all; whether they still hold anybody."""
    live, challenger = live_of(champion(EARLY, WHOLE)), champion(EARLY, WHOLE)
    live.beside = Beside(challenger)
    live.prepare(challenger)
    live.take("event", sent(LATE))
    for one in live._followers.followed() if not room else []:
        one._held.clear()
    return live, challenger


def _busy(followed: Followed) -> None:
    """Let a thread count for a moment."""
    begun = threading.Event()

    def count() -> None:
        with followed._lock:
            begun.set()
            time.sleep(0.2)

    threading.Thread(target=count).start()
    begun.wait()


def test_who_is_forgotten_while_others_count_is_counted_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    (live, challenger), (idle, other) = _served(), _served(room=True)
    counted = live._count

    def count() -> None:
        counted()
        for one in live._followers.followed():
            _busy(one)

    monkeypatch.setattr(live, "_count", count)
    assert live.forget("u1") == idle.forget("u1")
    for name, table in tables(idle).items():
        np.testing.assert_allclose(tables(live)[name], table, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(challenger.predictor.tables.count, other.predictor.tables.count)  # type: ignore[attr-defined]
    np.testing.assert_allclose(challenger.predictor.tables.count, tables(live)["count"])  # type: ignore[attr-defined]


def test_who_is_held_stays_until_the_store_is_erased_or_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    live, _ = _served()
    real, pinned = live.state.forget, []

    def full(user_id: str) -> None:
        pinned.append([set(one._held._pinned) for one in live._followers.followed()])
        raise StorageError("room", found="none", do="Make some.")

    monkeypatch.setattr(live.state, "forget", full)
    with pytest.raises(StorageError):
        live.forget("u1")
    monkeypatch.setattr(live.state, "forget", real)
    assert pinned == [[{"u1"}, {"u1"}]]
    assert not any(one._held._pinned for one in live._followers.followed())
    live.forget("u1")
    assert not any(one._held._pinned for one in live._followers.followed())

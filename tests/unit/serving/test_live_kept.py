"""Over the state of a folder the service answers as over one in memory, and comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from components.serving.state.open import open_state
from tests.unit.serving.live import SPLIT, ask, champion, live_of, log, params, sent, tables

WHOLE = params()
FRAME = log(240)
EARLY, LATE = (FRAME.filter(part) for part in (pl.col("timestamp") < SPLIT, pl.col("timestamp") >= SPLIT))


def test_a_service_that_starts_anew_answers_as_before(tmp_path: Path) -> None:
    kept = open_state(tmp_path, WHOLE.live, None)
    live, beside = live_of(champion(EARLY, WHOLE), kept), live_of(champion(EARLY, WHOLE))
    new = {"user_id": "u1", "item_id": "brand new", "action": "view", "timestamp": "2025-03-01T10:00:00+00:00"}
    events = [*sent(LATE), new]
    for one in events:
        assert live.take("event", [one]) == beside.take("event", [one])
    assert live.forget("u2") == beside.forget("u2")
    kept.close()
    again = live_of(champion(EARLY, WHOLE), open_state(tmp_path, WHOLE.live, None))
    for name, table in tables(beside).items():
        np.testing.assert_allclose(tables(live)[name], table, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(tables(again)[name], table, atol=1e-6, err_msg=name)
    for user in ("u1", "u2", "stranger"):
        wanted = beside.answer(ask(user))
        found = again.answer(ask(user))
        assert found.history_events == wanted.history_events
        assert [item.item_id for item in found.items] == [item.item_id for item in wanted.items]
        assert again.timeline(user, 50) == beside.timeline(user, 50)
    again.state.close()

"""A new champion knows the live log before it answers, and one that cannot know it never does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.errors import IntegrityError, ServiceError
from components.serving import watch as module
from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.state.memory import MemoryState
from components.serving.watch import Watch
from tests.unit.serving.live import NOW, SPLIT, ask, champion, log, params, sent, tables

WHOLE = params()
FRAME = log(240)
EARLY = FRAME.filter(pl.col("timestamp") < SPLIT)


class Promotions:
    """Stands in for a workspace's promotion log: the newest entry, and what its artifact is loaded as."""

    def __init__(self, first: Champion) -> None:
        self.models = [first]

    def promote(self, one: Champion) -> Champion:
        entry = one.entry.model_copy(
            update={"sequence": len(self.models) + 1, "digest": f"{len(self.models) + 1:064x}"}
        )
        self.models.append(Champion(entry, one.artifact))
        return self.models[-1]


@pytest.fixture
def promotions(monkeypatch: pytest.MonkeyPatch) -> Promotions:
    found = Promotions(champion(EARLY, WHOLE))
    monkeypatch.setattr(module, "current", lambda root: found.models[-1].entry)
    monkeypatch.setattr(module, "load_champion", lambda entry, folder: found.models[entry.sequence - 1])
    monkeypatch.setattr(module, "warm", lambda one, policy: None)
    monkeypatch.setattr(Watch, "_newest", lambda self: found.models[-1].entry.sequence)
    return found


def test_it_is_caught_up_while_the_old_one_still_answers(promotions: Promotions, tmp_path: Path) -> None:
    watch = Watch(tmp_path, 1.0)
    live = Live(watch, MemoryState(), WHOLE, lambda: NOW)
    live.take("event", sent(FRAME.filter(pl.col("timestamp") >= SPLIT)))
    promotions.promote(champion(EARLY, WHOLE))
    seen: list[tuple[int, int]] = []
    prepare = live.prepare

    def watched(one: Champion) -> None:
        prepare(one)
        seen.append((watch.champion.entry.sequence, live.of(one).offset))

    watch.prepare = watched
    before = live.answer(ask("u1")).items
    counted = tables(live)
    assert watch.check()
    assert seen == [(1, live.state.head())]
    assert live.champion.entry.sequence == 2
    assert [item.item_id for item in live.answer(ask("u1")).items] == [item.item_id for item in before]
    for name, table in tables(live).items():
        np.testing.assert_allclose(table, counted[name], atol=1e-6, err_msg=name)


def test_one_that_is_to_come_is_counted_once_whatever_is_prepared_beside_it(
    promotions: Promotions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(tmp_path, 1.0)
    live = Live(watch, MemoryState(), WHOLE, lambda: NOW)
    late = sent(FRAME.filter(pl.col("timestamp") >= SPLIT))
    live.take("event", late[:20])
    first, counted = promotions.models[0], tables(live)

    def meanwhile(one: Champion, users: object) -> None:
        live.prepare(champion(EARLY, WHOLE))  # a challenger, in the thread of experiments
        live.follow()

    monkeypatch.setattr(module, "meet", meanwhile)
    promotions.promote(champion(EARLY, WHOLE))
    assert watch.check()
    live.answer(ask("u1"))
    for name, table in tables(live).items():
        np.testing.assert_allclose(table, counted[name], atol=1e-6, err_msg=name)
    assert live.champion is not first


def test_the_one_before_the_last_is_let_go(promotions: Promotions, tmp_path: Path) -> None:
    watch = Watch(tmp_path, 1.0)
    live = Live(watch, MemoryState(), WHOLE, lambda: NOW)
    for _ in range(2):
        promotions.promote(champion(EARLY, WHOLE))
        assert watch.check()
    live.follow()
    with pytest.raises(ServiceError, match="let go"):
        live.of(promotions.models[0])
    assert live.of(promotions.models[1]).ready


def test_what_the_new_one_took_first_is_told_as_well(promotions: Promotions, tmp_path: Path) -> None:
    watch, state = Watch(tmp_path, 1.0), MemoryState()
    live = Live(watch, state, WHOLE, lambda: NOW)
    other = Live(module.Alone(champion(EARLY, WHOLE)), state, WHOLE, lambda: NOW)
    heard: list[int] = []
    live.listeners.append(lambda records: heard.extend(one.offset for one in records))
    late = sent(FRAME.filter(pl.col("timestamp") >= SPLIT))
    live.take("event", late[:5])
    other.take("event", late[5:10])  # not yet followed here
    promotions.promote(champion(EARLY, WHOLE))
    watch.check()
    other.take("event", late[10:12])
    live.follow()
    live.follow()
    assert heard == list(range(1, 13))


def test_the_one_before_goes_on_where_it_was_when_it_comes_back(promotions: Promotions, tmp_path: Path) -> None:
    watch = Watch(tmp_path, 1.0)
    live = Live(watch, MemoryState(), WHOLE, lambda: NOW)
    late = sent(FRAME.filter(pl.col("timestamp") >= SPLIT))
    live.take("event", late[:20])
    first = promotions.models[0]
    promotions.promote(champion(EARLY, WHOLE))
    watch.check()
    live.take("event", late[20:40])
    back = promotions.promote(first)  # a rollback: a new entry, the same artifact
    watch.check()
    assert live.champion is back
    once = Live(module.Alone(champion(EARLY, WHOLE)), live.state, WHOLE, lambda: NOW)
    for name, table in tables(once).items():
        np.testing.assert_allclose(tables(live)[name], table, atol=1e-6, err_msg=name)


def test_a_champion_that_cannot_be_caught_up_never_takes_over(promotions: Promotions, tmp_path: Path) -> None:
    watch = Watch(tmp_path, 1.0)
    Live(watch, MemoryState(), WHOLE, lambda: NOW)
    promotions.promote(champion(EARLY, WHOLE))

    def broken(one: Champion) -> None:
        raise IntegrityError("a record of the live log", found="none", do="Restore the state folder.")

    watch.prepare = broken
    assert not watch.check()
    assert watch.champion.entry.sequence == 1
    assert "a record of the live log" in str(watch.last_error)


@pytest.mark.parametrize(
    "error", [ServiceError("redis", found="none", do="Start it."), OSError(5, "I/O"), ValueError()]
)
def test_what_may_pass_is_tried_again(error: Exception, promotions: Promotions, tmp_path: Path) -> None:
    watch = Watch(tmp_path, 1.0)
    promotions.promote(champion(EARLY, WHOLE))
    tried: list[int] = []

    def away_at_first(one: Champion) -> None:
        tried.append(one.entry.sequence)
        if len(tried) < 3:
            raise error

    watch.prepare = away_at_first
    assert [watch.check() for _ in range(4)] == [False, False, False, True]  # the third round rests
    assert (tried, watch.last_error, watch.coming) == ([2, 2, 2], None, None)


def test_bytes_that_are_wrong_are_not_tried_again(promotions: Promotions, tmp_path: Path) -> None:
    watch = Watch(tmp_path, 1.0)
    promotions.promote(champion(EARLY, WHOLE))
    tried: list[int] = []

    def broken(one: Champion) -> None:
        tried.append(one.entry.sequence)
        raise IntegrityError("an artifact", found="another", do="Bring it back.")

    watch.prepare = broken
    assert not any(watch.check() for _ in range(9))
    promotions.promote(champion(EARLY, WHOLE))
    assert not watch.check()
    assert tried == [2, 3]


def test_a_model_of_a_cut_log_lacks_what_happened_after_the_cut(promotions: Promotions, tmp_path: Path) -> None:
    """All was collected before it was made, so only the time tells what it knows."""
    live = Live(Watch(tmp_path, 1.0), MemoryState(), WHOLE, lambda: NOW)
    live.take("event", sent(FRAME))
    early = champion(EARLY, WHOLE)
    lineage = {**early.artifact.lineage, "live_offset": live.state.head(), "until": SPLIT.date().isoformat()}
    cut = live.prepare(Champion(early.entry, replace(early.artifact, lineage=lineage)))
    for user in ("u0", "u1", "u2"):
        assert len(cut.history(user)) == FRAME.filter(pl.col("user_id") == user).height
    rest = Live(module.Alone(champion(EARLY, WHOLE)), MemoryState(), WHOLE, lambda: NOW)
    rest.take("event", sent(FRAME.filter(pl.col("timestamp") >= SPLIT)))
    expected = rest.champion.predictor.tables.count  # type: ignore[attr-defined]
    np.testing.assert_allclose(cut.champion.predictor.tables.count, expected)  # type: ignore[attr-defined]

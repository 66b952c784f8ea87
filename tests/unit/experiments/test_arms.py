"""Who answers whom in the service: the arm's model, the champion where it fails, and what is logged of either."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest

from components.errors import DataError, IntegrityError, StorageError
from components.experiments import arms as module
from components.experiments.arms import Arms
from components.experiments.assignment import arm_of
from components.experiments.exposure import Evidence
from components.experiments.log import active, end, start
from components.experiments.plan import Plan
from components.experiments.silent import pairs
from components.serving.champion import Champion
from components.serving.question import Answer, Question, RankedItem
from components.serving.state.memory import MemoryState
from components.workspace import Workspace
from tests.experiments import CHALLENGER, CHAMPION, HOUR_US, START_US, did, plan
from tests.serving import toy_champion

START = dt.datetime.fromtimestamp(START_US / 1e6, dt.UTC)
LISTS = {CHAMPION: ["a", "b", "c"], CHALLENGER: ["c", "b", "a"]}


def model(digest: str) -> Champion:
    one = toy_champion()
    return Champion(one.entry.model_copy(update={"digest": digest, "content": digest}), one.artifact)


@pytest.fixture(scope="module")
def champion() -> Champion:
    return model(CHAMPION)


@pytest.fixture(scope="module")
def challenger() -> Champion:
    return model(CHALLENGER)


def question(user: str | None, time: dt.datetime | None = None, shown: bool = True) -> Question:
    return Question(
        user_id=user, history=None, time=time or START, utc_offset_min=None, latitude=None, longitude=None, k=3,
        seen=True, categories=None, radius_km=None, max_price=None, shown=shown,
    )  # fmt: skip


def ask(one: Champion) -> Answer:
    items = [RankedItem(item, 0.1, item, None) for item in LISTS[one.entry.digest]]
    return Answer(items, None, None, None, 3, one.entry.digest, None, [])


def broken(one: Champion) -> Answer:
    if one.entry.digest == CHALLENGER:
        raise RuntimeError("NaN of somebody@example.com")
    return ask(one)


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()


@pytest.fixture
def arms(tmp_path: Path, state: MemoryState, challenger: Champion, monkeypatch: pytest.MonkeyPatch) -> Arms:
    monkeypatch.setattr(module, "load_challenger", lambda root, digest: challenger)
    return Arms(tmp_path, state, prepare=lambda one: None, clock=lambda: START)


def begin(tmp_path: Path, arms: Arms, mode: str = "ab", **settings: object) -> Plan:
    one = plan(mode, **settings)
    start(tmp_path, one, "")
    assert arms.check()
    return one


def test_a_challenger_that_cannot_be_prepared_just_now_is_tried_again(
    tmp_path: Path, state: MemoryState, challenger: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_challenger", lambda root, digest: challenger)
    failures: list[Exception] = [StorageError("room", found="none", do="Free some."), ValueError("u1 did this")]

    def away_at_first(one: Champion) -> None:
        if failures:
            raise failures.pop()

    arms = Arms(tmp_path, state, prepare=away_at_first)
    start(tmp_path, plan(), "")
    assert not arms.check()
    assert "ValueError" in str(arms.error)
    assert "u1" not in str(arms.error)
    assert [arms.check() for _ in range(3)] == [False, False, True]
    assert arms.error is None


def test_a_look_that_fails_is_counted_and_ends_no_thread(
    tmp_path: Path, arms: Arms, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, arms)

    def wrong(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(arms, "look", wrong)
    arms.start(0.001)
    deadline = time.monotonic() + 10
    while not arms.counts["unlooked"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert arms._thread is not None
    assert arms._thread.is_alive()
    assert arms.counts["unlooked"]
    arms.stop()


USERS = [f"u{n}" for n in range(40)]


def test_without_an_experiment_the_champion_answers_and_nothing_is_logged(
    arms: Arms, champion: Champion, state: MemoryState
) -> None:
    assert arms.answer(champion, question("u1"), ask) == ask(champion)
    assert state.head() == 0


def test_each_user_has_the_answer_of_their_arm_and_it_is_logged(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState
) -> None:
    one = begin(tmp_path, arms)
    for user in USERS:
        found = arms.answer(champion, question(user), ask)
        arm = arm_of(one, user)
        assert [item.item_id for item in found.items] == LISTS[CHALLENGER if arm == "challenger" else CHAMPION]
        assert found.arm == one.label(arm)
        assert found.chances == [1.0, 1.0, 1.0]
    evidence = Evidence(one)
    evidence.follow(state)
    assert evidence.shown.height == 120
    assert dict(evidence.shown.select("user_id", "arm").unique().rows()) == {user: arm_of(one, user) for user in USERS}
    assert set(arms.counts) == {"champion by champion", "challenger by challenger"}


def test_who_is_not_known_by_name_is_the_champions(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState
) -> None:
    begin(tmp_path, arms)
    assert arms.answer(champion, question(None), ask).arm is None
    assert state.head() == 0


def test_under_another_champion_the_experiment_rests(tmp_path: Path, arms: Arms, state: MemoryState) -> None:
    begin(tmp_path, arms)
    LISTS["d" * 64] = ["x"]
    assert all(arms.answer(model("d" * 64), question(user), ask).arm is None for user in USERS[:5])
    assert state.head() == 0


def test_where_the_challenger_fails_the_champion_answers_and_the_arm_is_kept(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState
) -> None:
    one = begin(tmp_path, arms)
    user = next(user for user in USERS if arm_of(one, user) == "challenger")
    found = arms.answer(champion, question(user), broken)
    assert [item.item_id for item in found.items] == LISTS[CHAMPION]
    assert found.arm == one.label("challenger")
    logged = state.after(0, 10)[0].record.payload
    assert (logged["arm"], logged["policy"]) == (one.label("challenger"), CHAMPION[:12])
    assert arms.counts["failed"] == 1
    assert arms.error is None


def test_a_challenger_that_fails_again_and_again_is_dropped_for_both_arms(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState, caplog: pytest.LogCaptureFixture
) -> None:
    one = begin(tmp_path, arms)
    others = [user for user in USERS if arm_of(one, user) == "challenger"]
    for user in others[:5]:
        arms.answer(champion, question(user), broken)
    assert str(arms.error).endswith("5 times in a row: RuntimeError")
    assert "somebody" not in str(arms.status()) + caplog.text  # what a challenger says may name its users
    assert arms.challenger is None
    before = state.head()
    assert all(arms.answer(champion, question(user), broken).arm is None for user in USERS)
    assert state.head() == before
    assert not arms.check()  # not again, until the log of experiments goes on


def test_a_question_that_is_wrong_in_itself_is_no_failure(tmp_path: Path, arms: Arms, champion: Champion) -> None:
    one = begin(tmp_path, arms)

    def refuse(_: Champion) -> Answer:
        raise DataError("a", found="b", do="c")

    for user in [user for user in USERS if arm_of(one, user) == "challenger"][:6]:
        with pytest.raises(DataError):
            arms.answer(champion, question(user), refuse)
    assert arms.challenger is not None
    assert not arms.counts["failed"]


def test_a_log_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, arms)

    def full(_: object) -> None:
        raise StorageError("room", found="none", do="free some")

    monkeypatch.setattr(state, "append", full)
    assert arms.answer(champion, question("u1"), ask).items
    assert arms.counts["unlogged"] == 1


def test_a_challenger_that_cannot_be_loaded_is_told_and_nobody_takes_part(
    tmp_path: Path, state: MemoryState, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(root: Path, digest: str) -> Champion:
        raise IntegrityError("a whole artifact", found="half of one", do="pack again")

    monkeypatch.setattr(module, "load_challenger", refuse)
    arms = Arms(tmp_path, state, prepare=lambda one: None)
    start(tmp_path, plan(), "")
    assert not arms.check()
    assert "half of one" in str(arms.status()["error"])
    assert arms.answer(champion, question("u1"), ask).arm is None
    under_way = active(tmp_path)
    assert under_way is not None
    end(tmp_path, under_way, "stop", "")
    arms.check()
    assert arms.error is None


def test_exploration_is_logged_with_its_chances(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState
) -> None:
    begin(tmp_path, arms, explore=0.5)
    seen = {tuple(i.item_id for i in arms.answer(champion, question(user), ask).items) for user in USERS * 5}
    assert seen == {tuple(x) for x in ("abc", "bac", "cab", "cba", "bca", "acb")}
    for stored in state.after(0, 3):
        assert 0 < stored.record.payload["probability"] < 1


@pytest.mark.parametrize("days", [-300, 60_000])
def test_a_question_about_another_time_is_no_exposure(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState, days: float
) -> None:
    one = begin(tmp_path, arms)
    for user in USERS[:6]:
        found = arms.answer(champion, question(user, START + dt.timedelta(days=days)), ask)
        assert (found.arm, found.list_id) == (one.label(arm_of(one, user)), None)
    assert state.head() == 0


@pytest.mark.parametrize("mode", ["ab", "shadow"])
def test_what_nobody_is_shown_is_no_exposure(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState, mode: str
) -> None:
    one = begin(tmp_path, arms, mode)
    for user in USERS[:6]:
        found = arms.answer(champion, question(user, shown=False), ask)
        assert found.list_id is None
        assert [item.item_id for item in found.items] == LISTS[arms.model(champion, question(user)).entry.digest]
    arms.stop()
    assert state.head() == 0
    assert not list(pairs(Workspace(tmp_path).shadows / one.name))


def test_whoever_shows_may_log(tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState) -> None:
    one = begin(tmp_path, arms, expose=False)
    found = arms.answer(champion, question("u1"), ask)
    assert state.head() == 0
    assert found.list_id
    assert found.arm == one.label(arm_of(one, "u1"))


def test_a_silent_challenger_changes_nothing_and_leaves_its_lists(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState
) -> None:
    one = begin(tmp_path, arms, "shadow")
    for user in USERS[:5]:
        assert arms.answer(champion, question(user), ask) == ask(champion)
    arms.stop()
    kept = list(pairs(Workspace(tmp_path).shadows / one.name))
    assert sorted(pair.user_id for pair in kept) == sorted(USERS[:5])
    assert {pair.challenger for pair in kept} == {("c", "b", "a")}
    assert state.head() == 0


def test_a_forgotten_user_leaves_the_silent_lists(
    tmp_path: Path, arms: Arms, champion: Champion, state: MemoryState
) -> None:
    one = begin(tmp_path, arms, "shadow")
    for user in USERS[:3]:
        arms.answer(champion, question(user), ask)
    trial = arms._trial
    assert trial is not None
    assert trial.silent is not None
    trial.silent.close()
    state.forget(USERS[0])
    arms.look()
    assert sorted(pair.user_id for pair in pairs(Workspace(tmp_path).shadows / one.name)) == sorted(USERS[1:3])


def test_a_bad_challenger_is_turned_off_by_itself_and_the_champion_goes_on(
    tmp_path: Path, state: MemoryState, challenger: Champion, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_challenger", lambda root, digest: challenger)
    clock = [START]
    arms = Arms(tmp_path, state, prepare=lambda one: None, clock=lambda: clock[0])
    one = begin(tmp_path, arms, least_users=50, aim_users=400, guard=0.05)
    assert not arms.look()
    for n in range(600):
        user = f"v{n}"
        arms.answer(champion, question(user), ask)
        if arm_of(one, user) == "champion" and n % 2:
            state.append([did(user, "a", 1)])
    clock[0] += dt.timedelta(days=30)
    assert arms.look()
    assert arms.challenger is None
    assert arms.answer(champion, question("u1"), ask).arm is None
    assert active(tmp_path) is None
    assert HOUR_US

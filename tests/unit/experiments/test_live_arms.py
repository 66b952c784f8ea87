"""The arms in the live service, with two real artifacts: both know what was done a second ago; off-policy by replay."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import DataError, IntegrityError
from components.experiments.arms import Arms
from components.experiments.assignment import arm_of
from components.experiments.challenger import load_challenger
from components.experiments.exposure import Evidence
from components.experiments.log import start
from components.experiments.off_policy import estimates
from components.experiments.plan import Plan
from components.experiments.replayed import decisions
from components.features.store import Store
from components.files import write_json
from components.learners import build
from components.params import Params, parse_params
from components.predictor import NoTracker, Window
from components.registry.artifact import Manifest, compose
from components.registry.promotions import append
from components.serving.champion import load_champion
from components.serving.live import Live
from components.serving.question import Question
from components.serving.state.memory import MemoryState
from components.serving.watch import Alone
from components.workspace import Workspace
from tests.experiments import plan
from tests.toy import toy_store
from tests.workspaces import few_counters, small_params

LINEAGE = {"git_sha": None, "windows": {}, "protocol": {"target_time": "given", "seen": "kept"}}
NOW = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)


def packed(root: Path, store: Store, name: str, memory: Mapping[str, Any]) -> tuple[Manifest, Params]:
    params = parse_params(small_params(**memory), "test")
    model = build("memory", params)
    model.fit(Window(store, "train"), Window(store, "tune"), NoTracker())
    model.save(root / "models" / name)
    told = compose(
        Workspace(root).artifacts, root / "models" / name, store, name=name, history=50, lineage=LINEAGE, card="# m\n"
    )
    return told, params


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, Params]:
    return packed_workspace(tmp_path_factory.mktemp("arms"))


def packed_workspace(root: Path) -> tuple[Path, str, str, Params]:
    """A workspace with a champion that knows habits, and a challenger that knows what is popular."""
    store = toy_store(pattern="habit")
    best, params = packed(root, store, "whole", {})
    poor, _ = packed(root, store, "popular", few_counters("popularity"))
    append(root, expected=0, kind="promote", model="whole", digest=best.digest, content=best.content, reason="")
    return root, best.digest, poor.digest, params


class Service:
    """A live service with an experiment under way."""

    def __init__(self, template: tuple[Path, str, str, Params], **settings: Any) -> None:
        self.root, best, poor, self.params = template
        from components.registry.promotions import current

        entry = current(self.root)
        assert entry is not None
        self.state, self.now = MemoryState(), NOW
        self.plan: Plan = plan(**settings).model_copy(update={"champion": best, "challenger": poor})
        for path in Workspace(self.root).experiments.glob("*.json"):
            path.unlink()
        start(self.root, self.plan, "")
        champion = load_champion(entry, Workspace(self.root).artifact(best))
        self.live = Live(Alone(champion), self.state, self.params, lambda: NOW)
        self.arms = Arms(self.root, self.state, self.live.prepare, lambda: self.now)
        self.live.beside = self.arms
        assert self.arms.check()

    def ask(self, user: str, k: int = 5, at: dt.datetime = NOW) -> Any:
        self.now = at
        return self.live.answer(self.question(user, k, at))

    def question(self, user: str, k: int = 5, at: dt.datetime = NOW) -> Question:
        return Question(
            user_id=user, history=None, time=at, utc_offset_min=None, latitude=None, longitude=None, k=k, seen=True,
            categories=None, radius_km=None, max_price=None,
        )  # fmt: skip

    def do(self, user: str, item: str, after_s: float, at: dt.datetime = NOW) -> None:
        time = (at + dt.timedelta(seconds=after_s)).isoformat()
        taken = self.live.take("event", [{"user_id": user, "item_id": item, "action": "view", "timestamp": time}])
        assert taken.accepted == 1, taken


def test_both_arms_know_what_was_done_a_second_ago(template: tuple[Path, str, str, Params]) -> None:
    service = Service(template)
    users = {arm_of(service.plan, f"user{n:05d}"): f"user{n:05d}" for n in range(30)}
    assert set(users) == {"champion", "challenger"}
    for arm, user in users.items():
        before = service.ask(user)
        service.do(user, "item00003", -1)
        after = service.ask(user)
        assert after.arm == f"trial/{arm}"
        assert after.history_events == before.history_events + 1
    assert not service.arms.counts["failed"]
    evidence = Evidence(service.plan)
    evidence.follow(service.state)
    assert evidence.shown["list_id"].n_unique() == 4


def test_reasons_are_those_of_the_users_own_model_and_show_nothing(template: tuple[Path, str, str, Params]) -> None:
    service = Service(template, explore=1.0)
    users = {arm_of(service.plan, f"user{n:05d}"): f"user{n:05d}" for n in range(30)}
    for arm, digest in zip(("champion", "challenger"), template[1:3], strict=True):
        found = service.live.explain(service.question(users[arm]), None, 5)
        assert found.model.entry.digest == digest
        model = service.arms.challenger if arm == "challenger" else service.live.champion
        assert model is not None
        own = service.live._asked(model, service.question(users[arm]), None)
        assert [one.item_id for one in found.items] == [one.item_id for one in own.items]
    assert service.state.head() == 0


def test_a_challenger_is_verified_before_it_answers(template: tuple[Path, str, str, Params], tmp_path: Path) -> None:
    import shutil

    root = Path(shutil.copytree(template[0], tmp_path / "copy"))
    write_json(Workspace(root).artifact(template[2]) / "config.json", {"kind": "memory"})
    with pytest.raises(IntegrityError, match=r"config\.json"):
        load_challenger(root, template[2])


def test_what_the_challenger_would_bring_is_told_from_explored_lists(
    template: tuple[Path, str, str, Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    """People take what stands first if it is one of their habits: the champion, which knows them, would bring more."""
    numbers = itertools.count()  # names of lists decide their draws
    monkeypatch.setattr("components.experiments.exposure.uuid.uuid4", lambda: uuid.UUID(int=next(numbers)))
    service = Service(template, explore=0.6, horizon_h=0.1, metric="conversion")
    store = toy_store(pattern="habit")
    names = store.encoding.vocabularies["item"].ids
    rng = np.random.default_rng(0)
    for before in range(20, 0, -1):
        at = NOW - dt.timedelta(minutes=10 * before)
        for row, user in enumerate(map(str, store.users)):
            if arm_of(service.plan, user) == "challenger":
                continue
            mine = {str(names[code]) for code in store["item"][store.offsets[row] : store.offsets[row + 1]]}
            first = service.ask(user, k=8, at=at).items[0].item_id
            if first in mine and rng.random() < 0.7:
                service.do(user, first, 5, at)
    evidence = Evidence(service.plan)
    evidence.follow(service.state)
    later = int((NOW + dt.timedelta(hours=2)).timestamp() * 1e6)
    found = {}
    for digest in template[1:3]:
        model = load_challenger(service.root, digest)
        logged = decisions(evidence, service.state, "champion", model, service.params, later)
        found[digest] = estimates(logged, 50.0, draws=200, confidence=0.95, seed=0)
    best, poor = (found[digest] for digest in template[1:3])
    assert not any("overlap" in doubt for doubt in best.doubts)
    assert best.snips.value > best.served.value  # without the draws, the first place would always be its best
    assert best.snips.low > poor.snips.high
    assert not any("made from events later" in doubt for doubt in best.doubts)
    with pytest.raises(DataError, match="older than the horizon"):
        decisions(evidence, service.state, "champion", model, service.params, 0)


def test_a_target_that_was_trained_after_the_lists_is_doubted(template: tuple[Path, str, str, Params]) -> None:
    service = Service(template, explore=0.6, horizon_h=0.1)
    model = load_challenger(service.root, template[1])
    newest = dt.datetime.fromtimestamp(int(model.artifact.histories["time_s"].max()), dt.UTC)
    users = [user for n in range(30) if arm_of(service.plan, user := f"user{n:05d}") == "champion"][:4]
    for user, hours in zip(users, (-2, -1, 0, 1), strict=True):
        service.ask(user, at=newest + dt.timedelta(hours=hours))
    evidence = Evidence(service.plan)
    evidence.follow(service.state)
    later = int((newest + dt.timedelta(days=1)).timestamp() * 1e6)
    logged = decisions(evidence, service.state, "champion", model, service.params, later)
    assert logged.foreknown == 0.75
    doubts = estimates(logged, 50.0, draws=20, confidence=0.95, seed=0).doubts
    assert "later than 75% of the lists" in doubts[0]

"""The log of experiments: one under way, one end, and a follower that pays a listing."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from pydantic import ValidationError

from components.errors import ExperimentError, IntegrityError
from components.experiments import log
from components.experiments.challenger import find_challenger
from components.experiments.log import Follow, active, end, find, history, start
from components.experiments.plan import Plan
from components.registry.promotions import append, protected, prune
from components.workspace import Workspace
from tests.artifacts import pack
from tests.experiments import CHALLENGER, CHAMPION, plan


def test_one_experiment_at_a_time_and_each_name_once(tmp_path: Path) -> None:
    assert active(tmp_path) is None
    first = start(tmp_path, plan(), "because")
    assert first.plan == plan()
    with pytest.raises(ExperimentError, match=r"no other experiment.*trial, since entry 1"):
        start(tmp_path, plan(name="other"), "because")
    under_way = active(tmp_path)
    assert under_way is not None
    end(tmp_path, under_way, "stop", "enough")
    assert active(tmp_path) is None
    with pytest.raises(ExperimentError, match="a name of its own"):
        start(tmp_path, plan(), "again")
    start(tmp_path, plan(name="other"), "because")
    assert [entry.kind for entry in history(tmp_path)] == ["start", "stop", "start"]
    assert find(tmp_path, "trial") == (plan(), history(tmp_path)[1])
    assert find(tmp_path, None) == (plan(name="other"), None)
    with pytest.raises(ExperimentError, match="nothere"):
        find(tmp_path, "nothere")


def test_an_experiment_ends_once(tmp_path: Path) -> None:
    start(tmp_path, plan(), "because")
    under_way = active(tmp_path)
    assert under_way is not None
    end(tmp_path, under_way, "off", "worse", {"value": -1.0})
    with pytest.raises(ExperimentError, match="log of 1 entries"):
        end(tmp_path, under_way, "stop", "enough")
    assert len(history(tmp_path)) == 2


def test_a_changed_plan_is_seen(tmp_path: Path) -> None:
    start(tmp_path, plan(), "because")
    under_way = active(tmp_path)
    assert under_way is not None
    end(tmp_path, under_way, "stop", "enough")
    path = Workspace(tmp_path).experiments / "000001.json"
    path.write_bytes(path.read_bytes().replace(b'"share": 0.5', b'"share": 0.6'))
    with pytest.raises(IntegrityError, match="entry 1 of the experiment log as it was"):
        history(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"name": "No Name"}, {"challenger": CHAMPION}, {"mode": "abc"}, {"start_us": -1}, {"salt": ""}, {"extra": 1}],
)
def test_a_plan_is_checked(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Plan.model_validate(plan().model_dump() | wrong)


def test_a_follower_reads_nothing_while_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = Follow(tmp_path)
    assert follow.active() is None
    start(tmp_path, plan(), "because")
    first = follow.active()
    assert first is not None
    with monkeypatch.context() as patch:
        patch.setattr(log, "active", lambda root: pytest.fail("the log was read"))
        assert follow.active() is first
    end(tmp_path, first, "stop", "enough")
    assert follow.active() is None


def _race(root: Path, gate: multiprocessing.Barrier, results: multiprocessing.Queue) -> None:
    under_way = active(root)
    assert under_way is not None
    gate.wait()
    try:
        results.put(end(root, under_way, "off", "worse").sequence)
    except ExperimentError:
        results.put(None)


def test_of_many_who_turn_it_off_one_writes(tmp_path: Path) -> None:
    start(tmp_path, plan(), "because")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["components.experiments.log"])
    gate, results = context.Barrier(8), context.Queue()
    crowd = [context.Process(target=_race, args=(tmp_path, gate, results)) for _ in range(8)]
    for one in crowd:
        one.start()
    found = [results.get(timeout=120) for _ in crowd]
    for one in crowd:
        one.join()
    assert [one for one in found if one is not None] == [2]
    assert len(history(tmp_path)) == 2


def test_the_challenger_is_found_and_kept(tmp_path: Path) -> None:
    first, second, third = (pack(tmp_path, shift) for shift in (0.0, 1.0, 2.0))
    entry = append(
        tmp_path, expected=0, kind="promote", model="m", digest=first.digest, content=first.content, reason=""
    )
    assert find_challenger(tmp_path, entry) == third.digest
    assert find_challenger(tmp_path, entry, second.digest[:8]) == second.digest
    for named in ("abc", "0" * 12, second.digest[:5]):
        with pytest.raises(ExperimentError, match="one artifact"):
            find_challenger(tmp_path, entry, named)
    with pytest.raises(ExperimentError, match="answers exactly as"):
        find_challenger(tmp_path, entry, first.digest)
    start(tmp_path, plan().model_copy(update={"champion": first.digest, "challenger": second.digest}), "")
    assert protected(tmp_path) == {first.digest, second.digest}
    assert prune(tmp_path, keep=1) == [third.digest]
    under_way = active(tmp_path)
    assert under_way is not None
    end(tmp_path, under_way, "stop", "enough")
    assert prune(tmp_path, keep=1) == [second.digest]


def test_plans_know_their_labels() -> None:
    assert plan().label("challenger") == "trial/challenger"
    assert CHALLENGER != CHAMPION

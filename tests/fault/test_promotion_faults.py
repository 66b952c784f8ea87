"""Promotion under fire: kills, damage, a full disk, a race, and an MLflow that does not answer."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.errors import IntegrityError, ServiceError, StalePromotion, StorageError
from components.features.store import Store
from components.files import read_json
from components.registry import contest, promote, promotions, trial
from components.registry.artifact import load_artifact
from components.registry.decision import Decision
from components.registry.reconcile import reconcile
from components.registry.tracking import runs, versions
from components.registry.tracking.client import connect, experiment
from components.workspace import Workspace
from tests import unwell

#: Processes of their own without starting Python anew for each; a plain fork would inherit locked thread pools.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["components.registry.promote", "mlflow"])


def run_in_process(work: Callable[..., object], *args: object, **environment: str) -> int | None:
    """Run something in a process of its own; its exit code."""
    process = CONTEXT.Process(target=_target, args=(work, args, environment))
    process.start()
    process.join(300)
    return process.exitcode


def _target(work: Callable[..., object], args: tuple, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    work(*args)


def _promote(root: Path, decision: Decision) -> None:
    promote.promote(root, Workspace(root).load_params(), decision)


def _gate(root: Path) -> None:
    trial.run_gate(root, Workspace(root).load_params())


def _race(root: Path, decision: Decision, gate: Any, results: Any) -> None:
    gate.wait()
    try:
        results.put(promote.promote(root, Workspace(root).load_params(), decision).digest)
    except StalePromotion:
        results.put("stale")


def _pack_with_room_for_50_kb(root: Path) -> None:
    params, store = Workspace(root).load_params(), Store.load(Workspace(root).features)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        one = contest.candidates(root, params)[0]
        judged, told = contest.judgement_of(root, one.name), read_json(root / "reports" / "evaluation.json")
        trial.pack(root, params, store, trial.Challenger(one, judged, told, None))
    except StorageError as error:
        os._exit(42 if "what stood before still stands" in str(error) else 43)


def _begin_a_run_and_die(root: Path) -> None:
    runs.MlflowTracker(root, "small", "dies", {})
    os.kill(os.getpid(), signal.SIGKILL)


def _lose_the_registry(root: Path) -> None:
    with connect(root) as client:
        client.delete_registered_model("small")


@pytest.fixture(scope="module")
def judged_template(promoted_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    root = Path(shutil.copytree(promoted_template, tmp_path_factory.mktemp("judged") / "small"))
    decision = trial.run_gate(root, Workspace(root).load_params())
    assert decision.promote
    return root, decision


@pytest.fixture
def judged(judged_template: tuple[Path, Decision], tmp_path: Path) -> tuple[Path, Decision]:
    """A workspace whose gate has said yes."""
    root, decision = judged_template
    return Path(shutil.copytree(root, tmp_path / "judged")), decision


@pytest.mark.parametrize("point", ["after-log-entry", "after-version"])
def test_a_kill_between_entry_and_alias_is_finished_by_reconcile(judged: tuple[Path, Decision], point: str) -> None:
    root, decision = judged
    params = Workspace(root).load_params()
    old = promotions.current(root)
    assert old is not None
    code = run_in_process(_promote, root, decision, CHRONOTOPE_FAULT=point)
    assert code == -signal.SIGKILL
    entry = promotions.current(root)
    assert entry is not None
    assert (entry.sequence, entry.digest) == (2, decision.digest)
    assert versions.read(root, "small").aliases["champion"] == old.digest
    load_artifact(Workspace(root).artifact(entry.digest), entry.digest)
    assert any("follows entry 2" in finding for finding in reconcile(root))
    assert versions.read(root, "small").aliases == {"champion": decision.digest, "previous": old.digest}
    assert reconcile(root) == []
    assert promote.promote(root, params, decision) == entry  # asked again, nothing is doubled
    assert len(promotions.history(root)) == 2


def test_a_kill_while_an_artifact_is_packed_leaves_nothing(promoted: Path) -> None:
    before = sorted(path.name for path in Workspace(promoted).artifacts.iterdir())
    code = run_in_process(_gate, promoted, CHRONOTOPE_FAULT="before-artifact")
    assert code == -signal.SIGKILL
    assert len(list(Workspace(promoted).artifacts.iterdir())) == len(before) + 1
    assert any("half-written" in finding for finding in reconcile(promoted))
    assert sorted(path.name for path in Workspace(promoted).artifacts.iterdir()) == before


def test_a_flipped_byte_after_the_gate_is_refused_and_the_champion_stands(judged: tuple[Path, Decision]) -> None:
    root, decision = judged
    old = promotions.current(root)
    path = Workspace(root).artifact(decision.digest) / "memory" / "count.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"memory/count\.npy"):
        promote.promote(root, Workspace(root).load_params(), decision)
    assert promotions.current(root) == old


def test_a_damaged_champion_is_fetched_from_the_registry(promoted: Path) -> None:
    entry = promotions.current(promoted)
    assert entry is not None
    folder = Workspace(promoted).artifact(entry.digest)
    (folder / "config.json").write_text("{}")
    assert any("fetched anew" in finding for finding in reconcile(promoted))
    load_artifact(folder, entry.digest)


def test_two_promotions_at_once_have_one_winner(judged: tuple[Path, Decision]) -> None:
    root, decision = judged
    entry = promotions.current(root)
    assert entry is not None
    results, gate = CONTEXT.Queue(), CONTEXT.Barrier(2)
    other = Decision.from_record(decision.as_record() | {"digest": entry.digest})
    racers = [CONTEXT.Process(target=_race, args=(root, one, gate, results)) for one in (decision, other)]
    for racer in racers:
        racer.start()
    found = sorted(results.get(timeout=300) for _ in racers)
    for racer in racers:
        racer.join()
    assert found.count("stale") == 1
    entries = promotions.history(root)
    assert len(entries) == 2
    assert entries[1].digest in found


def test_a_full_disk_leaves_the_old_champion_and_the_next_run_succeeds(promoted: Path) -> None:
    before = sorted(path.name for path in Workspace(promoted).artifacts.iterdir())

    assert run_in_process(_pack_with_room_for_50_kb, promoted) == 42
    assert sorted(path.name for path in Workspace(promoted).artifacts.iterdir()) == before
    entry = promotions.current(promoted)
    assert entry is not None
    load_artifact(Workspace(promoted).artifact(entry.digest), entry.digest)
    assert trial.run_gate(promoted, Workspace(promoted).load_params()).promote


def test_a_full_disk_at_the_log_entry_promotes_nothing(
    judged: tuple[Path, Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, decision = judged
    params = Workspace(root).load_params()
    old = promotions.current(root)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            promote.promote(root, params, decision)
    assert promotions.current(root) == old
    assert [path.name for path in Workspace(root).promotions.iterdir()] == ["000001.json"]
    assert promote.promote(root, params, decision).sequence == 2


def test_a_promotion_stands_while_mlflow_is_away_and_is_not_doubled(
    judged: tuple[Path, Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, decision = judged
    params = Workspace(root).load_params()
    with monkeypatch.context() as patch:
        patch.setenv("CHRONOTOPE_MLFLOW_TRACKING_URI", "http://me:hunter2@127.0.0.1:9")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(ServiceError) as caught:
            promote.promote(root, params, decision)
        assert "hunter2" not in str(caught.value)
    entry = promotions.current(root)
    assert entry is not None
    assert entry.sequence == 2
    assert promote.promote(root, params, decision) == entry
    assert len(promotions.history(root)) == 2
    assert versions.read(root, "small").aliases["champion"] == decision.digest


@pytest.mark.parametrize("trouble", ["silent", "failing"])
def test_a_promotion_stands_while_mlflow_is_slow_or_failing(
    judged: tuple[Path, Decision], trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, decision = judged
    params = Workspace(root).load_params()
    with unwell.server(trouble) as url, monkeypatch.context() as patch:
        patch.setenv("CHRONOTOPE_MLFLOW_TRACKING_URI", url)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        with pytest.raises(ServiceError, match="MLflow to answer"):
            promote.promote(root, params, decision)
    assert [entry.sequence for entry in promotions.history(root)] == [1, 2]
    assert any("follows entry 2" in finding for finding in reconcile(root))
    assert versions.read(root, "small").aliases["champion"] == decision.digest


@pytest.mark.parametrize("call", ["create_model_version", "set_registered_model_alias", "set_registered_model_tag"])
def test_a_reply_of_mlflow_that_is_lost_after_its_commit_doubles_nothing(
    judged: tuple[Path, Decision], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    root, decision = judged
    params = Workspace(root).load_params()
    true, lost = getattr(MlflowClient, call), []

    def committed_and_lost(self: Any, *arguments: Any, **named: Any) -> Any:
        done = true(self, *arguments, **named)
        if not lost:
            lost.append(done)
            raise MlflowException("the connection was reset")
        return done

    if call == "create_model_version":
        with connect(root) as client:  # the gate has registered the challenger before
            client.delete_model_version("small", versions.read(root, "small").versions[decision.digest])
    monkeypatch.setattr(MlflowClient, call, committed_and_lost)
    with pytest.raises(ServiceError):
        promote.promote(root, params, decision)
    assert lost, "the call is one that a promotion makes"
    assert promote.promote(root, params, decision).sequence == 2
    with connect(root) as client:
        found = client.search_model_versions("name = 'small'")
    assert len([one for one in found if one.tags.get(versions.DIGEST) == decision.digest]) == 1
    assert len({one.tags[versions.DIGEST] for one in found}) == len(found), "no artifact has two versions"
    assert versions.read(root, "small").aliases["champion"] == decision.digest
    assert reconcile(root) == []


def test_a_gate_that_was_overtaken_is_refused_and_asked_again(judged: tuple[Path, Decision]) -> None:
    root, decision = judged
    params, old = Workspace(root).load_params(), promotions.current(root)
    assert old is not None
    promotions.append(  # somebody else's promotion, while the gate was at work
        root, expected=1, kind="adopt", model=old.model, digest=old.digest, content=old.content, reason="by hand"
    )
    with pytest.raises(StalePromotion, match=r"of 1 entries.*found 2 entries"):
        promote.promote(root, params, decision)
    assert [entry.sequence for entry in promotions.history(root)] == [1, 2]
    again = trial.run_gate(root, params)
    assert again.expected == 2
    assert promotions.history(root)[-1].digest == old.digest


def test_a_run_whose_process_died_is_closed(promoted: Path) -> None:
    assert run_in_process(_begin_a_run_and_die, promoted) == -signal.SIGKILL
    alive = runs.MlflowTracker(promoted, "small", "lives", {})
    assert reconcile(promoted) == ["the run “dies” had died; it is marked as killed"]
    with connect(promoted) as client:
        where = experiment(client, promoted, "small")
        status = {run.info.run_name: run.info.status for run in client.search_runs([where])}
        assert status["dies"] == "KILLED"
        assert client.get_run(alive.run_id).info.status == "RUNNING"


def test_a_lost_registry_is_made_again(promoted: Path) -> None:
    entry = promotions.current(promoted)
    assert entry is not None
    _lose_the_registry(promoted)
    assert versions.read(promoted, "small").aliases == {}
    assert any("follows entry 1" in finding for finding in reconcile(promoted))
    assert versions.read(promoted, "small").aliases == {"champion": entry.digest}

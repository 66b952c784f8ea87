"""A whole search: the same trials every time, also after a kill; told to MLflow; never a look at the test window."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import BusyError, TrainingError
from components.params import Params
from components.registry.tracking.client import connect, experiment
from components.registry.tracking.studies import PARENT
from components.search import Found, search
from components.search import trial as one_trial
from components.search.study import Trial
from components.workspace import Workspace, hold_file
from tests.conftest import ROOT
from tests.unit.search.conftest import written
from tests.unit.search.test_folds import blend_start, poison

_ALONE = """
import sys
from pathlib import Path
from components.params import load_params
from components.search import search
root = Path(sys.argv[1])
search(root, load_params(root / "params.yaml"))
"""


def told(found: list[Found]) -> list[tuple[Any, ...]]:
    """What was tried and what came of it, without numbers and clocks."""
    return [(one.state, dict(one.values), one.value, one.folds) for each in found for one in each.trials]


def runs_of(root: Path) -> list[Any]:
    with connect(root) as client:
        return list(client.search_runs([experiment(client, root, "small")]))


@pytest.fixture(scope="module")
def whole(searched_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Found]]:
    import shutil

    root = Path(shutil.copytree(searched_template, tmp_path_factory.mktemp("whole") / "small"))
    return root, search(root, written(root))


def test_the_first_trial_is_what_stands_and_the_best_is_no_worse(whole: tuple[Path, list[Found]]) -> None:
    (found,) = whole[1]
    first = found.trials[0]
    assert first.values["memory.prior"] == 0.1
    assert first.values["memory.history_buckets"] == [0, 5, 20]
    assert len(found.trials) == 4
    assert found.best.value is not None
    assert found.best.value == max(one.value for one in found.trials if one.value is not None)
    for one in found.trials:
        assert one.value == pytest.approx(np.mean(one.folds))
        assert len(one.folds) == 2
    assert len({str(one.values) for one in found.trials}) == 4


def test_every_trial_is_a_run_below_that_of_the_study(whole: tuple[Path, list[Found]]) -> None:
    root, (found,) = whole
    runs = runs_of(root)
    parent = next(run for run in runs if run.info.run_id == found.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best"] == pytest.approx(found.best.value)
    below = [run for run in runs if run.data.tags.get(PARENT) == found.run_id]
    assert len(below) == 4
    best = next(run for run in below if run.info.run_name == f"trial {found.best.number}")
    assert best.data.metrics["fold_2"] == pytest.approx(found.best.folds[1])
    assert best.data.metrics["seconds"] > 0
    assert float(best.data.params["memory.prior"]) == found.best.values["memory.prior"]
    assert best.data.tags["state"] == "complete"


def test_the_report_tells_the_best_and_what_mattered(whole: tuple[Path, list[Found]]) -> None:
    _, (found,) = whole
    text = found.report.read_text()
    assert f"Best: {found.best.value:.4f}" in text
    assert "```yaml\nmemory:" in text
    assert "What mattered" in text
    assert text.count("| complete |") == 4


def test_the_same_search_again_and_with_a_poisoned_test_window(root: Path, whole: tuple[Path, list[Found]]) -> None:
    params = written(root)
    poison(root, blend_start(root, params))
    assert told(search(root, params)) == told(whole[1])


def test_a_search_goes_on_where_it_was(root: Path, whole: tuple[Path, list[Found]]) -> None:
    begun = search(root, written(root), trials=2)
    assert told(begun) == told(whole[1])[:2]
    said: list[Trial] = []
    found = search(root, written(root), say=lambda model, trial, wanted: said.append(trial))
    assert told(found) == told(whole[1])
    assert len(said) == 2
    assert begun[0].run_id == found[0].run_id
    assert len(runs_of(root)) == 5


def test_a_killed_search_asks_the_trial_again(root: Path, whole: tuple[Path, list[Found]]) -> None:
    written(root)
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(root)],
        env={**os.environ, "CHRONOTOPE_FAULT": "search-step:2:1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    found = search(root, written(root))
    assert told(found) == told(whole[1])
    assert [one.number for one in found[0].trials] == [0, 1, 3, 4]  # 2 died, and was asked again as 3
    assert len([run for run in runs_of(root) if PARENT in run.data.tags]) == 4


def test_ctrl_c_keeps_what_was_tried(
    root: Path, whole: tuple[Path, list[Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = one_trial.value_of, []

    def interrupted(*arguments: Any) -> list[float]:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("components.search.run.value_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(root, written(root))
    assert {run.info.status for run in runs_of(root) if PARENT not in run.data.tags} == {"KILLED"}
    monkeypatch.setattr("components.search.run.value_of", real)
    assert told(search(root, written(root))) == told(whole[1])


def test_another_seed_or_another_log_is_another_search(root: Path, whole: tuple[Path, list[Found]]) -> None:
    import polars as pl

    search(root, written(root), trials=1)
    path = Workspace(root).validated / "events.parquet"
    pl.read_parquet(path)[5:].write_parquet(path)
    found = search(root, written(root), trials=1)
    assert found[0].trials[0].folds != whole[1][0].trials[0].folds


def test_fresh_forgets(root: Path) -> None:
    search(root, written(root), trials=2)
    assert len(search(root, written(root), trials=1, resume=False)[0].trials) == 1


def test_time_that_is_over_begins_nothing(root: Path) -> None:
    with pytest.raises(TrainingError, match="no trial was begun"):
        search(root, written(root), timeout_s=1e-9)


def test_values_that_do_not_go_together_fail_with_their_reason(root: Path) -> None:
    space = {"memory.components.markov.kind": {"kind": "categorical", "choices": ["markov", "nonsense"]}}
    found = search(root, written(root, space=space, sampler={"kind": "random", "startup": 1}), trials=6)
    failed = [one for one in found[0].trials if one.state == "failed"]
    assert failed
    assert all("nonsense" in str(one.why) for one in failed)
    assert found[0].best.values == {"memory.components.markov.kind": "markov"}
    assert "## Failed" in found[0].report.read_text()


@pytest.mark.parametrize("kind", ["median", "halving", "hyperband"])
def test_hopeless_trials_end_early(root: Path, kind: str) -> None:
    space = {"memory.max_pairs": {"kind": "int", "low": 1, "high": 1000, "log": True}}
    pruner = {"kind": kind, "startup": 1, "warmup": 0, "reduction": 2}
    params = written(root, space=space, pruner=pruner, trials=10, sampler={"kind": "random", "startup": 1})
    found = search(root, params)
    pruned = [one for one in found[0].trials if one.state == "pruned"]
    assert pruned
    assert all(len(one.steps) < 2 or kind != "median" for one in pruned)
    assert all(one.value is not None and one.value <= found[0].best.value for one in pruned)  # type: ignore[operator]


def test_two_searches_at_once(root: Path) -> None:
    with (
        hold_file(Workspace(root).search / "lock", "the searches", "another"),
        pytest.raises(BusyError, match="another"),
    ):
        search(root, written(root))


def test_epochs_of_a_network_are_steps() -> None:
    from tests.unit.search.conftest import search_record

    heard: list[tuple[int, float]] = []
    watch = one_trial._Watch(lambda step, value: heard.append((step, value)), "tune_ndcg_at_10", [0.2], 4, most=2)
    for step in range(3):
        watch.log({"loss_item": 1.0}, step)
        watch.log({"tune_ndcg_at_10": 0.4}, step)
    assert heard == [(5, pytest.approx(0.3)), (6, pytest.approx(0.3))]
    params = Params.model_validate(search_record())
    assert one_trial.steps(params, "memory", 9, 3) == 3

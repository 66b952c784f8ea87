"""A whole search: folds, a study for each model, every trial told to MLflow, and a report of what was found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.code import CODE, code_digest
from components.errors import TrainingError
from components.files import digest_of, write_text
from components.params import Choices, IntRange, Params, Range, check_agreement, parse_params
from components.registry.tracking import runs, studies
from components.search import folds as rolling_folds
from components.search.report import markdown
from components.search.space import Record, Values, patched, spaces, value_at
from components.search.study import Study, Trial
from components.search.trial import Report, steps, value_of
from components.workspace import Workspace, hold_file

#: Called with (model, a trial that ended, trials wanted).
Say = Callable[[str, Trial, int], None]
#: Sections of params.yaml that no trial reads.
_APART = ("workspace", "simulation", "validation", "gate", "policy", "serving", "flow", "search")


@dataclass(frozen=True)
class Found:
    """What the search of one model found.

    Attributes
    ----------
    model : its name
    best : the best whole trial
    trials : all that ended, this time or before
    report : Markdown file
    run_id : of the study in MLflow
    """

    model: str
    best: Trial
    trials: tuple[Trial, ...]
    report: Path
    run_id: str


def search(
    root: Path,
    params: Params,
    *,
    trials: int | None = None,
    timeout_s: float | None = None,
    resume: bool = True,
    say: Say | None = None,
) -> list[Found]:
    """Search better params for each of `search.models`.

    Parameters
    ----------
    root : the workspace; its log must have been validated
    params : read from its params.yaml
    trials, timeout_s : instead of those of the params; trials of an earlier search of the same count
    resume : go on with the trials of an earlier search of the same; False forgets them
    say : called with (model, a trial that ended, trials wanted)

    Raises
    ------
    ConfigError
        A model or key of the search does not exist, or a value is not one that the key takes.
    DataError
        The log is not validated, or too short for so many folds.
    TrainingError
        No trial came to its end.
    BusyError
        Another search of this workspace is under way.
    """
    check_agreement(params)
    wanted = spaces(params)
    where = Workspace(root).search
    deadline = _deadline(timeout_s if timeout_s is not None else params.search.timeout_s)
    with hold_file(where / "lock", f"the searches of {root}", "search"):
        return [
            _Search(root, params, model, space).run(trials or params.search.trials, deadline, resume, say)
            for model, space in wanted.items()
        ]


def _deadline(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else time.monotonic() + timeout_s


class _Search:
    """The search of one model."""

    def __init__(self, root: Path, params: Params, model: str, space: dict[str, Range]) -> None:
        self.root, self.params, self.model, self.space = root, params, model, space
        self.record: Record = params.model_dump(mode="json")
        for one in self.record["training"]["models"].values():
            if one["start_from"] is not None:
                one["start_from"] = str(root / one["start_from"])
        self.folds = rolling_folds.rolling(root, params, model in params.training.mixed)
        self.epochs = _most_epochs(self.record, space)
        search = params.search.model_dump(mode="json", exclude={"models", "trials", "timeout_s", "space"})
        self.depends: dict[str, Any] = {
            "model": model,
            "space": {key: one.model_dump() for key, one in space.items()},
            "search": search,
            "params": {name: section for name, section in self.record.items() if name not in _APART},
            "seed": params.workspace.seed,
            "log": rolling_folds.digest(self.folds),
            "code": code_digest((*CODE["evaluate"], "search/folds.py", "search/trial.py")),
        }
        self.key = digest_of(self.depends)

    def run(self, trials: int, deadline: float | None, resume: bool, say: Say | None) -> Found:
        study = self._study()
        if not resume:
            study.forget()
            study = self._study()
        told = {key: value for key, value in self.depends.items() if key in ("space", "search", "log", "seed")}
        name = self.params.workspace.name
        with studies.study_run(self.root, name, f"search {self.model}", self.key, told) as run_id:

            def tell(trial: Trial) -> None:
                self._log(trial, run_id)
                if say is not None:
                    say(self.model, trial, trials)

            for trial in study.trials():
                self._log(trial, run_id)  # those that a killed search did not tell
            study.run(self._attempt, trials, deadline, tell)
            return self._found(study, run_id)

    def _study(self) -> Study:
        start = {key: value_at(self.record, key) for key in self.space}
        whole = steps(self.params, self.model, self.epochs, len(self.folds))
        seed, database = self.params.workspace.seed, Workspace(self.root).search / "trials.db"
        name = f"{self.model}-{self.key[:32]}"
        return Study(database, name, self.space, self.params.search, whole, seed, start)

    def _attempt(self, values: Values, report: Report) -> list[float]:
        params = parse_params(patched(self.record, values), f"a trial of `{self.model}`")
        return value_of(self.folds, params, self.model, self.epochs, report)

    def _log(self, trial: Trial, run_id: str) -> None:
        metrics = {f"fold_{n + 1}": value for n, value in enumerate(trial.folds)} | {"seconds": trial.seconds}
        if trial.value is not None:
            metrics["value"] = trial.value
        stage = runs.StageRun(
            name=f"trial {trial.number}",
            key=digest_of({"study": self.key, "run": run_id, "trial": trial.number}),
            params=dict(trial.values),
            metrics=metrics,
            curves={"so_far": trial.steps},
            tags={studies.PARENT: run_id, "stage": "trial", "model": self.model, "state": trial.state}
            | ({"why": trial.why} if trial.why else {}),
        )
        runs.log_stage(self.root, self.params.workspace.name, stage)

    def _found(self, study: Study, run_id: str) -> Found:
        done, best = study.trials(), study.best()
        path = Workspace(self.root).reports / f"search_{self.model}.md"
        write_text(path, markdown(self.model, self.params.evaluation.primary, done, best, study.importance()))
        studies.describe(self.root, run_id, {"best": best.value} if best and best.value is not None else {}, [path])
        if best is None:
            why = next((one.why for one in done if one.why), "no trial was begun in the time")
            raise TrainingError(
                f"a whole trial of `{self.model}`",
                found=f"none of {len(done)}; the first failed so: {why}",
                do="Narrow `search.space`, raise `search.timeout_s`, or search on: trials are kept.",
            )
        return Found(self.model, best, tuple(done), path, run_id)


def _most_epochs(record: Record, space: dict[str, Range]) -> int:
    """Most epochs of any trial: of the loop, of overrides, or of the space."""
    found = [int(record["training"]["loop"]["epochs"])]
    found += [int(one["overrides"].get("epochs", 0)) for one in record["training"]["models"].values()]
    for key, one in space.items():
        if key.endswith(".epochs"):
            found += [int(v) for v in one.choices if isinstance(v, int)] if isinstance(one, Choices) else []
            found += [one.high] if isinstance(one, IntRange) else []
    return max(found)

"""Optuna's part of a search: which values are tried next, which trials end early, and what is known after a kill.

Trials are kept in SQLite below `.chronotope/search/`. Each is drawn from a seed of its own (the workspace's, and how
many trials were learned from), so a search that was killed goes on to the trials that it would have made; a trial that
was under way is marked as failed and asked again with the same values. (Hyperband alone deals by a trial's number,
which a kill moves.) The first trial is params.yaml as it stands. Never here: what a trial is worth.

References: Bergstra et al. (2011), tree-structured Parzen estimators; Li et al. (2018), Hyperband; Optuna 5.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from components.errors import ConfigError, TrainingError
from components.files import fault
from components.params import Choices, IntRange, Range, SearchParams
from components.search.space import Values, meant, words
from components.search.trial import Report

optuna.logging.set_verbosity(optuna.logging.WARNING)
#: Called with the values of a trial and where to report its steps; gives its value on each fold.
Try = Callable[[Values, Report], list[float]]
#: User attributes of a trial: values by fold, and why it failed.
FOLDS, WHY = "folds", "why"


@dataclass(frozen=True)
class Trial:
    """What became of one trial.

    Attributes
    ----------
    number : Optuna's
    state : complete, pruned or failed
    values : key → value
    value : mean over the folds, of a pruned trial what it had reached; None for a failed one
    folds : value of each fold that was finished
    steps : (step, value so far)
    seconds : that it took
    why : it failed; None for all others
    """

    number: int
    state: str
    values: Values
    value: float | None
    folds: tuple[float, ...]
    steps: tuple[tuple[int, float], ...]
    seconds: float
    why: str | None


class Study:
    """The trials of one model's search.

    Parameters
    ----------
    database : SQLite file, made when it is not there
    name : of the study; another name begins anew
    space : key → what it may be
    search : sampler and pruner
    steps : of a whole trial
    seed : of the draws
    start : values of the first trial, as far as the space holds them
    """

    def __init__(
        self,
        database: Path,
        name: str,
        space: Mapping[str, Range],
        search: SearchParams,
        steps: int,
        seed: int,
        start: Values,
    ) -> None:
        self.space, self.search, self.seed = space, search, seed
        database.parent.mkdir(parents=True, exist_ok=True)
        self._study = optuna.create_study(
            storage=optuna.storages.RDBStorage(f"sqlite:///{database.absolute()}"),
            study_name=name,
            direction="maximize",
            pruner=pruner_of(search, steps),
            load_if_exists=True,
        )
        if not self._study.trials:
            within = {key: word for key, one in space.items() if (word := _word(one, start[key])) is not None}
            if within:
                self._study.enqueue_trial(within)
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._ask_again(trial)  # whoever ran it is dead: the search is held by a lock

    def run(self, attempt: Try, trials: int, deadline: float | None, tell: Callable[[Trial], None]) -> None:
        """Try until there are so many trials, or no time is left to begin another (`deadline`, monotonic seconds).

        Parameters
        ----------
        attempt : what a trial is worth
        tell : is told of each trial as it ends
        """
        while len(done := self.trials()) < trials and (deadline is None or time.monotonic() < deadline):
            self._study.sampler = self._sampler(len(done))
            trial = self._study.ask()
            try:
                self._take(trial, attempt)
            except KeyboardInterrupt:
                self._ask_again(self._frozen(trial.number))
                raise
            tell(_of(self._frozen(trial.number), self.space))

    def _take(self, trial: optuna.Trial, attempt: Try) -> None:
        values = {key: meant(one, _suggested(trial, key, one)) for key, one in self.space.items()}

        def report(step: int, value: float) -> None:
            fault(f"search-step:{trial.number}:{step}")
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            folds = attempt(values, report)
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        except (TrainingError, ConfigError) as error:  # these values do not go together: nothing to learn from
            trial.set_user_attr(WHY, str(error))
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            trial.set_user_attr(FOLDS, folds)
            self._study.tell(trial, float(np.mean(folds)))

    def _ask_again(self, trial: FrozenTrial) -> None:
        values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        self._study.tell(trial.number, state=TrialState.FAIL)
        if values:
            self._study.enqueue_trial(values)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _sampler(self, done: int) -> optuna.samplers.BaseSampler:
        seed = int(np.random.SeedSequence([self.seed, done]).generate_state(1)[0])
        if self.search.sampler.kind == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(n_startup_trials=self.search.sampler.startup, seed=seed)

    def trials(self) -> list[Trial]:
        """Trials that came to an end; those that were interrupted are not among them."""
        return [_of(one, self.space) for one in self._study.get_trials() if _ended(one)]

    def best(self) -> Trial | None:
        """The whole trial with the greatest value, of several the first; None where there is none."""
        whole = [one for one in self.trials() if one.state == "complete"]
        return max(whole, key=lambda one: (one.value, -one.number)) if whole else None

    def importance(self) -> dict[str, float]:
        """Key → share of the differences of value that it explains (fANOVA); empty with fewer than four whole trials.

        Reference: Hutter, Hoos, Leyton-Brown (2014).
        """
        whole = [one for one in self.trials() if one.state == "complete"]
        if len(whole) < 4 or len({one.value for one in whole}) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        return {
            key: float(v)
            for key, v in optuna.importance.get_param_importances(self._study, evaluator=evaluator).items()
        }

    def forget(self) -> None:
        """Delete all trials."""
        optuna.delete_study(study_name=self._study.study_name, storage=self._study._storage)


def pruner_of(search: SearchParams, steps: int) -> optuna.pruners.BasePruner:
    """The pruner that the params name; `steps` are those of a whole trial."""
    one = search.pruner
    if one.kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=one.startup, n_warmup_steps=one.warmup)
    if one.kind == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=one.reduction)
    if one.kind == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps, reduction_factor=one.reduction)
    return optuna.pruners.NopPruner()


def _suggested(trial: optuna.Trial, key: str, one: Range) -> Any:
    if isinstance(one, Choices):
        return trial.suggest_categorical(key, words(one.choices))
    if isinstance(one, IntRange):
        return trial.suggest_int(key, one.low, one.high, log=one.log)
    return trial.suggest_float(key, one.low, one.high, log=one.log)


def _word(one: Range, value: Any) -> Any:
    """The value as Optuna keeps it; None where the range does not hold it (or it is null)."""
    if isinstance(one, Choices):
        return words([value])[0] if value in one.choices else None
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and one.low <= value <= one.high else None


def _ended(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or WHY in trial.user_attrs


def _of(trial: FrozenTrial, space: Mapping[str, Range]) -> Trial:
    names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
    begun, ended = trial.datetime_start, trial.datetime_complete
    return Trial(
        trial.number,
        names.get(trial.state, "failed"),
        {key: meant(one, trial.params[key]) for key, one in space.items() if key in trial.params},
        None if trial.value is None or trial.state == TrialState.FAIL else float(trial.value),
        tuple(trial.user_attrs.get(FOLDS, ())),
        tuple(sorted(trial.intermediate_values.items())),
        (ended - begun).total_seconds() if begun and ended else 0.0,
        trial.user_attrs.get(WHY),
    )

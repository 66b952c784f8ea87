"""One trial: a learner is trained on the past of every fold and judged on the span that follows it.

Its value is the mean over the folds. On the way it reports steps, of which a pruner may make it stop: each epoch of a
network (its score on the tune window of that fold's past), and each fold. Knows nothing of Optuna.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components import learners
from components.errors import DataError
from components.evaluation.judge import judge
from components.evaluation.protocol import Protocol
from components.params import Params
from components.predictor import Window
from components.search.folds import Fold

#: Called with (step, value so far); raises to end the trial.
Report = Callable[[int, float], None]


def steps(params: Params, model: str, epochs: int, folds: int) -> int:
    """Steps of a whole trial: of each fold its epochs, for a network, and its end."""
    return folds * (_epochs(params, model, epochs) + 1)


def _epochs(params: Params, model: str, epochs: int) -> int:
    entry = params.training.models.get(model)
    return epochs if entry is not None and entry.kind == "network" else 0


@dataclass
class _Watch:
    """A `Tracker` that turns the scores of epochs into steps: the mean of the folds done and of this one so far."""

    report: Report
    name: str  # of the score, as the training loop tells it
    done: Sequence[float]
    step: int
    epochs: int = field(default=0)
    most: int = field(default=0)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        if self.name in metrics and self.epochs < self.most:
            self.epochs += 1
            self.report(self.step + self.epochs, float(np.mean([*self.done, metrics[self.name]])))


def value_of(folds: Sequence[Fold], params: Params, model: str, epochs: int, report: Report) -> list[float]:
    """The primary metric of a learner on the judged span of each fold.

    Parameters
    ----------
    folds : oldest first, so that the shortest past is trained on first
    params : of the trial
    model : a learner by its name
    epochs : most epochs of any trial, so that a step is the same for all
    report : is told of every step; whatever it raises ends the trial

    Raises
    ------
    TrainingError, ConfigError
        The learner cannot be made or trained with these params.
    DataError
        A fold has nothing to ask.
    """
    primary, protocol = params.evaluation.primary, Protocol.of(params.evaluation)
    most = _epochs(params, model, epochs)
    values: list[float] = []
    for number, fold in enumerate(folds):
        learner = learners.build(model, params)
        begin = number * (most + 1)
        watch = _Watch(report, f"tune_{primary.replace('@', '_at_')}", values, begin, most=most)
        history = params.evaluation.history
        learner.fit(Window(fold.store, "train", history), Window(fold.store, "tune", history), watch)
        judged = judge(
            learner,
            Window(fold.store, "test", history),
            protocol,
            max_queries=params.training.loop.max_tune_queries,
            seed=params.workspace.seed,
        )
        metric = judged.metric(primary)
        if not np.isfinite(metric).any():
            raise DataError(
                f"something to ask in fold {number + 1}", found="nothing that counts", do="Lengthen `search.window`."
            )
        values.append(float(np.nanmean(metric)))
        report(begin + most + 1, float(np.mean(values)))
    return values

"""A last lesson: after the best weights are chosen, some epochs over training and tune window together.

What a model is asked next lies behind the tune window, whose events are the newest and would otherwise teach it
nothing. Nothing is chosen here: how many epochs is a knob, to be settled on the window behind. Never reads that window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from components.models.sequence import SequenceModel
from components.params import TrainParams
from components.predictor import Tracker
from components.training.batches import Corpus
from components.training.checkpoint import Checkpoints
from components.training.device import Precision
from components.training.loop import Trainer
from components.training.successors import count_successors


class _NoChoice:
    """Says nothing of any weights, so that the last are kept."""

    primary = "none"

    def score(self, model: SequenceModel, precision: Precision) -> float:
        return float("nan")


@dataclass(frozen=True)
class _Later:
    """Tells a tracker of steps behind those that it knows."""

    tracker: Tracker
    behind: int

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.tracker.log(metrics, step + self.behind)


def finish(
    model: SequenceModel,
    corpus: Corpus,
    loop: TrainParams,
    precision: Precision,
    seed: int,
    tracker: Tracker,
    checkpoints: Checkpoints | None,
    behind: int,
) -> list[dict[str, float]]:
    """Train `model` in place for `loop.finish_epochs` over `corpus`, at the loop's rate falling to nothing.

    Parameters
    ----------
    model : with its chosen weights
    corpus : of the training and the tune window
    loop, precision, seed, tracker, checkpoints : as of the training before it; another folder of checkpoints
    behind : steps of that training, from which these are counted on

    Returns
    -------
    list
        Rows of the curves.
    """
    if model.item.transitions is not None:
        count_successors(corpus.store, corpus.trained, model.item.transitions)
    falling = loop.optimiser.model_copy(update={"schedule": "cosine", "warmup_steps": 0})
    once = loop.model_copy(update={"epochs": loop.finish_epochs, "patience": loop.finish_epochs, "optimiser": falling})
    with torch.random.fork_rng(devices=[precision.device] if precision.device.type == "cuda" else []):
        later = _Later(tracker, behind)
        curves = Trainer(model, corpus, _NoChoice(), once, precision, seed, later, checkpoints).fit()
    return [{**row, "step": row["step"] + behind} for row in curves]

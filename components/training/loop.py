"""The training loop: setup → fit → validate, one state that is saved and restored whole.

The loss is summed over targets and divided by a constant, so that no token weighs more for standing in a short batch.
Every step draws its randomness from (seed, step): a run that was killed goes on to the same weights. A loss or a
gradient that is not a number stops the run before it reaches a weight. Knows no file formats and no MLflow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from components.errors import TrainingError
from components.evaluation.popularity import training_counts
from components.files import fault
from components.models.encoders.language import LanguageEncoder
from components.models.heads import RESERVED
from components.models.sampled import ItemSampler
from components.models.sequence import SequenceModel, Targets
from components.models.taught import Taught
from components.models.weights import check_like
from components.params import OptimiserParams, TrainParams
from components.predictor import Tracker
from components.training.augment import Augmentation
from components.training.average import WeightMean
from components.training.batches import Batch, Corpus
from components.training.checkpoint import Checkpoint, Checkpoints
from components.training.device import Precision
from components.training.gather import Slices, on_device
from components.training.optimiser import RowAdamW, clip_gradients
from components.training.progress import Progress
from components.training.weighing import LossWeights

_LOGS_PER_EPOCH = 10


@dataclass
class State:
    """Where a run stands, besides its tensors.

    Attributes
    ----------
    step, epoch, at : steps done in all, the current epoch, steps done in it
    best, best_step : best score on the tune window so far, and after which step; None before the first
    stale : evaluations since
    done : whether training has ended
    curves : rows of metrics by step, free of clocks
    """

    step: int = 0
    epoch: int = 0
    at: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    done: bool = False
    curves: list[dict[str, float]] = field(default_factory=list)


class Chooser(Protocol):
    """What tells the best weights: a score of the tune window, greater is better, NaN when there is nothing to ask."""

    @property
    def primary(self) -> str: ...

    def score(self, model: SequenceModel, precision: Precision) -> float: ...


class Teacher(Protocol):
    """What a model learns from beside what happened: another's answers to a batch's targets, on the model's device."""

    def __call__(self, slices: Slices, targets: Targets) -> Taught: ...


class Trainer:
    """Trains one model on one corpus.

    Parameters
    ----------
    model : on the device of `precision`
    corpus : what it learns
    judge : what it is asked after each epoch; with no queries the last weights are kept
    loop : the knobs
    precision : device and types
    seed : of dropout
    tracker : is told of the curves
    checkpoints : where to save and resume; None: nowhere
    teacher : whose answers are learned as well; None: nobody's
    """

    def __init__(
        self,
        model: SequenceModel,
        corpus: Corpus,
        judge: Chooser,
        loop: TrainParams,
        precision: Precision,
        seed: int,
        tracker: Tracker,
        checkpoints: Checkpoints | None,
        teacher: Teacher | None = None,
    ) -> None:
        self.model, self.corpus, self.judge, self.loop, self.teacher = model, corpus, judge, loop, teacher
        self.precision, self.seed, self.tracker, self.checkpoints = precision, seed, tracker, checkpoints
        self.state = State()
        self.weighing = LossWeights(model.config.heads, loop.loss_weights).to(precision.device)
        self.augmentation = Augmentation(corpus, loop.augment, seed)
        self.optimiser = make_optimiser(torch.nn.ModuleList([model, self.weighing]), loop.optimiser)
        counts = training_counts(corpus.store)[RESERVED : model.config.trained]
        self.sampler = ItemSampler.of(loop.item_loss, counts, precision.device)
        model.embedding.table.item.sparse = self.sampler is not None  # a step's gradient is that of the rows it read
        self.heads = tuple(model.config.heads)
        self.sums = torch.zeros(2, len(self.heads), dtype=torch.float64)  # losses and targets since the last log
        self.best: dict[str, Tensor] = {}
        self.mean = WeightMean(model, loop.average)
        if loop.compile:
            model.encoder.compile(dynamic=True)

    def fit(self) -> list[dict[str, float]]:
        """Train to the end, or to the best; the model holds the best weights afterwards.

        Returns
        -------
        list
            The curves, one row per log or evaluation; free of clocks.

        Raises
        ------
        TrainingError
            The loss or its gradient became NaN or infinite; the weights are those of the step before.
        """
        self._resume()
        state = self.state
        with Progress(self.loop.epochs, str(self.precision)) as progress:
            while not state.done:
                plan = self.corpus.plan(state.epoch)
                every = max(1, math.ceil(len(plan) / _LOGS_PER_EPOCH))
                while state.at < len(plan):
                    batch = self.take(plan[state.at], len(plan))
                    progress.step(state.epoch, state.at / len(plan), batch.count["item"])
                    if state.at % every == 0 or state.at == len(plan):
                        self._log(progress)
                    if state.step % self.loop.checkpoint_every_steps == 0 and state.at < len(plan):
                        self._save()
                self._validate(progress)
                self._save()
        if self.best:
            self.model.load_state_dict(self.best)
        return state.curves

    def take(self, slices: Slices, steps: int) -> Batch:
        """Take one step of the optimiser; `steps` is the length of the epoch."""
        state = self.state
        fault(f"train-step:{state.step}")
        torch.manual_seed(int(np.random.SeedSequence([self.seed, state.step]).generate_state(1, np.uint64)[0] >> 1))
        rate = learning_rate(self.loop.optimiser, state.step, (state.epoch + state.at / steps) / self.loop.epochs)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        batch = self.augmentation.batch(slices, state.epoch, state.at)
        total, losses = self._loss(batch, slices)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = clip_gradients(self.model.parameters(), self.loop.optimiser.clip_norm)
        if not bool(torch.isfinite(total.detach() + norm)):
            raise TrainingError(
                "a finite loss and gradient",
                found=f"loss {float(total.detach()):g}, gradient {float(norm):g} at step {state.step} "
                f"(epoch {state.epoch}, batch {state.at})",
                do="Lower `training.loop.optimiser.learning_rate` or `clip_norm`, or look for wild numbers in the log.",
            )
        self.optimiser.step()
        self.mean.follow(state.step)
        self.sums += torch.stack([losses.double().cpu(), torch.tensor([float(batch.count[h]) for h in self.heads])])
        state.step += 1
        state.at += 1
        return batch

    def _loss(self, batch: Batch, slices: Slices) -> tuple[Tensor, Tensor]:
        """The loss that is minimised, and the detached sums of each head."""
        self.model.train()
        tokens = on_device(batch.tokens, self.precision.device)
        targets = on_device(batch.targets, self.precision.device)
        taught = None if self.teacher is None else self.teacher(slices, targets)
        with self.precision.autocast():
            found = self.model.losses(
                tokens,
                targets,
                self.loop.label_smoothing,
                self.precision.logits,
                self.sampler,
                self.loop.item_loss.softmax_weight,
                taught,
            )
        losses = torch.stack([found[head] for head in self.heads])  # (heads,)
        count = losses.new_tensor([float(batch.count[head]) for head in self.heads])
        return self.weighing(losses, count) / self.corpus.tokens_per_batch, losses.detach()

    def _log(self, progress: Progress) -> None:
        """One row of the curves: mean loss of each head per target since the last row."""
        mean = (self.sums[0] / self.sums[1].clamp_min(1)).tolist()
        self.sums.zero_()
        row = {f"loss_{head}": value for head, value in zip(self.heads, mean, strict=True)}
        if self.weighing.s is not None:
            row |= {f"weight_{head}": w for head, w in zip(self.heads, self.weighing.weights().tolist(), strict=True)}
        row |= {"learning_rate": self.optimiser.param_groups[0]["lr"], "epoch": float(self.state.epoch)}
        self.state.curves.append({"step": float(self.state.step), **row})
        self.tracker.log({**row, "tokens_per_second": progress.rate}, self.state.step)
        progress.say(row)

    def _validate(self, progress: Progress) -> None:
        """Score the tune window, keep the best weights, decide whether to go on."""
        state = self.state
        with self.mean.in_place():
            value = self.judge.score(self.model, self.precision)
            if math.isnan(value) or state.best is None or value > state.best:  # nothing to ask: the last are kept
                self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        if not math.isnan(value):
            row = {f"tune_{self.judge.primary}": value}
            state.curves.append({"step": float(state.step), "epoch": float(state.epoch), **row})
            self.tracker.log({name.replace("@", "_at_"): number for name, number in row.items()}, state.step)
            progress.say(row)
            state.stale += 1
            if state.best is None or value > state.best:
                state.best, state.best_step, state.stale = value, state.step, 0
        state.epoch, state.at = state.epoch + 1, 0
        state.done = state.epoch >= self.loop.epochs or state.stale >= self.loop.patience

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"mean.{name}": tensor for name, tensor in self.mean.tensors.items()}
        tensors |= {f"weighing.{name}": tensor for name, tensor in self.weighing.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in values.items()}
        self.checkpoints.save(Checkpoint(self.state.step, {**tensors, "sums": self.sums}, asdict(self.state)))

    def _resume(self) -> None:
        found = None if self.checkpoints is None else self.checkpoints.newest()
        if found is None:
            return
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "mean": {}, "weighing": {}, "optimiser": {}}
        for name, tensor in found.tensors.items():
            part, _, rest = name.partition(".")
            if part in parts:
                parts[part][rest] = tensor
        check_like(parts["model"], self.model.state_dict(), "a checkpoint")
        self.model.load_state_dict(parts["model"])
        self.weighing.load_state_dict(parts["weighing"])
        self.best = {name: tensor.to(self.precision.device) for name, tensor in parts["best"].items()}
        self.mean.tensors = {name: tensor.to(self.precision.device) for name, tensor in parts["mean"].items()}
        self.optimiser.load_state_dict(_optimiser_state(self.optimiser, parts["optimiser"]))
        self.sums = found.tensors["sums"]
        self.state = State(**found.record)


def _optimiser_state(optimiser: torch.optim.Optimizer, found: Mapping[str, Tensor]) -> dict[str, Any]:
    """The optimiser's state_dict with the tensors of a checkpoint."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in found.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    return {**optimiser.state_dict(), "state": state}


def make_optimiser(model: torch.nn.Module, params: OptimiserParams) -> RowAdamW:
    """AdamW, fused; weight decay on matrices alone, never on biases and norms.

    Pretrained weights have a learning rate of their own, a fixed share of that of the others at every step; those that
    are not to learn are left out.
    """
    readers = [part for part in model.modules() if isinstance(part, LanguageEncoder)]
    shares = {id(w): one.learning_rate / params.learning_rate for one in readers for w in one.language.parameters()}
    groups = []
    for share in dict.fromkeys([1.0, *shares.values()]):
        weights = [w for w in model.parameters() if w.requires_grad and shares.get(id(w), 1.0) == share]
        matrices, vectors = [w for w in weights if w.ndim >= 2], [w for w in weights if w.ndim < 2]
        groups.append({"params": matrices, "weight_decay": params.weight_decay, "share": share})
        if vectors or share == 1.0:
            groups.append({"params": vectors, "weight_decay": 0.0, "share": share})
    return RowAdamW(groups, lr=params.learning_rate, betas=params.betas, fused=True)


def learning_rate(params: OptimiserParams, step: int, share: float) -> float:
    """Rate of step `step` when `share` (0..1) of the run is done: linear warm-up, then constant or half a cosine."""
    warm = min(1.0, (step + 1) / params.warmup_steps) if params.warmup_steps else 1.0
    falling = 0.5 * (1 + math.cos(math.pi * min(share, 1.0))) if params.schedule == "cosine" else 1.0
    return params.learning_rate * warm * falling

"""The teacher's side of distillation: what a trained model answers to the targets of each training batch.

It is asked as the student is: the same stretch of the same history, nothing behind it, and the same request. It is
never trained, and of its answers only the likeliest items are kept, with what is left for all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from components.errors import ConfigError
from components.features.store import Store
from components.models.config import SequenceConfig
from components.models.heads import RESERVED, ClassHead
from components.models.sequence import SequenceModel, Targets
from components.models.taught import Taught, softened
from components.params import TrainParams
from components.training.device import Precision
from components.training.gather import Slices, on_device, tokens_of

_BLOCK = 1 << 20  # logits of a block
_CLASSES = ("action", "place", "place_coarse", "category")


@dataclass(frozen=True)
class Teacher:
    """Answers to batches.

    Attributes
    ----------
    model : trained, on the device of `precision`
    store : that the batches are cut from
    temperature, weight, top : as in `params.DistilParams`
    precision : device and types
    """

    model: SequenceModel
    store: Store
    temperature: float
    weight: float
    top: int
    precision: Precision

    @torch.no_grad()
    def __call__(self, slices: Slices, targets: Targets) -> Taught:
        """What it says of the targets, which lie on its device, of a batch cut by `slices`."""
        model = self.model.eval()
        tokens = on_device(tokens_of(self.store, slices, model.config), self.precision.device)
        with self.precision.autocast():
            read = model.read(tokens)
            states = read.states.flatten(0, 1)[targets.at]  # (n, d)
            asked = model.conditioned(states, targets.request)
            question, item = model.questions(read, asked, targets)
            rows = model.item.rows(question, read, model.embedding.table, torch.zeros_like(item), targets.at)
            columns = model.config.items - RESERVED
            size = max(1, _BLOCK // columns)
            found = [
                self._likeliest(rows(slice(start, min(len(states), start + size))), min(self.top, columns))
                for start in range(0, len(states), size)
            ]
            heads = {name: getattr(model, name) for name in _CLASSES if isinstance(getattr(model, name), ClassHead)}
            classes = {name: softened(head(asked).float(), self.temperature) for name, head in heads.items()}
            time = None if model.time is None else model.time(states)
        code, share = (torch.cat(part) for part in zip(*found, strict=True))
        return Taught(code, share, classes, time, self.temperature, self.weight)

    def _likeliest(self, logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
        share, column = softened(logits.float(), self.temperature).topk(k, dim=1)
        return column + RESERVED, share


def check_pair(student: SequenceConfig, teacher: SequenceConfig, loop: TrainParams) -> None:
    """Refuse a student and a teacher that cannot be asked the same.

    Raises
    ------
    ConfigError
        Another catalogue, another idea of the request, a longer window than the teacher's, an encoder that does not
        answer at every event, or a training that changes what the student is asked or learns from drawn items.
    """
    wrong = {
        "the same catalogue, actions and cells": (student.items, student.actions, student.cells)
        != (teacher.items, teacher.actions, teacher.cells),
        "the same target_time": student.request_clock != teacher.request_clock,
        "max_history of at most the teacher's": student.max_history > teacher.max_history,
        "encoders other than bert": student.mask_share is not None or teacher.mask_share is not None,
        "a student other than seq2seq": student.encoder == "seq2seq",
        "`training.loop.augment.reorder_ties: false`": loop.augment.reorder_ties,
        "`training.loop.item_loss.kind: full`": loop.item_loss.kind != "full",
    }
    for needed, broken in wrong.items():
        if broken:
            raise ConfigError(
                f"{needed}, so that teacher and student answer the same",
                found=f"student {student.encoder}, max_history {student.max_history}; teacher {teacher.encoder}, "
                f"max_history {teacher.max_history}",
                do="Mend `training.compressed` or the student under `training.models`.",
            )

"""One question at a time: a history is read as far as it is new, and the heads answer from what was made of it.

The compiled step and heads where they are written for the model, else its own by torch. Never batches, never trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from components.models.sequence import SequenceModel
from components.predictor import Queries, Scores
from components.training.calibrate import calibrated
from components.training.carried import Seen, moment_of, seen
from components.training.gather import query_request
from components.training.heads import Heads, can_answer, told_of
from components.training.scores import scores_of
from components.training.stepping import Stepper, can_step_compiled


class Carrier:
    """How one fitted model answers single questions.

    Parameters
    ----------
    model : in eval mode, on the CPU; its weights do not change any more
    temperatures : of item and action, as `training.calibrate` gives them
    """

    def __init__(self, model: SequenceModel, temperatures: Mapping[str, float]) -> None:
        self._model, self._temperatures = model, dict(temperatures)
        self._heads = Heads(model, self._temperatures) if can_answer(model) else None
        self._stepper = Stepper(model) if can_step_compiled(model) else None

    def answer(self, queries: Queries, before: Seen | None) -> tuple[Scores, Seen]:
        """Answer one query, and what was read for it; `before` is what was read for an earlier one of the same user."""
        model = self._model
        known = seen(model, queries, before, self._stepper)
        if self._heads is not None:
            if known.grown is not None:
                known = replace(known, made=self._heads.made(told_of(known.view), known.made, known.grown), grown=None)
            return self._heads.answer(known.made, moment_of(queries, model.config)), known
        request, last = query_request(queries, model.config), torch.tensor([known.view.length - 1])
        with torch.no_grad():
            found = calibrated(model.answer(known.view.read, last, request), self._temperatures)
        return scores_of([found], np.zeros(1, np.int64), model.config), known

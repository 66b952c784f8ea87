"""How good a model is while it trains, by likelihood: what it gives to the tune window's answers, over all heads.

For where the moment and the kind matter as much as the rank (event streams), and cheaper than ranking. The weights
of the heads are those of the loss; open intervals count as in training. Never looks at a later window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from components.models.sequence import SequenceModel
from components.training.batches import Corpus
from components.training.device import Precision
from components.training.gather import on_device


@dataclass(frozen=True)
class Likelihood:
    """What is asked of a model between epochs.

    Attributes
    ----------
    corpus : the tune window's answers behind all that is visible before each
    """

    corpus: Corpus
    primary: ClassVar[str] = "log_likelihood"

    @torch.no_grad()
    def score(self, model: SequenceModel, precision: Precision) -> float:
        """Mean weighted log-likelihood of an answer, nats; NaN when there is none."""
        model.eval()
        total, count = 0.0, 0
        for slices in self.corpus.plan(0):
            batch = self.corpus.batch(slices)
            tokens, targets = on_device(batch.tokens, precision.device), on_device(batch.targets, precision.device)
            found = model.losses(tokens, targets, 0.0, torch.float32)
            total -= sum(float(found[head]) * weight for head, weight in model.config.heads.items())
            count += batch.count["item"]
        return total / count if count else float("nan")

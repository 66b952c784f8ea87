"""What a network answered as the contract's Scores: arrays over all codes, in the order of the queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from components.models.config import SequenceConfig
from components.models.heads import RESERVED
from components.models.sequence import Answers
from components.predictor import Capability, Scores, TimeDistribution


def capabilities_of(heads: Iterable[str]) -> frozenset[Capability]:
    """What a network with these heads can be asked."""
    names: tuple[Capability, ...] = get_args(Capability)
    return frozenset(name for name in names if name in heads)


def scores_of(parts: list[Answers], order: NDArray[np.int64], config: SequenceConfig) -> Scores:
    """Blocks of answers, back in the order of the queries, as arrays over all codes."""

    def back(columns: list[torch.Tensor], fill: float | None) -> NDArray[np.float32]:
        width = columns[0].shape[1] if columns else 0
        ahead = 0 if fill is None else RESERVED
        out = np.full((len(order), ahead + width), fill or 0.0, np.float32)
        start = 0
        for column in columns:
            out[order[start : start + len(column)], ahead:] = column.float().cpu().numpy()
            start += len(column)
        return out

    def probabilities(name: str) -> NDArray[np.float32] | None:
        if name not in config.heads:
            return None
        return back([getattr(part, name).exp() for part in parts], 0.0)

    time = None
    if "time" in config.heads:
        weight, mean, sigma = (back([part.time[i] for part in parts if part.time], None) for i in range(3))
        time = TimeDistribution(np.exp(weight), mean, sigma)
    return Scores(back([part.item for part in parts], -np.inf), probabilities("action"), time, probabilities("place"))

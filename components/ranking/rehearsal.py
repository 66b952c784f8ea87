"""A window lived through before it counts: its questions are asked in time order of parts that learn as it goes on.

What is fitted on a window (weights, a gate, trees) is fitted on answers that the parts would have given then. The
parts themselves do not change: copies live it through. Never here: what is done with the answers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from components.evaluation.judge import between
from components.memory.replay import Questions, replay
from components.predictor import Predictor, Window


def rehearse(
    parts: Mapping[str, Predictor], window: Window, questions: Questions
) -> Iterator[tuple[slice, Mapping[str, Predictor]]]:
    """Blocks of the questions, and the parts as they were when these were asked.

    Parameters
    ----------
    parts : as they were fitted on the training window
    window : later than everything that they were fitted on; where its history is online, what happened before it
        and day by day in it is learned
    questions : of the window, in time order
    """
    living = copy.deepcopy(dict(parts))
    store, online = window.store, window.history == "online"

    def learn(rows: NDArray[np.int64]) -> None:
        for part in living.values():
            part.update(store, rows)

    if online:
        learn(between(store, window.name))
    for block in replay(window, questions, learn if online else None):
        yield block, living

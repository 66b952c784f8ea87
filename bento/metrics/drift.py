"""Drift of predictions: how far the categories that are recommended first have moved since the model began to serve.

The population stability index over the category of each answer's first item: the newest answers against the first
ones after a swap. Categories and not scores, because they mean the same for every model, and not items, because a few
hundred answers cannot fill thousands of bins. Below 0.1 little has moved, beyond 0.25 much has: the usual reading.
Never here: whether anything is done about it.
"""

from __future__ import annotations

import math
from collections import Counter, deque

_PRIOR = 0.5  # answers added to every category, so that one that is new or gone counts as much and not infinitely


def stability_index(before: Counter[str], now: Counter[str]) -> float:
    """Population stability index of two counts, ≥ 0, in nats; 0 = the same shares. Smoothed by half a count a bin."""
    kinds = before.keys() | now.keys()
    if not kinds:
        return 0.0
    spread = _PRIOR * len(kinds)
    total_before, total_now = before.total() + spread, now.total() + spread
    index = 0.0
    for kind in kinds:
        p, q = (before[kind] + _PRIOR) / total_before, (now[kind] + _PRIOR) / total_now
        index += (q - p) * math.log(q / p)
    return index


class Drift:
    """The first `size` answers of a model against its newest `size`."""

    def __init__(self, size: int = 500) -> None:
        self._size = size
        self._model: object = None
        self._first: Counter[str] = Counter()
        self._newest: deque[str] = deque(maxlen=size)

    def add(self, model: object, kind: str | None) -> None:
        """Note an answer: the model that gave it, and the category of its first item."""
        if model != self._model:
            self._model = model
            self._first.clear()
            self._newest.clear()
        named = kind or ""
        if self._first.total() < self._size:
            self._first[named] += 1
        else:
            self._newest.append(named)

    def index(self) -> float | None:
        """Stability index; None until there are enough answers on both sides."""
        if len(self._newest) < self._size:
            return None
        return stability_index(self._first, Counter(self._newest))

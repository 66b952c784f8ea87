"""What memory said of an item: which counter gave how much of its probability, and how much of that it counted itself.

Every counter is smoothed by popularity; the part of its answer that is nothing but that is told apart, so that nobody
is told of a habit that was never seen. Nothing here asks a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from components.memory.predictor import MemoryPredictor
from components.predictor import Predictor, Queries


@runtime_checkable
class Explains(Protocol):
    """A predictor that can say which of its parts gave how much."""

    def explain(self, queries: Queries, items: NDArray[np.integer]) -> Mapping[str, NDArray[np.float64]]:
        """Part → (B, M) share of the probability of items (B, M); all shares sum to 1."""
        ...


@dataclass(frozen=True)
class Said:
    """What one part of a predictor gave to one item.

    Attributes
    ----------
    name : of the part, `part.counter` inside a blend
    kind : of the counter; None for what is none
    share : of the item's probability, 0 … 1
    own : of its share what the counter itself has counted; the rest is the popularity that smooths it
    """

    name: str
    kind: str | None
    share: float
    own: float


def parts_of(predictor: Predictor) -> Mapping[str, Predictor]:
    """The predictors that a blend is made of; empty for one that is not."""
    parts = getattr(predictor, "parts", {})
    return parts if isinstance(parts, Mapping) else {}


def what_was_said(predictor: Predictor, query: Queries, items: NDArray[np.integer]) -> list[list[Said]]:
    """For each of M items (M,), what each part gave to it, the largest share first; empty where a predictor cannot say.

    Parameters
    ----------
    predictor : any; those with `explain` can say
    query : one question (B = 1)
    items : (M,) item codes
    """
    if not isinstance(predictor, Explains):
        return [[] for _ in items]
    shares = predictor.explain(query, np.asarray(items)[None])
    counted = dict(_counted(predictor, query, items))
    found = []
    for m in range(len(items)):
        said = [
            Said(name, counted[name][0], float(share[0, m]), float(counted[name][1][m]))
            if name in counted
            else Said(name, None, float(share[0, m]), 1.0)
            for name, share in shares.items()
        ]
        found.append(sorted(said, key=lambda one: (-one.share, one.name)))
    return found


def _counted(
    predictor: Predictor, query: Queries, items: NDArray[np.integer], before: str = ""
) -> Iterator[tuple[str, tuple[str, NDArray[np.float64]]]]:
    """Name of each counter, its kind, and (M,) the part of its answers that is not smoothing."""
    if isinstance(predictor, MemoryPredictor):
        answer = predictor.tables.answer(query)
        codes = np.asarray(items, np.int64)
        for (name, counter), share in zip(predictor.tables.counters.items(), answer.shares, strict=True):
            whole = share.at(answer.ask, np.zeros_like(codes), codes, answer.popularity)
            smooth = share.popular[0] * answer.popularity[codes]
            own = 1 - smooth / np.maximum(whole, 1e-300)
            if counter.kind == "popularity":  # which is nothing else
                own = np.ones(len(codes))
            yield f"{before}{name}", (counter.kind, np.clip(own, 0.0, 1.0))
    for name, part in parts_of(predictor).items():
        yield from _counted(part, query, items, f"{before}{name}.")

"""What every learner says to a block of queries, in one shape: a distribution over the catalogue for each voice.

A voice is one counter of a memory, or any other part as a whole. The parts are asked once; what they say of the
action, the time and the place is kept beside. Never here: which items are looked at, and whom to trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.baselines.base import Baseline
from components.features.encoding import UNKNOWN
from components.memory.ask import Ask, Floats, Ints
from components.memory.counter import Popularity
from components.memory.predictor import CounterPredictor, MemoryPredictor
from components.memory.share import Share, mix
from components.predictor import Predictor, Queries, Scores


@dataclass(frozen=True)
class Evidence:
    """B queries and K voices.

    Attributes
    ----------
    ask : the queries with their histories
    popularity : of the part that counts; even where none does
    shares : voice → its distribution for each query, `part.counter` or `part`
    scores : part → what it answers; empty where only items were asked for
    """

    ask: Ask
    popularity: Popularity
    shares: Mapping[str, Share]
    scores: Mapping[str, Scores]

    def at(self, items: NDArray[np.integer], query: Ints) -> Floats:
        """(n, K) probability of items (n,) in the answers to queries (n,) by each voice."""
        codes, popular = np.asarray(items, np.int64), self.popularity.share
        return np.stack([one.at(self.ask, query, codes, popular) for one in self.shares.values()], axis=1)

    def mix(self, weights: Floats) -> NDArray[np.float32]:
        """(B, V) mixture of the voices with weights (B, K); padding and unknown have nothing."""
        out = mix(self.ask, list(self.shares.values()), weights, self.popularity.share)
        out[:, : UNKNOWN + 1] = 0.0
        return out


def gather(parts: Mapping[str, Predictor], queries: Queries, max_history: int, items_only: bool = False) -> Evidence:
    """Ask every part once.

    Parameters
    ----------
    parts : fitted, by name
    queries : B of them
    max_history : newest events of a history that are looked at
    items_only : leave out what the counting parts say of action, time and place
    """
    ask = Ask(queries, max_history)
    popularity = popularity_of(parts, queries.store.encoding.n_items)
    shares: dict[str, Share] = {}
    scores: dict[str, Scores] = {}
    for name, part in parts.items():
        if isinstance(part, MemoryPredictor | CounterPredictor):
            said = part.tables.answer(ask)
            shares |= dict(zip(_voices(name, part), said.shares, strict=True))
            if not items_only:
                scores[name] = part.answered(said)
        else:
            scores[name] = part.score(queries)
            shares[name] = Share(np.zeros(len(queries)), dense=np.exp(scores[name].item))
    return Evidence(ask, popularity, shares, scores)


def voices(parts: Mapping[str, Predictor]) -> list[str]:
    """Names of the voices of fitted parts, in the order of `Evidence.shares`."""
    return [voice for name, part in parts.items() for voice in _voices(name, part)]


def _voices(name: str, part: Predictor) -> list[str]:
    return [f"{name}.{of}" for of in part.tables.counters] if isinstance(part, MemoryPredictor) else [name]


def part_of(voice: str) -> str:
    """The part that a voice belongs to."""
    return voice.partition(".")[0]


def popularity_of(parts: Mapping[str, Predictor], n_items: int) -> Popularity:
    """Live popularity by the first part that counts events; even where there is none."""
    for part in parts.values():
        if isinstance(part, MemoryPredictor | CounterPredictor):
            return part.tables.popularity
        if isinstance(part, Baseline):
            return Popularity(part.count, part.popularity)
    share = np.ones(n_items)
    share[: UNKNOWN + 1] = 0.0
    return Popularity(np.zeros(n_items), share / share.sum())

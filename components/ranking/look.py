"""One look at a block of queries: what the voices say, their mixture, the candidates and their columns.

The same call makes the rows that trees are grown from and those that a live request is ranked by. Never here: trees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import Encoding
from components.memory.ask import Floats
from components.once import made_once
from components.params import CandidateParams
from components.predictor import Predictor, Queries
from components.ranking.candidates import Candidates, choose
from components.ranking.evidence import Evidence, gather
from components.ranking.features import Items, features, of_query
from components.ranking.gate import Gate

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """What is known of B queries before trees are asked.

    Attributes
    ----------
    evidence : what the voices say
    mixture : (B, V) their mixture by the gate
    candidates : n items
    table : (n, F) their columns
    """

    evidence: Evidence
    mixture: Table
    candidates: Candidates
    table: Table

    @made_once
    def own(self) -> Floats:
        """(n,) what the mixture gives each candidate: the last column but one."""
        return self.table[:, -2].astype(np.float64)


class Looker:
    """Looks at queries; keeps nothing but what the catalogue says of its items.

    Parameters
    ----------
    gate : weighs the voices
    params : how many candidates of each kind
    max_history : newest events of a history that are looked at
    """

    def __init__(self, gate: Gate, params: CandidateParams, max_history: int) -> None:
        self.gate, self.params, self.max_history = gate, params, max_history
        self._items: tuple[Encoding, Items] | None = None

    def weigh(self, parts: Mapping[str, Predictor], queries: Queries, items_only: bool) -> tuple[Evidence, Table]:
        """What the voices say to B queries, and their mixture (B, V)."""
        return self._weighed(parts, queries, items_only)[:2]

    def _weighed(
        self, parts: Mapping[str, Predictor], queries: Queries, items_only: bool
    ) -> tuple[Evidence, Table, Table]:
        """The same, and the (B, QUERY) columns of the queries."""
        evidence = gather(parts, queries, self.max_history, items_only)
        described = of_query(evidence.ask)
        return evidence, evidence.mix(self.gate.of(described)), described

    def look(self, parts: Mapping[str, Predictor], queries: Queries, items_only: bool = False) -> Look:
        """Evidence, mixture, candidates and columns of B queries."""
        evidence, mixture, described = self._weighed(parts, queries, items_only)
        candidates = choose(evidence, mixture, self.params)
        table = features(evidence, mixture, candidates, self._items_of(queries.store.encoding), described)
        return Look(evidence, mixture, candidates, table)

    def _items_of(self, encoding: Encoding) -> Items:
        if self._items is None or self._items[0] is not encoding:
            self._items = encoding, Items.of(encoding)
        return self._items[1]

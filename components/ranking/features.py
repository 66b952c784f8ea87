"""The columns that the ranker reads, for every candidate of every query: one function for training and serving.

Everything is made from what is visible: the history, the live counts and what the parts answer. A column does not
change when events at or after the query do. Never here: weights.

Reference: research/spatiotemporal.md §2.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import Encoding
from components.memory.ask import Ask, Ints, unit_vectors
from components.once import made_once
from components.ranking import kernel
from components.ranking.candidates import Candidates
from components.ranking.evidence import Evidence

Table = NDArray[np.float32]
MIXTURE = "mixture"


@dataclass(frozen=True)
class Items:
    """What the columns need of the catalogue.

    Attributes
    ----------
    category : (V,) int64 codes
    points : (V, 3) on the unit sphere, NaN = no place
    """

    category: Ints
    points: NDArray[np.float64]

    @made_once
    def n_categories(self) -> int:
        """One more than the largest code."""
        return int(self.category.max(initial=0)) + 1

    @classmethod
    def of(cls, encoding: Encoding) -> Self:
        """Those of an encoding."""
        catalogue = encoding.catalogue
        latitude, longitude = (np.asarray(x, np.float64) for x in (catalogue.latitude, catalogue.longitude))
        return cls(np.asarray(catalogue.category, np.int64), unit_vectors(latitude, longitude))


def names(voices: Sequence[str]) -> list[str]:
    """Names of the columns of `features`."""
    said = [name for voice in (*voices, MIXTURE) for name in (f"{voice}/p", f"{voice}/relative")]
    return [*kernel.HISTORY, *(f"query/{name}" for name in kernel.QUERY), *said]


def features(
    evidence: Evidence, mixture: Table, candidates: Candidates, items: Items, described: Table | None = None
) -> Table:
    """The columns `names` of all candidates.

    Parameters
    ----------
    evidence : of B queries, K voices
    mixture : (B, V) the mixture of the voices
    candidates : n of them
    items : of the encoding
    described : what `of_query` gives, where it is at hand

    Returns
    -------
    (n, F) float32
        Finite. A voice's probability, and the same by the largest among the query's candidates.
    """
    columns = len(kernel.HISTORY) + len(kernel.QUERY) + 2 * np.arange(len(evidence.shares) + 1)
    out = np.zeros((len(candidates), columns[-1] + 2), np.float32)
    slot = _history(out, evidence, candidates, items, of_query(evidence.ask) if described is None else described)
    _voices(out, columns[:-1], evidence, candidates, slot)
    kernel.add_block(out, columns[-1], mixture, np.ones(len(mixture)), candidates.offsets, candidates.item)
    kernel.relative(out, columns, columns + 1, candidates.offsets)
    return out


def of_query(ask: Ask) -> Table:
    """(B, QUERY) columns that describe a query and none of its candidates."""
    queries, session = ask.queries, ask.of_known(ask.column("session")).astype(np.int64)
    told_s = ask.time_s if queries.time_given else ask.column("gap_s").astype(np.int64)
    return kernel.of_query(
        ask.item_edges,
        ask.item_code,
        session,
        ask.edges,
        told_s,
        queries.time_given,
        queries.time_s,
        queries.utc_offset_min.astype(np.int64),
        ask.hour,
    )


def _history(out: Table, evidence: Evidence, candidates: Candidates, items: Items, described: Table) -> Ints:
    """Fill the columns of the history and of the query; the candidate of each known event (m,), or -1."""
    ask = evidence.ask
    slot = kernel.slots(ask.item_edges, ask.item_code, candidates.offsets, candidates.item)
    kernel.of_history(
        out,
        candidates.offsets,
        candidates.item,
        ask.item_edges,
        slot,
        ask.item_code,
        ask.item_age_d,
        ask.of_known(ask.time_s),
        ask.of_known(ask.column("utc_offset_min")).astype(np.int64),
        ask.of_known(ask.column("session")).astype(np.int64),
        described,
        ask.hour,
        ask.here,
        items.category,
        items.n_categories,
        items.points,
        evidence.popularity.count,
    )
    return slot


def _voices(out: Table, columns: Ints, evidence: Evidence, candidates: Candidates, slot: Ints) -> None:
    """Fill the columns (K,) with the probability that each voice gives to each candidate."""
    at, shares = (candidates.offsets, candidates.item), evidence.shares.values()
    popular = np.array([share.popular for share in shares]).reshape(len(columns), evidence.ask.size)
    kernel.put_popular(out, columns, popular, evidence.popularity.share, *at)
    for column, share in zip(columns.tolist(), shares, strict=True):
        for vector, weight in share.vectors:
            kernel.add_block(out, column, vector[None], weight, *at)
        if share.dense is not None:
            kernel.add_block(out, column, share.dense, np.ones(len(share.dense)), *at)
        if share.habit is not None:
            kernel.add_habit(out, column, share.habit, slot)
        if share.pairs is not None:
            kernel.add_pairs(out, column, *share.pairs, *at)

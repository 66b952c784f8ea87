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
from components.memory.ask import DAY_S, Ask, Ints, local_hour, unit_vectors
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
    ask, query = evidence.ask, candidates.query
    first = len(kernel.HISTORY)
    voices = first + len(kernel.QUERY)
    out = np.zeros((len(candidates), voices + 2 * len(evidence.shares) + 2), np.float32)
    slot = _history(out, evidence, candidates, items)
    out[:, first:voices] = (of_query(ask) if described is None else described)[query]
    columns = voices + 2 * np.arange(len(evidence.shares) + 1)
    _voices(out, columns[:-1], evidence, candidates, slot)
    out[:, columns[-1]] = mixture[query, candidates.item]
    kernel.relative(out, columns, columns + 1, candidates.offsets)
    return out


def of_query(ask: Ask) -> Table:
    """(B, QUERY) columns that describe a query and none of its candidates."""
    queries, session = ask.queries, ask.of_known(ask.column("session")).astype(np.int64)
    weekday = _weekday(queries.time_s, queries.utc_offset_min)
    return kernel.of_query(ask.item_edges, ask.item_code, session, _gap(ask), ask.hour, weekday)


def _gap(ask: Ask) -> NDArray[np.float64]:
    """(B,) log(1 + seconds) since the last event, where the time is given; else between the last two events."""
    if ask.size == 1:
        if not ask.length[0]:
            return np.zeros(1)
        since = ask.queries.time_s[0] - ask.time_s[-1] if ask.queries.time_given else ask.column("gap_s")[-1]
        return np.log1p(np.array([max(float(since), 0.0)]))
    last = ask.edges[1:][ask.length > 0] - 1
    gap = np.zeros(ask.size)
    if ask.queries.time_given:
        gap[ask.length > 0] = ask.queries.time_s[ask.length > 0] - ask.time_s[last]
    else:
        gap[ask.length > 0] = ask.column("gap_s")[last]
    return np.log1p(np.maximum(gap, 0.0))


def _weekday(time_s: NDArray[np.integer], utc_offset_min: NDArray[np.integer]) -> Ints:
    """Local weekday, 0 = Monday (1970-01-01 was a Thursday)."""
    return np.asarray((time_s + 60 * utc_offset_min.astype(np.int64)) // DAY_S + 3) % 7


def _history(out: Table, evidence: Evidence, candidates: Candidates, items: Items) -> Ints:
    """Fill the columns of the history; the candidate of each known event (m,), or -1."""
    ask = evidence.ask
    queries = ask.queries
    slot = kernel.slots(ask.item_edges, ask.item_code, candidates.offsets, candidates.item)
    offset, time_s = ask.of_known(ask.column("utc_offset_min")), ask.of_known(ask.time_s)
    kernel.of_history(
        out,
        candidates.offsets,
        candidates.item,
        ask.item_edges,
        slot,
        ask.item_code,
        ask.item_age_d,
        local_hour(time_s, offset),
        _weekday(time_s, offset),
        ask.of_known(ask.column("session")).astype(np.int64),
        ask.hour,
        _weekday(queries.time_s, queries.utc_offset_min),
        items.category,
        items.points,
        ask.here,
        np.log1p(evidence.popularity.count[candidates.item]),
    )
    return slot


def _voices(out: Table, columns: Ints, evidence: Evidence, candidates: Candidates, slot: Ints) -> None:
    """Fill the columns (K,) with the probability that each voice gives to each candidate."""
    query, item = candidates.query, candidates.item
    popular = np.array([share.popular for share in evidence.shares.values()]).reshape(-1, evidence.ask.size)
    kernel.put_popular(out, columns, popular, query, evidence.popularity.share[item])
    habits, pairs = [], []
    for column, share in zip(columns.tolist(), evidence.shares.values(), strict=True):
        for vector, weight in share.vectors:
            out[:, column] += weight[query] * vector[item]
        if share.dense is not None:
            out[:, column] += share.dense[query, item]
        if share.habit is not None:
            habits.append((column, share.habit))
        if share.pairs is not None:
            pairs.append((np.full(len(share.pairs[0]), column), *share.pairs))
    if habits:
        column_of, weights = np.array([column for column, _ in habits]), np.stack([habit for _, habit in habits])
        kernel.add_habits(out, column_of, weights, slot)
    if pairs:
        column_of, asking, about, weight = (np.concatenate(part) for part in zip(*pairs, strict=True))
        kernel.add_pairs(out, column_of, asking, about, weight, candidates.offsets, item)

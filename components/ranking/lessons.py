"""What trees are grown from and calibrated on: a window lived through, its candidates and which of them came true.

The older queries are learned from, thinned to the answer and some wrong candidates; the newer ones are kept whole, to
stop the growth, to calibrate, and to say what each learner adds. Never here: the growth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from components.memory.ask import Floats, Ints
from components.memory.replay import Questions
from components.params import RankerParams, TreeParams
from components.predictor import Predictor, Window
from components.ranking.look import Look, Looker
from components.ranking.rehearsal import rehearse

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Lessons:
    """Candidates of Q queries.

    Attributes
    ----------
    table : (n, F) columns
    own : (n,) what the mixture gives each
    sizes : (Q,) candidates of each query; they sum to n
    right : (n,) whether a candidate is an answer
    asked : (Q,) how many answers each query has, candidates or not; of a basket, several
    inside : (Q,) the mixture's mass on the candidates, before any were left out
    row : (Q,) of the answer in the store
    """

    table: Table
    own: Floats
    sizes: Ints
    right: NDArray[np.bool_]
    asked: Ints
    inside: Floats
    row: Ints

    @property
    def query(self) -> Ints:
        """(n,) the query that a candidate belongs to."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def found(self) -> Ints:
        """(Q,) how many of the answers are candidates."""
        return np.bincount(self.query[self.right], minlength=len(self.sizes))

    def of(self, keep: NDArray[np.bool_]) -> Lessons:
        """Only some candidates (n,); queries that have none left are gone."""
        sizes = np.bincount(self.query[keep], minlength=len(self.sizes))
        left = sizes > 0
        asked, inside, row = self.asked[left], self.inside[left], self.row[left]
        return Lessons(self.table[keep], self.own[keep], sizes[left], self.right[keep], asked, inside, row)

    def answered(self) -> Lessons:
        """Only the queries of which an answer is a candidate."""
        return self.of((self.found > 0)[self.query])


def lessons_of(
    parts: Mapping[str, Predictor],
    asked: Sequence[tuple[Window, Questions]],
    looker: Looker,
    params: RankerParams,
    seed: int,
) -> tuple[Lessons, Lessons]:
    """The older questions, thinned, and the newer ones, whole.

    Parameters
    ----------
    parts : as they were fitted
    asked : windows later than everything that the parts were fitted on, oldest first, and questions of each in time
        order
    looker : chooses candidates and makes their columns
    params : how many questions, the newer share, and what is kept of wrong candidates
    seed : draws these
    """
    total = sum(len(questions) for _, questions in asked)
    share = min(1.0, params.max_queries / max(total, 1))
    edge = total * share * (1 - params.holdout)
    rng = np.random.default_rng(seed)
    older: list[Lessons] = []
    newer: list[Lessons] = []
    done = 0
    for window, every in asked:
        questions = every.thinned(int(share * len(every)))
        for block, living in rehearse(parts, window, questions):
            part = questions[block]
            found = _lessons(looker.look(living, part.queries, items_only=True), part)
            early = np.isin(found.row, part.row[: max(0, round(edge) - done)])[found.query]
            older.append(found.of(early & _thinned(found, params.trees, rng)))
            newer.append(found.of(~early))
            done += len(part)
    return _joined(older), _joined(newer)


def _lessons(looked: Look, asked: Questions) -> Lessons:
    """All candidates of the queries of which training knew an answer."""
    candidates, told = looked.candidates, asked.answers()
    inside = np.add.reduceat(looked.own, candidates.offsets[:-1])
    many = looked.mixture.shape[1]
    right = np.isin(candidates.query * many + candidates.item, told.query * many + told.item)
    known = np.bincount(told.query, minlength=len(asked))
    whole = Lessons(looked.table, looked.own, np.diff(candidates.offsets), right, known, inside, asked.row)
    return whole.of((known > 0)[candidates.query])


def _thinned(whole: Lessons, params: TreeParams, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) whether a candidate is kept: the answers, the likeliest wrong ones, some others; none without an answer."""
    query = whole.query
    order = np.lexsort((-whole.own, query))
    rank = np.empty(len(query), np.int64)
    rank[order] = np.arange(len(query)) - np.repeat(np.cumsum(whole.sizes) - whole.sizes, whole.sizes)
    chance = params.random / np.maximum(whole.sizes - params.hard, 1)
    keep = (rank < params.hard) | (rng.random(len(query)) < chance[query]) | whole.right
    return np.asarray(keep & (whole.found > 0)[query])


def _joined(parts: Sequence[Lessons]) -> Lessons:
    """Lessons of several blocks as one."""
    if not parts:
        none, integers = np.zeros(0), np.zeros(0, np.int64)
        return Lessons(np.zeros((0, 0), np.float32), none, integers, np.zeros(0, bool), integers, none, integers)
    return Lessons(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Lessons)))

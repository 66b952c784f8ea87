"""What trees are grown from and calibrated on: a window lived through, its candidates and which of them came true.

The older queries are learned from, thinned to the answer and some wrong candidates; the newer ones are kept whole, to
stop the growth, to calibrate, and to say what each learner adds. Never here: the growth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory.ask import Floats, Ints
from components.memory.replay import Questions
from components.params import RankerParams, TreeParams
from components.predictor import Predictor, Window
from components.ranking.look import Look, Looker
from components.ranking.rehearsal import rehearse, thin

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Lessons:
    """Candidates of Q queries.

    Attributes
    ----------
    table : (n, F) columns
    own : (n,) what the mixture gives each
    sizes : (Q,) candidates of each query; they sum to n
    place : (Q,) the answer among the n, or -1
    inside : (Q,) the mixture's mass on the candidates, before any were left out
    row : (Q,) of the answer in the store
    """

    table: Table
    own: Floats
    sizes: Ints
    place: Ints
    inside: Floats
    row: Ints

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether a candidate is the answer."""
        found = np.zeros(len(self.own), bool)
        found[self.place[self.place >= 0]] = True
        return found

    def of(self, keep: NDArray[np.bool_]) -> Lessons:
        """Only some candidates (n,); queries that have none left are gone."""
        query = np.repeat(np.arange(len(self.sizes)), self.sizes)
        sizes = np.bincount(query[keep], minlength=len(self.sizes))
        moved = np.append(np.cumsum(keep) - 1, -1)
        place = np.where((self.place >= 0) & keep[self.place], moved[self.place], -1)
        left = sizes > 0
        return Lessons(self.table[keep], self.own[keep], sizes[left], place[left], self.inside[left], self.row[left])

    def answered(self) -> Lessons:
        """Only the queries whose answer is a candidate."""
        return self.of(np.repeat(self.place >= 0, self.sizes))


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
    total = sum(len(questions.row) for _, questions in asked)
    share = min(1.0, params.max_queries / max(total, 1))
    edge = total * share * (1 - params.holdout)
    rng = np.random.default_rng(seed)
    older: list[Lessons] = []
    newer: list[Lessons] = []
    done = 0
    for window, every in asked:
        questions = thin(every, int(share * len(every.row)))
        for block, living in rehearse(parts, window, questions):
            rows = questions.row[block]
            looked = looker.look(living, questions.queries[block], items_only=True)
            found = _lessons(looked, np.asarray(window.store["item"][rows]), rows)
            early = np.repeat(np.isin(found.row, rows[: max(0, round(edge) - done)]), found.sizes)
            older.append(found.of(early & _thinned(found, params.trees, rng)))
            newer.append(found.of(~early))
            done += len(rows)
    return _joined(older), _joined(newer)


def _lessons(looked: Look, item: NDArray[np.integer], rows: Ints) -> Lessons:
    """All candidates of the queries whose answer training knew."""
    candidates = looked.candidates
    inside = np.add.reduceat(looked.own, candidates.offsets[:-1])
    whole = Lessons(looked.table, looked.own, np.diff(candidates.offsets), candidates.position(item), inside, rows)
    return whole.of((np.asarray(item) > UNKNOWN)[candidates.query])


def _thinned(whole: Lessons, params: TreeParams, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) whether a candidate is kept: the answers, the likeliest wrong ones, some others; none without the answer."""
    query = np.repeat(np.arange(len(whole.sizes)), whole.sizes)
    order = np.lexsort((-whole.own, query))
    rank = np.empty(len(query), np.int64)
    rank[order] = np.arange(len(query)) - np.repeat(np.cumsum(whole.sizes) - whole.sizes, whole.sizes)
    chance = params.random / np.maximum(whole.sizes - params.hard, 1)
    keep = (rank < params.hard) | (rng.random(len(query)) < chance[query]) | whole.right
    return np.asarray(keep & (whole.place >= 0)[query])


def _joined(parts: Sequence[Lessons]) -> Lessons:
    """Lessons of several blocks as one."""
    if not parts:
        none, integers = np.zeros(0), np.zeros(0, np.int64)
        return Lessons(np.zeros((0, 0), np.float32), none, integers, integers, none, integers)
    start = np.cumsum([0] + [len(part.own) for part in parts])
    place = [np.where(part.place >= 0, part.place + at, -1) for part, at in zip(parts, start, strict=False)]
    return Lessons(
        np.concatenate([part.table for part in parts]),
        np.concatenate([part.own for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        np.concatenate(place),
        np.concatenate([part.inside for part in parts]),
        np.concatenate([part.row for part in parts]),
    )

"""What each learner adds to a ranker: trees grown without its columns, and with its columns alone.

Asked of the newer queries, which no tree was grown on; candidates stay those of all learners, so that what a learner
adds by proposing is not counted. The user's own past, which needs no learner, is left out like one. Never here: the
ranker that is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluation.metrics import item_metric
from components.evaluation.significance import Bootstrap, paired_difference
from components.features.store import Store
from components.memory.ask import Floats, Ints
from components.params import RankerParams
from components.ranking import kernel
from components.ranking.evidence import part_of
from components.ranking.features import MIXTURE, names
from components.ranking.forest import Forest, begun
from components.ranking.gate import Gate
from components.ranking.grow import grow
from components.ranking.lessons import Lessons

#: What the report calls the columns that come from the user's own past.
HISTORY = "own history"
#: Metric, resamples and confidence of what is shown; users are drawn.
METRIC, _DRAWS, _CONFIDENCE = "ndcg@10", 1000, 0.95
_HISTORY_EDGES = (0, 5, 20, 100)


@dataclass(frozen=True)
class Ablation:
    """What trees are grown from and what they are asked.

    Attributes
    ----------
    older, newer : lessons with all columns
    voices : of the columns, in order
    gate : that made the mixture
    params, seed : of the growth
    """

    older: Lessons
    newer: Lessons
    voices: Sequence[str]
    gate: Gate
    params: RankerParams
    seed: int

    def record(self, store: Store, full: Floats) -> dict[str, Any]:
        """What each learner adds, as JSON.

        Parameters
        ----------
        store : that the lessons' rows lie in
        full : (n,) scores of all newer candidates by the ranker itself

        Returns
        -------
        dict
            `metric`, `queries`, `all` (its value with all learners) and `learners`: for each `name`, `without` (its
            value without), `alone`, `adds` (with an interval), and `slices` of `adds`.
        """
        learners = [*dict.fromkeys(part_of(voice) for voice in self.voices), HISTORY]
        whole = _metric(self.newer, full)
        bootstrap = Bootstrap(store.user[self.newer.row], _DRAWS, _CONFIDENCE, self.seed)
        kept = {name: [one for one in learners if one != name] for name in learners}
        values = {tuple(names): self._value(names) for names in [*kept.values(), *([name] for name in learners)]}
        masks = _masks(store, self.newer)
        rows = []
        for name in learners:
            without = values[tuple(kept[name])]
            rows.append(
                {
                    "name": name,
                    "without": float(without.mean()),
                    "alone": float(values[(name,)].mean()),
                    "adds": paired_difference(whole, without, bootstrap).record(),
                    "slices": [
                        {"name": part, "queries": int(mask.sum())}
                        | paired_difference(np.where(mask, whole, np.nan), without, bootstrap).record()
                        for part, mask in masks.items()
                    ],
                }
            )
        return {"metric": METRIC, "queries": len(whole), "all": float(whole.mean()), "learners": rows}

    def _value(self, learners: Sequence[str]) -> Floats:
        """(Q,) metric of trees that know these learners alone."""
        older, columns = self._with(self.older, learners)
        newer, _ = self._with(self.newer, learners)
        text, _ = grow(older, newer, columns, self.params.trees, self.seed)
        return _metric(newer, begun(newer.own) + Forest.read(text, "an ablation").predict(newer.table))

    def _with(self, lessons: Lessons, learners: Sequence[str]) -> tuple[Lessons, list[str]]:
        """The lessons with the columns of some learners, and a mixture of these alone; of none: all alike."""
        every = names(self.voices)
        place = {name: at for at, name in enumerate(every)}
        table = lessons.table.copy()
        known = np.array([part_of(voice) in learners for voice in self.voices])
        mixture = np.ones(len(table))
        if known.any():
            said = [place[f"{voice}/p"] for voice in self.voices]
            described = table[:, len(kernel.HISTORY) : len(kernel.HISTORY) + len(kernel.QUERY)]
            weights = self.gate.of(described) * known
            weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
            mixture = np.einsum("nk,nk->n", weights, table[:, said])
            table[:, place[f"{MIXTURE}/p"]] = mixture
            source, target = (np.array([place[f"{MIXTURE}/{kind}"]]) for kind in ("p", "relative"))
            kernel.relative(table, source, target, np.concatenate([[0], np.cumsum(lessons.sizes)]))
        own = [*kernel.HISTORY, *(f"query/{name}" for name in kernel.QUERY)] if HISTORY in learners else []
        told = [voice for voice, one in zip(self.voices, known, strict=True) if one] + [MIXTURE] * bool(known.any())
        kept = [*own, *(f"{voice}/{kind}" for voice in told for kind in ("p", "relative"))]
        told_table = np.ascontiguousarray(table[:, [place[name] for name in kept]])
        return replace(lessons, table=told_table, own=mixture), kept


def _metric(lessons: Lessons, scores: Floats) -> Floats:
    """(Q,) the metric of each query; an answer that is no candidate is a miss."""
    query = lessons.query
    order = np.lexsort((-scores, query))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(query[order]) != 0) | (np.diff(scores[order]) != 0)
    start = np.flatnonzero(new)
    tied = np.diff(np.append(start, len(order)))
    first = (np.cumsum(lessons.sizes) - lessons.sizes)[query[order][start]]
    rank = np.empty(len(order))
    rank[order] = np.repeat(start - first + 0.5 * (tied + 1), tied)
    offsets = np.concatenate([[0], np.cumsum(lessons.asked)])
    ranks = np.full(offsets[-1], np.inf)
    found = lessons.found
    within = np.arange(int(found.sum())) - np.repeat(np.cumsum(found) - found, found)
    ranks[np.repeat(offsets[:-1], found) + within] = rank[lessons.right]
    return item_metric(METRIC, ranks, offsets)


def _masks(store: Store, lessons: Lessons) -> Mapping[str, NDArray[np.bool_]]:
    """Slices that the answers tell: by length of the history, and whether an item was in it."""
    length: Ints = lessons.row - np.asarray(store.offsets)[store.user[lessons.row]]
    count = names([]).index("count")
    again = lessons.right & (lessons.table[:, count] > 0)
    repeat = np.bincount(lessons.query[again], minlength=len(lessons.sizes)) > 0
    found = {}
    for low, high in zip(_HISTORY_EDGES, (*_HISTORY_EDGES[1:], None), strict=True):
        name = f"history {low} and more" if high is None else f"history {low}–{high - 1}"
        found[name] = (length >= low) & (length < (np.inf if high is None else high))
    return {name: mask for name, mask in (found | {"repeat": repeat, "explore": ~repeat}).items() if mask.any()}

"""The weights of the memory's mixtures, fitted on the tune window as it is lived through.

Never here: counting. Two regimes are fitted side by side, because a counter of hours is worth more when the time
of the answer is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory.actions import PARTS as ACTION_PARTS
from components.memory.ask import Floats
from components.memory.cells import PARTS as CELL_PARTS
from components.memory.gaps import PARTS as GAP_PARTS
from components.memory.mixture import Mixture, Observed, fit_mixture
from components.memory.replay import Asker, Learn, Questions, replay
from components.memory.tables import Tables
from components.params import MemoryParams
from components.predictor import Queries, Window

#: Queries of the tune window that weights are fitted on, evenly spread in time; the few weights of a place need few.
MAX_QUERIES, MAX_PLACE_QUERIES = 20_000, 2_000
#: A counter with less weight than this everywhere is not asked: it would cost more time than it brings.
LEAST = 0.002
PARTS = ("item", "action", "time", "place")


@dataclass(frozen=True)
class Weights:
    """The mixtures of one regime (time of the answer given, or hidden)."""

    item: Mixture
    action: Mixture
    time: Mixture
    place: Mixture

    @classmethod
    def even(cls, counters: int) -> Weights:
        """Equal weights: what nothing is known about."""
        return cls(*(Mixture.even(size) for size in _sizes(counters)))

    def record(self) -> dict[str, object]:
        """The weights as JSON."""
        return {field.name: getattr(self, field.name).record() for field in fields(self)}

    @classmethod
    def read(cls, record: Mapping[str, Any], counters: int, where: str) -> Weights:
        """What `record` gave, checked."""
        sizes = zip(PARTS, _sizes(counters), strict=True)
        return cls(*(Mixture.read(record.get(name, {}), size, where) for name, size in sizes))


def _sizes(counters: int) -> tuple[int, ...]:
    return counters, len(ACTION_PARTS), len(GAP_PARTS), len(CELL_PARTS)


def fit_weights_of(
    tables: Tables, tune: Window, asker: Asker, params: MemoryParams
) -> tuple[dict[bool, Weights], dict[str, float]]:
    """Weights of both regimes, and the mean log-likelihood of items in each; the tables do not change.

    Parameters
    ----------
    tables : what was counted on the training window
    tune : the window to fit on; its events are learned day by day when its history is online
    asker : what the window asks
    params : buckets of history length, EM steps
    """
    edges, steps = params.history_buckets, params.em_steps
    asked = {given: asker(tune, given).thinned(MAX_QUERIES) for given in (True, False)}
    found: dict[bool, Weights] = {}
    value: dict[str, float] = {}
    for given, seen in _replay_items(tables, tune, asked).items():
        mixtures = {name: one.mixture(edges, steps) for name, one in seen.items()}
        mixtures["item"] = mixtures["item"].without_idle(LEAST)
        value["given" if given else "hidden"] = seen["item"].under(mixtures["item"])
        found[given] = Weights(**mixtures, place=Mixture.even(len(CELL_PARTS)))
    if tables.heads is not None and tables.heads.cells is not None:
        found = {
            given: _with_place(tables, tune, asked[given].thinned(MAX_PLACE_QUERIES), weights, edges, steps)
            for given, weights in found.items()
        }
    return found, value


def _learn(tables: Tables, tune: Window) -> Learn | None:
    return (lambda rows: tables.update(tune.store, rows)) if tune.history == "online" else None


def _replay_items(tables: Tables, tune: Window, asked: Mapping[bool, Questions]) -> dict[bool, dict[str, Observed]]:
    """What happened, as items (of a basket each), actions and pauses, under both regimes."""
    tables = tables.copy()
    heads, store, row = tables.heads, tune.store, asked[True].row
    assert heads is not None
    blocks: dict[bool, dict[str, list[Observed]]] = {given: {name: [] for name in PARTS[:3]} for given in asked}
    for block in replay(tune, asked[True], _learn(tables, tune)):
        action = np.asarray(store["action"][row[block]]).astype(np.int64)
        for given, questions in asked.items():
            part = questions[block]
            answer, items = tables.answer(part.queries), part.answers()
            ask, into = answer.ask, blocks[given]
            into["item"].append(Observed(answer.at(items.item, items.query), ask.length[items.query], items.weight))
            of_action = heads.actions.parts(ask)[:, np.arange(ask.size), action].T
            gap_s = np.asarray(store["time_s"][row[block]]) - _last_s(part.queries)
            of_gap = heads.gaps.density(heads.gaps.parts(ask), gap_s)
            for name, at, use in (("action", of_action, action > UNKNOWN), ("time", of_gap, ask.length > 0)):
                into[name].append(Observed.of(at, ask.length, use))
    sizes = dict(zip(PARTS[:3], _sizes(len(tables.counters)), strict=False))
    return {
        given: {name: Observed.joined(sizes[name], found) for name, found in part.items()}
        for given, part in blocks.items()
    }


def _last_s(queries: Queries) -> NDArray[np.int64]:
    """(B,) time of the last visible event; that of another row where there is none."""
    return np.asarray(queries.store["time_s"][np.maximum(queries.stop - 1, 0)]).astype(np.int64)


def _with_place(
    tables: Tables, tune: Window, questions: Questions, weights: Weights, edges: Sequence[int], steps: int
) -> Weights:
    """The same weights with those of the place, which stand on the mixture of items."""
    tables = tables.copy()
    cells = tables.heads.cells if tables.heads is not None else None
    assert cells is not None
    at: list[Floats] = [np.zeros((0, len(CELL_PARTS)))]
    length: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for block in replay(tune, questions, _learn(tables, tune)):
        cell = np.asarray(tune.store[cells.column][questions.row[block]]).astype(np.int64)
        answer = tables.answer(questions.queries[block])
        ask = answer.ask
        parts = cells.parts(ask, answer.mix(weights.item.of(ask.length)))
        at.append(parts[:, np.arange(ask.size), cell].T[cell > UNKNOWN])
        length.append(ask.length[cell > UNKNOWN])
    return replace(weights, place=fit_mixture(np.concatenate(at), np.concatenate(length), edges, steps))

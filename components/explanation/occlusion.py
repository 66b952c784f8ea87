"""What an item's probability would be had an event never happened, or had nothing else: asked in one batch.

Works for every predictor, since all it does is ask. Others' events and the tables that counted this user's stay as
they are: what is taken away is the history that the question shows. What an event is worth is the mean of both: left
out of the whole, one of several like events is not missed; beside none, each of them shows (the first and last terms
of its Shapley value). `benchmarks/reasons.py` measures that this is more faithful than either alone.

References: Zeiler, Fergus (2014), Visualizing and understanding convolutional networks (occlusion); Shapley (1953), A
value for n-person games.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.without import without
from components.predictor import Predictor, Queries

#: Log-probabilities below this count as this: an item that nothing speaks for any more is not infinitely worse.
FLOOR = float(np.log(1e-12))


@dataclass(frozen=True)
class Occlusion:
    """How the log-probability of M items changes when events are left out.

    Attributes
    ----------
    event : (n,) int64 which events were left out one by one: their places in the visible history, oldest first
    effect : (n, M) float64 nats that the log-probability loses without the event; above 0: the event speaks for it
    alone : (n, M) nats that it gains by the event alone, over no history at all
    group : (G,) int64 item codes that the history holds, the most recent last
    group_effect, group_alone : (G, M) likewise of all events of an item
    whole, nothing : (M,) log-probability with the whole history, and without any
    """

    event: NDArray[np.int64]
    effect: NDArray[np.float64]
    alone: NDArray[np.float64]
    group: NDArray[np.int64]
    group_effect: NDArray[np.float64]
    group_alone: NDArray[np.float64]
    whole: NDArray[np.float64]
    nothing: NDArray[np.float64]

    @property
    def worth(self) -> NDArray[np.float64]:
        """(n, M) nats that each event is worth: the mean of what it takes away and what it brings."""
        return 0.5 * (self.effect + self.alone)


def asked_without(query: Queries, keep: NDArray[np.bool_]) -> Queries:
    """One question asked of V variants of its history.

    Parameters
    ----------
    query : one question (B = 1) with n visible events
    keep : (V, n) which events each variant has

    Returns
    -------
    Queries
        V questions. Where the time of the answer is hidden, each is asked at its own last event.
    """
    start, stop = int(query.start[0]), int(query.stop[0])
    store = without(query.store, int(query.user[0]), start, stop, keep)
    count = len(keep)
    first, last = store.offsets[:-1], store.offsets[1:]
    time_s = np.repeat(query.time_s, count)
    if not query.time_given and store.n_events:
        own = np.asarray(store["time_s"])[np.maximum(last - 1, 0)]
        time_s = np.where(last > first, own, time_s)
    return Queries(
        store=store,
        user=np.arange(count, dtype=np.int32),
        start=first.astype(np.int64),
        stop=last.astype(np.int64),
        time_s=time_s.astype(np.int64),
        utc_offset_min=np.repeat(query.utc_offset_min, count),
        latitude=np.repeat(query.latitude, count),
        longitude=np.repeat(query.longitude, count),
        time_given=query.time_given,
    )


def log_probability(predictor: Predictor, queries: Queries, items: NDArray[np.integer]) -> NDArray[np.float64]:
    """(V, M) log-probability of items (M,) in the answers to V questions, at least FLOOR."""
    found = predictor.score(queries).item[:, items].astype(np.float64)
    return np.maximum(found, FLOOR)


def occlude(predictor: Predictor, query: Queries, items: NDArray[np.integer], max_events: int) -> Occlusion:
    """Leave out the newest events one by one, and item by item, and show each alone; the predictor is asked once.

    Parameters
    ----------
    predictor : any
    query : one question (B = 1)
    items : (M,) item codes to be explained
    max_events : how many of the newest events are looked at; older ones stay in every variant

    Returns
    -------
    Occlusion
    """
    start, stop = int(query.start[0]), int(query.stop[0])
    n = stop - start
    event = np.arange(max(n - max_events, 0), n)
    item = np.asarray(query.store["item"][start:stop]).astype(np.int64)
    group = _latest_last(item[event])
    gone = np.zeros((len(event) + len(group), n), bool)
    gone[np.arange(len(event)), event] = True
    gone[len(event) :] = item[None] == group[:, None]
    keep = np.concatenate([~gone, gone, np.ones((1, n), bool), np.zeros((1, n), bool)])
    value = log_probability(predictor, asked_without(query, keep), items)
    whole, nothing = value[-2], value[-1]
    effect, alone = whole - value[: len(gone)], value[len(gone) : -2] - nothing
    k = len(event)
    return Occlusion(event, effect[:k], alone[:k], group, effect[k:], alone[k:], whole, nothing)


def _latest_last(item: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distinct known codes, in the order of their latest events."""
    distinct, newest = np.unique(item[::-1], return_index=True)
    order = np.argsort(-newest, kind="stable")
    return distinct[order][distinct[order] > 1]

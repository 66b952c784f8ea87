"""Neighbours among sessions: how sessions went on that began like this one.

The asking session weighs its items by decay^steps × idf; it meets the newest `sample` sessions of each of its items
(an inverted index), similarity(s, n) = Σ shared weights / √|n| × 2^(-age / half_life_days), and the weight of an
item is the sum of the k largest similarities of sessions that hold it. The newest session of the asking user is not
among the neighbours, as it may be the one that is asked about.

References: Jannach and Ludewig, RecSys 2017; Ludewig and Jannach, UMUAI 2018 (V-SKNN); Kersbergen et al., SIGMOD
2022 (the index with a bound per item).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from components.baselines.items import ItemBaseline, ItemOptions
from components.baselines.people import People
from components.baselines.sessions import Sessions
from components.baselines.sparse import (
    histories,
    read_sparse,
    row_of,
    sparse_state,
    steps_back,
    top_rows,
    without,
)
from components.memory.ask import DAY_S, Ask, Events, Floats
from components.memory.counter import checked
from components.predictor import Window


class SessionKnnOptions(ItemOptions):
    """Options of the method.

    Attributes
    ----------
    unit : session: as `features.session_gap_s` cuts them; user: all of a user's events are one
    neighbours : k
    sample : newest sessions of an item that are looked at
    decay : weight of an event of the asking session per step back
    half_life_days : of a neighbour's age; no meaning where times are an order only
    """

    unit: Literal["session", "user"]
    neighbours: int = Field(ge=1)
    sample: int = Field(ge=1)
    decay: float = Field(gt=0, le=1)
    half_life_days: float = Field(gt=0)


class SessionKnn(ItemBaseline[SessionKnnOptions]):
    """See the module."""

    kind = "session_knn"
    options_type = SessionKnnOptions

    def begin(self, train: Window, tune: Window) -> None:
        self.people = People(np.empty(0, np.int64))
        self.sessions = Sessions.none(self.n_items)
        self._index: tuple[csr_array, Floats] | None = None

    def learn(self, events: Events) -> None:
        person = self.people.meet(events.store, events.store.user[events.rows])
        self.sessions = self.sessions.with_events(events, person, len(self.people), self.options.unit == "user")
        self._index = None

    @property
    def index(self) -> tuple[csr_array, Floats]:
        """(V, S) each item's newest sessions, weighed 1 / √items of the session; (V,) idf."""
        if self._index is None:
            held = self.sessions.items  # (S, V)
            session, item = row_of(held), held.indices
            order = np.lexsort((session, -self.sessions.end_s[session], item))
            session, item = session[order], item[order]
            keep = np.arange(len(item)) - np.searchsorted(item, item) < self.options.sample
            session, item = session[keep], item[keep]
            weight = 1.0 / np.sqrt(np.diff(held.indptr)[session])
            sessions = np.bincount(held.indices, minlength=self.n_items)
            idf = np.log1p(held.shape[0] / np.maximum(sessions, 1))
            self._index = csr_array((weight, (item, session)), shape=(self.n_items, held.shape[0])), idf
        return self._index

    def weigh(self, ask: Ask) -> NDArray[np.float32]:
        index, idf = self.index
        weight = np.power(self.options.decay, steps_back(ask)) * idf[ask.item_code]
        if self.options.unit == "session":
            weight = np.where(_in_last_session(ask), weight, 0.0)
        near = csr_array(histories(ask, weight, self.n_items) @ index)  # (B, S)
        if self.timed:
            age_s = np.maximum(ask.queries.time_s[row_of(near)] - self.sessions.end_s[near.indices], 0.0)
            near.data = near.data * np.exp2(-age_s / (self.options.half_life_days * DAY_S))
        own = self.people.find(ask.queries.store, ask.queries.user)
        newest = np.where(own >= 0, self.sessions.newest[np.maximum(own, 0)], -1)
        near = top_rows(without(near, newest), self.options.neighbours)
        return np.asarray((near @ self.sessions.items).toarray(), np.float32)

    def state(self) -> dict[str, NDArray]:
        sessions = self.sessions
        arrays = {"people": self.people.keys(), "end_s": sessions.end_s, "newest": sessions.newest}
        return {**super().state(), **arrays, **sparse_state("items", sessions.items)}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        self.people = People(arrays["people"].astype(np.int64))
        items = read_sparse(arrays, "items", self.n_items, where)
        end_s = checked(arrays["end_s"], (items.shape[0],), where)
        newest = checked(arrays["newest"], (len(self.people),), where).astype(np.int64)
        self.sessions = Sessions(items, end_s, newest)
        self._index = None


def _in_last_session(ask: Ask) -> NDArray[np.bool_]:
    """(m,) whether a known event is of its query's newest session."""
    session = ask.column("session")
    current = np.full(ask.size, -1, session.dtype)
    current[ask.query] = session  # of equal indices the last is kept: the newest
    return np.asarray((session == current[ask.query])[ask.known])

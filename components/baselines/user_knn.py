"""Neighbours among users: what those do who did the like.

similarity(u, n) = u·n / (|u| |n| + shrinkage) of the users' counts by item; the weight of an item is the sum over
the k nearest of similarity × count(n, v) / |n|. The asking user is not among the neighbours.

References: Herlocker et al., SIGIR 1999; Ferrari Dacrema et al., RecSys 2019 (UserKNN CF).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from components.baselines.items import ItemBaseline, ItemOptions
from components.baselines.people import People
from components.baselines.sparse import (
    histories,
    read_sparse,
    row_norms,
    row_of,
    scaled_rows,
    sparse_state,
    steps_back,
    top_rows,
    without,
)
from components.memory.ask import Ask, Events
from components.predictor import Window


class UserKnnOptions(ItemOptions):
    """neighbours: k; shrinkage: added to the product of norms; decay: weight of an event per step back."""

    neighbours: int = Field(ge=1)
    shrinkage: float = Field(ge=0)
    decay: float = Field(gt=0, le=1)


class UserKnn(ItemBaseline[UserKnnOptions]):
    """See the module."""

    kind = "user_knn"
    options_type = UserKnnOptions

    def begin(self, train: Window, tune: Window) -> None:
        self.people = People(np.empty(0, np.int64))
        self.counts = csr_array((0, self.n_items))  # (P, V)

    def learn(self, events: Events) -> None:
        known = events.known
        row = self.people.meet(events.store, events.store.user[events.rows[known]])
        self.counts.resize((len(self.people), self.n_items))
        new = csr_array((np.ones(len(row)), (row, events.item[known])), shape=self.counts.shape)
        self.counts = csr_array(self.counts + new)

    def weigh(self, ask: Ask) -> NDArray[np.float32]:
        asking = histories(ask, np.power(self.options.decay, steps_back(ask)), self.n_items)
        norm = row_norms(self.counts)
        near = csr_array(asking @ self.counts.T)  # (B, P)
        scale = row_norms(asking)[row_of(near)] * norm[near.indices] + self.options.shrinkage
        near = csr_array((near.data / scale, near.indices, near.indptr), shape=near.shape)
        near = top_rows(without(near, self.people.find(ask.queries.store, ask.queries.user)), self.options.neighbours)
        return np.asarray((near @ scaled_rows(self.counts, 1.0 / np.maximum(norm, 1e-12))).toarray(), np.float32)

    def state(self) -> dict[str, NDArray]:
        return {**super().state(), "people": self.people.keys(), **sparse_state("counts", self.counts)}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        self.people = People(arrays["people"].astype(np.int64))
        self.counts = read_sparse(arrays, "counts", self.n_items, where)

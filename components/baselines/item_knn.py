"""Neighbours among items: what the same users met.

similarity(v, w) = users(v, w) / (√(users(v) users(w)) + shrinkage), the k nearest of each item kept; the weight of
an item is Σ decay^steps × similarity over the history. Counts move with every event: of a user's items only the
new pairs are added.

References: Sarwar et al., WWW 2001; Deshpande and Karypis, TOIS 2004.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from components.baselines.items import ItemBaseline, ItemOptions
from components.baselines.people import People
from components.baselines.sparse import histories, read_sparse, row_of, sparse_state, steps_back, top_rows
from components.memory.ask import Ask, Events, Ints
from components.predictor import Window


class ItemKnnOptions(ItemOptions):
    """neighbours: k; shrinkage: added to the norm; decay: weight of an event per step back; max_items: a user's items
    after so many distinct ones are not paired."""

    neighbours: int = Field(ge=1)
    shrinkage: float = Field(ge=0)
    decay: float = Field(gt=0, le=1)
    max_items: int = Field(ge=1)


class ItemKnn(ItemBaseline[ItemKnnOptions]):
    """See the module."""

    kind = "item_knn"
    options_type = ItemKnnOptions

    def begin(self, train: Window, tune: Window) -> None:
        self.people = People(np.empty(0, np.int64))
        self.met = csr_array((0, self.n_items))  # (P, V) 1 where the user met the item
        self.pairs = csr_array((self.n_items, self.n_items))  # users that met both; the diagonal: users of an item
        self._near: csr_array | None = None

    def learn(self, events: Events) -> None:
        person = self.people.meet(events.store, events.store.user[events.rows[events.known]])
        self.met.resize((len(self.people), self.n_items))
        person, item = self._new(person, events.item[events.known])
        new = csr_array((np.ones(len(person)), (person, item)), shape=self.met.shape)
        who = np.unique(person)
        before, now = self.met[who], new[who]
        across = csr_array(now.T @ before)
        self.pairs = csr_array(self.pairs + across + across.T + now.T @ now)
        self.met = csr_array(self.met + new)
        self._near = None

    def _new(self, person: Ints, item: Ints) -> tuple[Ints, Ints]:
        """The distinct (person, item) that were not met before, at most `max_items` a person, earliest first."""
        key, first = np.unique(person * self.n_items + item, return_index=True)
        old = row_of(self.met) * self.n_items + self.met.indices
        key, first = key[fresh := ~np.isin(key, old)], first[fresh]
        order = np.lexsort((first, key // self.n_items))
        person, item = key[order] // self.n_items, key[order] % self.n_items
        place = np.arange(len(person)) - np.searchsorted(person, person) + np.diff(self.met.indptr)[person]
        keep = place < self.options.max_items
        return person[keep], item[keep]

    @property
    def near(self) -> csr_array:
        """(V, V) similarities to the nearest items."""
        if self._near is None:
            users = self.pairs.diagonal()
            row, column = row_of(self.pairs), self.pairs.indices
            value = self.pairs.data / (np.sqrt(users[row] * users[column]) + self.options.shrinkage)
            value = np.where(row == column, 0.0, value)
            found = csr_array((value, column, self.pairs.indptr), shape=self.pairs.shape)
            self._near = top_rows(found, self.options.neighbours)
        return self._near

    def weigh(self, ask: Ask) -> NDArray[np.float32]:
        asking = histories(ask, np.power(self.options.decay, steps_back(ask)), self.n_items)
        return np.asarray((asking @ self.near).toarray(), np.float32)

    def state(self) -> dict[str, NDArray]:
        return {**super().state(), "people": self.people.keys(), **sparse_state("met", self.met)}

    def restore(self, arrays: Mapping[str, NDArray], where: str) -> None:
        super().restore(arrays, where)
        self.people = People(arrays["people"].astype(np.int64))
        self.met = read_sparse(arrays, "met", self.n_items, where)
        self.pairs = csr_array(self.met.T @ self.met)
        self._near = None

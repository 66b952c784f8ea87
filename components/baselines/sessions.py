"""Sessions of everybody as they grow: which items each holds, and when it ended.

An event goes on with its user's newest session unless the store says that it begins one; session numbers of a store
are not kept, as a live request counts them from its own first event. Never here: similarity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from components.memory.ask import Events, Floats, Ints


@dataclass(frozen=True)
class Sessions:
    """S sessions of P people.

    Attributes
    ----------
    items : (S, V) 1 where the session holds the item
    end_s : (S,) time of the newest event
    newest : (P,) each person's newest session, -1 = none
    """

    items: csr_array
    end_s: Floats
    newest: Ints

    @classmethod
    def none(cls, n_items: int) -> Self:
        """No session yet."""
        return cls(csr_array((0, n_items)), np.empty(0), np.empty(0, np.int64))

    def with_events(self, events: Events, person: Ints, n_people: int, whole: bool) -> Sessions:
        """These sessions and n more events.

        Parameters
        ----------
        events : of any order
        person : (n,) who did each
        n_people : P, those who are new included
        whole : a user has but one session
        """
        order = np.argsort(events.rows)  # by user, then time
        rows, person, store = events.rows[order], person[order], events.store
        newest = np.concatenate([self.newest, np.full(n_people - len(self.newest), -1, np.int64)])
        number = np.asarray(store["session"])
        before = np.maximum(rows - 1, 0)
        begins = (rows == before) | (store.user[rows] != store.user[before]) | (number[rows] != number[before])
        head = np.diff(person, prepend=-1) != 0  # the first of its person here
        opens = (newest[person] < 0) & head if whole else begins | ((newest[person] < 0) & head)
        made = len(self.end_s) + np.cumsum(opens) - 1  # (n,) number of the last session that was opened
        since = np.maximum.accumulate(np.where(head, np.arange(len(rows)), 0))
        opened = np.cumsum(opens) - (np.cumsum(opens) - opens)[since]  # by this person, here
        session = np.where(opened > 0, made, newest[person])
        newest[person] = session  # of equal indices the last is kept: the newest
        count = len(self.end_s) + int(opens.sum())
        end_s = np.concatenate([self.end_s, np.full(count - len(self.end_s), -np.inf)])
        np.maximum.at(end_s, session, np.asarray(store["time_s"])[rows].astype(np.float64))
        known, items = events.known[order], self.items.copy()
        items.resize((count, self.items.shape[1]))
        new = csr_array((np.ones(int(known.sum())), (session[known], events.item[order][known])), shape=items.shape)
        items = csr_array(items + new)
        items.data = np.ones(len(items.data))
        return Sessions(items, end_s, newest)

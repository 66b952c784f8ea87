"""A window lived through again: its queries in time order, each answered from what was known at that moment.

The judge asks a day's queries and then updates with the day's events; a mixture that is to be judged so must be
fitted so. Never here: what is done with the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.features.encoding import UNKNOWN
from components.memory.ask import DAY_S
from components.predictor import Queries, Window

Learn = Callable[[NDArray[np.int64]], None]


@dataclass(frozen=True)
class Questions:
    """Q queries of a window in time order, and what answers them: one item each, or the items of a basket.

    Attributes
    ----------
    queries : what is asked, without the answers
    row : (Q,) int64 row of each (first) answer in the window's store
    item : (T,) item codes of the answers, those of one question distinct
    offsets : (Q+1,) int64; question q is answered by item[offsets[q]:offsets[q+1]]
    """

    queries: Queries
    row: NDArray[np.int64]
    item: NDArray[np.integer]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, part: slice | NDArray[np.integer]) -> Questions:
        """The questions of a slice or of an index array."""
        size = np.diff(self.offsets)[part]
        offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        shift = np.repeat(self.offsets[:-1][part] - offsets[:-1], size)
        return Questions(self.queries[part], self.row[part], self.item[np.arange(offsets[-1]) + shift], offsets)

    def thinned(self, most: int) -> Questions:
        """At most `most` of the questions, evenly spread."""
        if len(self) <= most:
            return self
        return self[np.linspace(0, len(self) - 1, most).astype(np.int64)]

    def answers(self) -> Answers:
        """The items that training knew."""
        query = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        known = self.item > UNKNOWN
        query, item = query[known], self.item[known].astype(np.int64)
        size = np.bincount(query, minlength=len(self))
        return Answers(query, item, 1.0 / size[query])


@dataclass(frozen=True)
class Answers:
    """The n items that answer some questions.

    Attributes
    ----------
    query : (n,) int64 which question, ascending
    item : (n,) int64 codes of known items
    weight : (n,) float64 by which each counts: those of one question sum to 1, however many there are
    """

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    weight: NDArray[np.float64]


#: Turns a window into its questions, with the time of the answers given or not.
Asker = Callable[[Window, bool], Questions]


def ask_online(window: Window, time_given: bool) -> Questions:
    """Every target of the window, asked of everything that precedes it.

    Parameters
    ----------
    window : with history "online"; other rules of visibility need an asker of their own
    time_given : whether the request time is the answer's; else that of the last visible event, or the beginning
        of the window where there is none
    """
    store, row = window.store, window.targets
    user = store.user[row]
    start = np.asarray(store.offsets)[user]
    own = np.asarray(store["time_s"])[row]
    offset = np.asarray(store["utc_offset_min"])[row]
    if not time_given:
        seen, last = row > start, np.maximum(row - 1, 0)
        begin = int(np.asarray(store["time_s"])[window.events[0]]) if len(row) else 0
        own = np.where(seen, np.asarray(store["time_s"])[last], begin)
        offset = np.where(seen, np.asarray(store["utc_offset_min"])[last], 0).astype(np.int16)
    nowhere = np.full(len(row), np.nan, np.float32)
    queries = Queries(store, user, start, row, own, offset, nowhere, nowhere.copy(), time_given)
    return Questions(queries, row, np.asarray(store["item"])[row], np.arange(len(row) + 1, dtype=np.int64))


def replay(window: Window, questions: Questions, learn: Learn | None, block: int = 256) -> Iterator[slice]:
    """Blocks of the questions, day by day (UTC); after each day, `learn` gets the rows of its events.

    Parameters
    ----------
    window : whose events are learned
    questions : in time order
    learn : called with the rows of each day's events once the day's questions are done; None: nothing is learned
    block : most queries at a time

    Yields
    ------
    slice of the questions
    """
    store = window.store
    time_s = np.asarray(store["time_s"])
    events = window.events
    asked = np.maximum.accumulate(time_s[questions.row] // DAY_S) if len(questions.row) else np.zeros(0, np.int64)
    lived = time_s[events] // DAY_S
    for day in np.union1d(asked, lived):
        first, last = np.searchsorted(asked, [day, day + 1])
        for start in range(int(first), int(last), block):
            yield slice(start, min(start + block, int(last)))
        if learn is not None:
            low, high = np.searchsorted(lived, [day, day + 1])
            if high > low:
                learn(events[low:high])

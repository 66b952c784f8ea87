"""A window lived through again: its queries in time order, each answered from what was known at that moment.

The judge asks a day's queries and then updates with the day's events; a mixture that is to be judged so must be
fitted so. Never here: what is done with the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.memory.ask import DAY_S
from components.predictor import Queries, Window

Learn = Callable[[NDArray[np.int64]], None]


@dataclass(frozen=True)
class Questions:
    """Q queries of a window in time order, and the rows of the window's store that answer them.

    Attributes
    ----------
    queries : what is asked, without the answers
    row : (Q,) int64 row of each answer
    """

    queries: Queries
    row: NDArray[np.int64]


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
    return Questions(Queries(store, user, start, row, own, offset, nowhere, nowhere.copy(), time_given), row)


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

"""A log whose order says nothing: the twin that an encoder has to beat before it may be said to read histories.

Within each user's training events everything but the clock changes places, by one permutation a user. What each user
did, how often, and when something was done stay as they were; what followed what is gone. Nothing outside the training
window is touched, and nothing is computed anew: vocabularies, scales and the catalogue are the log's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from components.features.store import WINDOWS, Store

#: Columns that say when, not what; they stay where they are, and so do the windows.
CLOCK = frozenset(
    {
        "time_s",
        "utc_offset_min",
        "local_hour",
        "local_weekday",
        "holiday",
        "gap_s",
        "session",
        "window",
        "target",
    }
)


def shuffled(store: Store, seed: int) -> Store:
    """The twin of a store.

    Parameters
    ----------
    store : the log as it was
    seed : of the permutations

    Returns
    -------
    Store
        With the same users, times, windows and encoding. Numbers that are of the clock (`gap_s`) stay; a distance or
        a speed moves with its event, as measured where it truly was.
    """
    rows = np.flatnonzero(np.asarray(store["window"]) == WINDOWS["train"])
    draw = np.random.default_rng(seed).random(len(rows))
    source = np.arange(store.n_events)
    source[rows] = rows[np.lexsort((draw, store.user[rows]))]  # rows are in the order of users, so users keep theirs
    columns = {name: column if name in CLOCK else np.asarray(column)[source] for name, column in store.columns.items()}
    stays = np.array([name in CLOCK for name in store.encoding.scales], bool)
    bits = np.sum(1 << np.flatnonzero(stays)).astype(np.uint16)
    numbers, missing = np.asarray(store.numbers), np.asarray(store.missing)
    return replace(
        store,
        columns=columns,
        numbers=np.where(stays, numbers, numbers[source]),
        missing=(missing & bits) | (missing[source] & ~bits),
    )

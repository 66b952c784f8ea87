"""The visible events of a block of questions, side by side: what rules know of users."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.predictor import Queries


def history_rows(queries: Queries) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and row of every visible event, by query, oldest first."""
    if len(queries) == 1:
        row = np.arange(queries.start[0], queries.stop[0])
        return np.zeros(len(row), np.int64), row
    length = (queries.stop - queries.start).astype(np.int64)
    query = np.repeat(np.arange(len(queries)), length)
    begin = np.cumsum(length) - length
    return query, np.arange(int(length.sum())) + np.repeat(queries.start - begin, length)

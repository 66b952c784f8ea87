"""Where a user stands in their own life with us: new, active, or returning after a pause that is long for them.

A rhythm is the user's own: the median of the pauses between their sessions. Nothing is compared with other users.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from components.params import Segment, SegmentParams
from components.predictor import Queries
from components.ranking.rules.history import history_rows

#: Segments by code.
SEGMENTS: tuple[Segment, ...] = get_args(Segment)
NEW, ACTIVE, RETURNING = range(3)
_PAUSES = 2  # of the past that make a rhythm


def segments(queries: Queries, now_s: NDArray[np.int64], params: SegmentParams) -> NDArray[np.int8]:
    """(B,) segment code of each question.

    Parameters
    ----------
    queries : B questions
    now_s : (B,) UTC seconds of the request (where the time of the answer is hidden: of the last visible event)
    params : how many events make somebody known, and which multiple of the own median pause is a long one

    Returns
    -------
    (B,) int8
        RETURNING where the silence until now, or the pause that opened the session that still goes on, is longer than
        `returning_after` times the median of the earlier pauses; needs two of them, and a log with a clock.
    """
    length = queries.stop - queries.start
    found = np.where(length < params.new_below, NEW, ACTIVE).astype(np.int8)
    if queries.store.encoding.settings["time_kind"] == "ordinal" or not length.any():
        return found
    store, size = queries.store, len(queries)
    query, row = history_rows(queries)
    time_s, session = np.asarray(store["time_s"])[row], np.asarray(store["session"])[row]
    opens = np.zeros(len(row), bool)
    opens[1:] = (query[1:] == query[:-1]) & (session[1:] != session[:-1])
    at = np.flatnonzero(opens)
    pause, of = time_s[at] - time_s[at - 1], query[at]
    last_s = np.full(size, -1, np.int64)
    last_s[query] = time_s  # of equal indices the last is kept: the newest
    newest = np.zeros(size, np.int64)
    newest[of] = pause
    silence = np.where(last_s >= 0, np.maximum(now_s - last_s, 0), 0)
    goes_on = silence <= int(store.encoding.settings["session_gap_s"])  # type: ignore[call-overload]
    # The pause that opened the present session is what is compared, so it is no part of the rhythm.
    is_newest = np.ones(len(of), bool)
    is_newest[:-1] = of[1:] != of[:-1]
    past = ~(is_newest & goes_on[of])
    rhythm = _median(pause[past], of[past], size)
    return np.where(
        (found == ACTIVE) & (np.where(goes_on, newest, silence) > params.returning_after * rhythm), RETURNING, found
    ).astype(np.int8)


def _median(pause: NDArray[np.int64], of: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """(B,) lower median of each query's pauses; infinite where there are too few."""
    count = np.bincount(of, minlength=size)
    ordered = pause[np.lexsort((pause, of))]
    begin = np.cumsum(count) - count
    enough = count >= _PAUSES
    middle = np.full(size, np.inf)
    middle[enough] = ordered[begin[enough] + (count[enough] - 1) // 2]
    return middle

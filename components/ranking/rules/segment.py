"""Where a user stands in their own life with us: new, active, or returning after a pause that is long for them.

A rhythm is the user's own: the median of the pauses between their sessions. Nothing is compared with other users.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from components.compiled import compiled
from components.params import Segment, SegmentParams
from components.predictor import Queries

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
    ordinal = queries.store.encoding.settings["time_kind"] == "ordinal"
    gap_s = 0 if ordinal else int(queries.store.encoding.settings["session_gap_s"])  # type: ignore[call-overload]
    time_s, session = np.asarray(queries.store["time_s"]), np.asarray(queries.store["session"])
    found = np.empty(len(queries), np.int8)
    for b, (start, stop) in enumerate(zip(queries.start.tolist(), queries.stop.tolist(), strict=True)):
        if stop - start < params.new_below:
            found[b] = NEW
        elif ordinal or _short(
            time_s[start:stop].astype(np.int64), session[start:stop].astype(np.int64),  # one type: it is compiled once
            int(now_s[b]), gap_s, params.returning_after,
        ):  # fmt: skip
            found[b] = ACTIVE
        else:
            found[b] = RETURNING
    return found


@compiled
def _short(
    time_s: NDArray[np.integer], session: NDArray[np.integer], now_s: int, gap_s: int, returning_after: float
) -> bool:
    """Whether the pause that counts is no long one for a user with these events (n,), or their rhythm is not known."""
    pause = np.empty(len(time_s), np.int64)
    count = 0
    for e in range(1, len(time_s)):
        if session[e] != session[e - 1]:
            pause[count] = time_s[e] - time_s[e - 1]
            count += 1
    if count == 0:
        return True
    silence = max(now_s - time_s[-1], 0)
    newest = pause[count - 1]
    if silence <= gap_s:  # what opened the session that goes on is compared, so it is no part of the rhythm
        count, silence = count - 1, newest
    if count < _PAUSES:
        return True
    return bool(silence <= returning_after * np.sort(pause[:count])[(count - 1) // 2])  # the lower median

"""Whether the service can answer, and what of it is not as it should be: what `/readyz` tells.

    not ready → it is about to end, or every question fails: the last ones of people, and now those that are tried
    degraded  → it answers, and something beside that is wrong

Questions are tried only where people's failed one after the other, at most once a second, so that who asks for
readiness costs nothing while all is well; and a question that fails by itself takes no service away from others. Told
are fixed words: whoever may read more asks `GET /v1/model`. Never here: whether the process lives.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from itertools import islice

from components.serving.champion import Champion
from components.serving.live import Live
from components.serving.question import plain

FAILURES = 5  # of people's questions, one after the other, with which questions are tried
_TRIED = 3  # users of the artifact whose questions are tried
_AGAIN_S = 1.0


class Readiness:
    """Of one worker.

    Parameters
    ----------
    live : what answers
    clock : seconds, of a clock that never goes back
    """

    def __init__(self, live: Live, clock: Callable[[], float] = time.monotonic) -> None:
        self._live, self._clock = live, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._tried: tuple[float, Champion, bool] | None = None  # when, which champion, whether one was answered

    def answered(self) -> None:
        """A question of somebody's was answered."""
        self._failures = 0

    def failed(self) -> None:
        """One failed, by no fault of who asked."""
        self._failures += 1

    @property
    def suspect(self) -> bool:
        """Whether so many failed in a row that questions are to be tried."""
        return self._failures >= FAILURES

    def able(self) -> bool:
        """Whether any of a few questions is answered; may wait for the live state, but not for who tries already."""
        if self._lock.acquire(blocking=False):
            try:
                self._try()
            finally:
                self._lock.release()
        return self._tried is None or self._tried[2]

    def _try(self) -> None:
        champion, now = self._live.champion, self._clock()
        if self._tried is None or now - self._tried[0] >= _AGAIN_S or self._tried[1] is not champion:
            users: list[str | None] = [*islice(champion.row_of, _TRIED)] or [None]
            answered = any(self._answers(user) for user in users)
            self._tried = self._clock(), champion, answered  # the time after it: trying may take more than a second

    def _answers(self, user: str | None) -> bool:
        question = plain(user, dt.datetime.now(dt.UTC), 10, shown=False)
        try:
            self._live.answer(question, self._live.params.policy)
        except Exception:  # noqa: BLE001 - whatever a model throws: it was told when people asked
            return False
        return True

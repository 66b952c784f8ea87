"""Work that a thread does again and again: whatever it throws is told, and the next round comes all the same.

    every → a thread that works every so many seconds until it is told to stop
    Tries → when what could not be done is tried again: soon, then more seldom; never where it is wrong in itself

Never here: what is done.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from components.errors import ChronotopeError, IntegrityError, PromotionError

logger = logging.getLogger(__name__)
#: Errors that another try meets again: the bytes or the log are wrong, not the moment.
FOR_GOOD = (IntegrityError, PromotionError)
_MOST_ROUNDS = 64


def plainly(error: BaseException) -> str:
    """An error for a log: ours as it says itself, a file's as the system says it, of any other its kind and place.

    The message of an error that nobody foresaw may hold what a user did, or who they are.
    """
    if isinstance(error, ChronotopeError | OSError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "")


def every(seconds: float, stop: threading.Event, work: Callable[[], object], name: str) -> threading.Thread:
    """Do something every so many seconds in a thread until `stop` is set.

    Parameters
    ----------
    seconds : between the end of a round and the next
    stop : ends it
    work : one round; what it throws is logged once, until it changes
    name : of the thread

    Returns
    -------
    threading.Thread
        Started, a daemon.
    """

    def run() -> None:
        said = ""
        while not stop.wait(seconds):
            try:
                work()
                now = ""
            except Exception as error:  # noqa: BLE001 - the edge of a thread: it goes on
                now = plainly(error)
            if now != said:
                said = now
                logger.error("%s cannot be done just now: %s", name, now) if now else logger.info("%s goes on", name)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


class Tries:
    """Tries of something that has a number; a new number begins afresh."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._failures = self._rounds = 0
        self._for_good = False

    def due(self, number: int) -> bool:
        """Whether it is to be tried in this round; asked once a round."""
        if number != self._number:
            return True
        self._rounds -= 1
        return not self._for_good and self._rounds < 0

    def failed(self, number: int, for_good: bool) -> None:
        """It could not be done: the next round tries again, then every other, every fourth, … every 64th."""
        self._failures = self._failures + 1 if number == self._number else 1
        self._number, self._for_good = number, for_good
        self._rounds = min(2 ** (self._failures - 1), _MOST_ROUNDS) - 1

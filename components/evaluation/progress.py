"""How far a judgement is, told to people every few seconds. Never part of a result."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY_S = 5.0


def spoken(say: Callable[[str], None], label: str) -> Callable[[int, int], None]:
    """A `progress` for `judge` that says "label: 2,048 of 4,000 questions" now and then, and at the end.

    Parameters
    ----------
    say : takes a line
    label : who is judged, and where
    """
    last = [time.monotonic()]

    def tell(done: int, total: int) -> None:
        if time.monotonic() - last[0] > _EVERY_S or done == total:
            last[0] = time.monotonic()
            say(f"{label}: {done:,} of {total:,} questions")

    return tell

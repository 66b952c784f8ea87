"""What is loaded is taken out of the garbage collector's sight: no answer waits while it is searched for cycles.

A full collection visits every object of torch, polars and the champion, half a million: 0.2 to 0.6 s in which nobody is
answered. What requests make is still collected. And a thread that loads the next champion gives way every half of a
millisecond instead of every five: an answer asks for its turn some thirty times.

Called by who follows the promotion log, never by a library's user.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TURN_S = 0.0005


def settle(first: bool) -> None:
    """Take everything that lives now out of sight.

    Parameters
    ----------
    first : nobody is answered yet, so garbage is collected before; later a collection would stop answers, and what is
        no longer held goes at once without it, but for cycles
    """
    if first:
        sys.setswitchinterval(_TURN_S)
        gc.collect()
    gc.freeze()


@contextmanager
def beside_others() -> Iterator[None]:
    """Work that nobody waits for, followed by a rest as long as it took: others have the interpreter meanwhile."""
    begun = time.perf_counter()
    yield
    time.sleep(time.perf_counter() - begun)

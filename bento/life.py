"""How a serving process ends: what follows the stream is let go at once, what was asked is answered.

Servers wait for their last answer before they close, and the stream of the page has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from bento.worker import Worker

#: Among the extensions of a request's scope: ends its connection at once, whatever waits to be sent.
ABORT = "chronotope.abort"


def close_streams_on_signal(worker: Worker) -> None:
    """End what never ends by itself when the server is told to stop: it waits for its last answer before it closes."""
    loop = asyncio.get_running_loop()

    def wrapped(number: signal.Signals) -> None:
        before = signal.getsignal(number)

        def ending(signum: int, frame: Any) -> None:
            loop.call_soon_threadsafe(worker.closing.set)
            if callable(before):
                before(signum, frame)

        signal.signal(number, ending)

    with contextlib.suppress(ValueError):  # not the main thread: whoever runs the server there ends it otherwise
        for number in (signal.SIGTERM, signal.SIGINT):
            wrapped(number)

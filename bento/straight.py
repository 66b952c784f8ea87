"""The shortest way through BentoML: requests go past its middlewares, and the collector has nothing old to look at.

What BentoML 1.4 puts around every request costs as much as a prediction: counters, a trace that nobody exports, and a
timer (`TimeoutMiddleware`) that is never cancelled, so that each request stays in memory until its timeout has passed.
What so survives makes Python look for garbage among all objects of torch, polars and BentoML (half a million), which
stops the process for 100–600 ms: these are the stalls that were measured at one client. Packaging, workers and
supervision stay BentoML's. Knows nothing of routes and models.
"""

from __future__ import annotations

import gc
from typing import Any

from _bentoml_sdk.service import Service
from starlette.types import ASGIApp, Receive, Scope, Send


class Straight(Service[Any]):
    """A BentoML service whose requests are answered by an app of its own.

    Use it as `@bentoml.service(service_class=Straight, …)`, and set `front` on the class that it gives.

    Attributes
    ----------
    front : answers HTTP requests; None: BentoML does
    """

    front: ASGIApp | None = None

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The app that a worker serves; the life of the server stays BentoML's."""
        inner: ASGIApp = super().to_asgi(is_main)

        async def straight(scope: Scope, receive: Receive, send: Send) -> None:
            front = type(self).front
            await (inner if front is None or scope["type"] != "http" else front)(scope, receive, send)

        return straight


def settle() -> None:
    """Take what is loaded now out of the collector's sight: a full collection then looks at what requests made.

    To be called when a champion is loaded and warm, at start-up and after each swap. Objects that nobody holds are
    still let go at once; only cycles among what was loaded would stay.
    """
    gc.freeze()

"""`bentoml serve bento.service:Chronotope`: the champion of a workspace behind HTTP.

The workspace is CHRONOTOPE_WORKSPACE, else the one that was packed beside this package, else the current folder.
The routes are those of `bento/app.py`, in front of BentoML's own, which would add a page that loads scripts from other
hosts and a trace to every request; BentoML gives packaging, workers and supervision. The worker is ready only after the
champion is verified, loaded and warm.
"""

from __future__ import annotations

import os
from typing import Any

import bentoml
import uvicorn
from _bentoml_sdk import Service
from starlette.types import Receive, Scope, Send

from bento.app import App
from bento.guard.keys import from_environment
from bento.life import close_streams_on_signal
from bento.slow import Protocol
from bento.surroundings import find_workspace, one_thread
from bento.worker import open_worker
from components.params import load_params

ROOT = find_workspace()
PARAMS = load_params(ROOT / "params.yaml")
APP = App(PARAMS, from_environment())
Protocol.header_s = PARAMS.guard.header_s
uvicorn.config.HTTP_PROTOCOLS["auto"] = "bento.slow:Protocol"  # BentoML's worker leaves uvicorn no other choice


class Front:
    """Answers every request; the life of the server goes on to BentoML, which makes and unmakes the service with it."""

    def __init__(self, framework: Any) -> None:
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        await (APP if scope["type"] == "http" else self._framework)(scope, receive, send)


class Fronted(Service):  # type: ignore[misc]
    """A BentoML service with our app before its own: what it puts around a request costs a millisecond."""

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> Front:
        """What its worker serves."""
        return Front(super().to_asgi(is_main))


@bentoml.service(
    name="chronotope",
    service_class=Fronted,
    workers=int(os.environ.get("CHRONOTOPE_WORKERS", "1")),
    traffic={"timeout": PARAMS.guard.request_s},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},  # ours are those of the app
)
class Chronotope:
    """Serves predictions of what each user does next."""

    def __init__(self) -> None:
        one_thread()
        APP.worker = open_worker(ROOT, PARAMS)
        close_streams_on_signal(APP.worker)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Let the state go."""
        APP.close()

"""`chronotope serve --bare`: the same app under uvicorn alone (uvloop, httptools), without BentoML around it.

Each worker opens the workspace, verifies, loads and warms its champion before it listens; on SIGTERM it answers what it
has begun and closes the state. Several workers share the live state and sum their metrics.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import uvicorn

from bento.app import App
from bento.guard.keys import from_environment
from bento.slow import Protocol
from bento.surroundings import find_workspace, one_thread
from bento.worker import open_worker
from components.params import load_params

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"
_GRACE_S = 15
_IDLE_S = 30


def make_app() -> App:
    """The app of one worker, from the environment; uvicorn calls it in each."""
    one_thread()
    root = find_workspace()
    params = load_params(root / "params.yaml")
    Protocol.header_s = params.guard.header_s
    return App(params, from_environment(), lambda: open_worker(root, params))


def serve(root: Path, host: str, port: int, workers: int) -> None:
    """Serve until told to stop.

    Parameters
    ----------
    root : the workspace; CHRONOTOPE_WORKSPACE names it to the workers
    host, port : to listen on
    workers : processes
    """
    guard = load_params(root / "params.yaml").guard
    with tempfile.TemporaryDirectory(prefix="chronotope-metrics-") as folder:
        if workers > 1:
            os.environ[MULTIPROC] = folder
        else:
            os.environ.pop(MULTIPROC, None)
        uvicorn.run(
            "bento.bare:make_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            loop="uvloop",
            http=Protocol,
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            limit_concurrency=guard.max_connections,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )

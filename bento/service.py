"""`bentoml serve bento.service:Chronotope`: the champion of the workspace named by CHRONOTOPE_WORKSPACE.

The routes are those of `bento/app.py`, mounted; BentoML gives packaging, workers, health and metrics. The worker is
ready only after the champion is verified, loaded and warm.
"""

from __future__ import annotations

import os
from pathlib import Path

import bentoml

from bento.app import make_app
from components.params import load_params
from components.serving.watch import Watch

ROOT = Path(os.environ.get("CHRONOTOPE_WORKSPACE", ".")).resolve()
PARAMS = load_params(ROOT / "params.yaml").serving
_watches: list[Watch] = []


@bentoml.service(name="chronotope", workers=1, traffic={"timeout": 30}, logging={"access": {"enabled": False}})
@bentoml.asgi_app(make_app(lambda: _watches[0], PARAMS), path="/")
class Chronotope:
    """Serves predictions of what each user does next."""

    def __init__(self) -> None:
        watch = Watch(ROOT, PARAMS.poll_s)
        watch.start()
        _watches[:] = [watch]

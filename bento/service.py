"""`bentoml serve bento.service:Chronotope`: the champion of a workspace behind HTTP.

The workspace is CHRONOTOPE_WORKSPACE, else the one that was packed beside this package, else the current folder.
The routes are those of `bento/app.py`, mounted; BentoML gives packaging, workers, health and metrics. The worker is
ready only after the champion is verified, loaded and warm.
"""

from __future__ import annotations

import os
from pathlib import Path

import bentoml
import torch

from bento.app import make_app
from bento.envelope import Envelope
from components.params import load_params
from components.serving.watch import Watch

PACKAGES = Path(__file__).resolve().parents[1]


def find_workspace() -> Path:
    """The folder of the workspace to serve."""
    named = os.environ.get("CHRONOTOPE_WORKSPACE")
    if named:
        return Path(named).resolve()
    for beside in (PACKAGES / "workspace", PACKAGES):  # of `python -m bento.build`; of `bentoml build` in a workspace
        if (beside / "promotions").is_dir():
            return beside
    return Path().resolve()


ROOT = find_workspace()
PARAMS = load_params(ROOT / "params.yaml")
_watches: list[Watch] = []


@bentoml.service(name="chronotope", workers=1, traffic={"timeout": 30}, logging={"access": {"enabled": False}})
@bentoml.asgi_app(make_app(lambda: _watches[0], PARAMS.serving, PARAMS.policy), path="/")
class Chronotope:
    """Serves predictions of what each user does next."""

    def __init__(self) -> None:
        torch.set_num_threads(1)  # one question is too small to share: handing it out costs more than its arithmetic
        watch = Watch(ROOT, PARAMS.serving.poll_s)
        watch.start()
        _watches[:] = [watch]

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Stop following the promotion log."""
        _watches[0].stop()


Chronotope.add_asgi_middleware(Envelope)  # type: ignore[attr-defined]

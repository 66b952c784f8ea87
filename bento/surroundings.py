"""Where the service finds its workspace, and how it shares the machine."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1]
WORKSPACE = "CHRONOTOPE_WORKSPACE"


def find_workspace() -> Path:
    """The folder of the workspace to serve."""
    named = os.environ.get(WORKSPACE)
    if named:
        return Path(named).resolve()
    for beside in (PACKAGES / "workspace", PACKAGES):  # of `python -m bento.build`; of `bentoml build` in a workspace
        if (beside / "promotions").is_dir():
            return beside
    return Path().resolve()


def one_thread() -> None:
    """Let torch use one thread: one question is too small to share, handing it out costs more than its arithmetic."""
    import torch

    torch.set_num_threads(1)

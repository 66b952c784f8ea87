"""`serve`: the champion behind HTTP, by BentoML, in its own process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import bento
from components.errors import PromotionError
from flows.cli.edge import WorkspaceOption, enter


def serve(
    workspace: WorkspaceOption = Path(),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
) -> None:
    """Serve the champion: `POST /v1/predict`; a newly promoted champion is picked up without a failed request.

    Example: `chronotope serve --port 3000`
    """
    from components.registry.promotions import current

    root = enter(workspace)
    if current(root) is None:
        raise PromotionError("a champion to serve", found=f"no promotion in {root}", do="Run `chronotope run` first.")
    os.environ["CHRONOTOPE_WORKSPACE"] = str(root)
    package = Path(bento.__file__).parent.parent
    os.chdir(package)
    os.execvp("bentoml", ["bentoml", "serve", "bento.service:Chronotope", "--host", host, "--port", str(port)])

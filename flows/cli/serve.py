"""`serve`: the champion behind HTTP, in its own process: by BentoML, or by the same app alone (`--bare`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import bento
from components.errors import ConfigError, PromotionError
from flows.cli.edge import WorkspaceOption, enter


def serve(
    workspace: WorkspaceOption = Path(),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
    workers: Annotated[int, typer.Option(min=1, help="Processes; they share the live state.")] = 1,
    bare: Annotated[
        bool, typer.Option("--bare", help="Without BentoML: the same routes, several times as fast.")
    ] = False,
    open_to_all: Annotated[
        bool, typer.Option("--open", help="Answer other machines without keys (CHRONOTOPE_KEYS).")
    ] = False,
) -> None:
    """Serve the champion: predictions, events, the live page; a new champion is picked up without a failed request.

    Example: `chronotope serve --port 3000`
    """
    from bento.guard.keys import ENVIRONMENT, OPEN, from_environment
    from bento.guard.limits import is_loopback
    from components.params import load_params
    from components.registry.promotions import current

    root = enter(workspace)
    load_params(root / "params.yaml")  # what is wrong in it is told here, not by each process that serves
    if current(root) is None:
        raise PromotionError("a champion to serve", found=f"no promotion in {root}", do="Run `chronotope run` first.")
    keys = from_environment()
    if not is_loopback(host) and not keys.configured and not open_to_all:
        raise ConfigError(
            f"keys to listen on {host}, where other machines can reach the service",
            found=f"no {ENVIRONMENT}",
            do="Make one with `chronotope keys new`, or say --open.",
        )
    os.environ["CHRONOTOPE_WORKSPACE"] = str(root)
    if open_to_all:
        os.environ[OPEN] = "1"
    if bare:
        from bento.bare import serve as serve_bare

        serve_bare(root, host, port, workers)
        return
    os.environ["CHRONOTOPE_WORKERS"] = str(workers)
    os.chdir(Path(bento.__file__).parent.parent)
    os.execvp("bentoml", ["bentoml", "serve", "bento.service:Chronotope", "--host", host, "--port", str(port)])

"""`ui`: Prefect's and MLflow's own pages for a workspace, on loopback, until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from components.workspace import Settings
from flows.cli.edge import WorkspaceOption, console, enter


def ui(
    workspace: WorkspaceOption = Path(),
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's page.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's page.")] = 5000,
) -> None:
    """Start Prefect's and MLflow's web pages on 127.0.0.1; Ctrl-C ends both.

    Example: `chronotope ui --mlflow-port 5001`
    """
    root = enter(workspace)
    settings = Settings()
    store = ["--backend-store-uri", settings.tracking_uri(root)]
    artifacts = settings.artifact_root(root)
    commands = [
        ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(prefect_port)],
        ["mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port), *store]
        + (["--default-artifact-root", artifacts] if artifacts else []),
    ]
    running = [subprocess.Popen([sys.executable, "-m", *command]) for command in commands]
    console.print(
        f"Prefect: http://127.0.0.1:{prefect_port}   MLflow: http://127.0.0.1:{mlflow_port}   (Ctrl-C ends both)"
    )

    def stop(*_: object) -> None:
        for process in running:
            process.terminate()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    for process in running:
        process.wait()

"""How MLflow is reached: its address, its switches, one experiment per workspace, and its errors in our words."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ServiceError
from components.workspace import Settings, Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Set before MLflow is imported, unless the environment already says otherwise.
_SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_MODELS_VERIFY_DEPENDENCIES": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def quiet() -> None:
    """Set the switches: no pickle, no telemetry, no progress bars, few retries; call before MLflow is imported."""
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"  # never negotiable
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def connect(root: Path) -> Iterator[MlflowClient]:
    """A client of the workspace's MLflow; its errors become ours.

    Raises
    ------
    ServiceError
        MLflow does not answer or refuses; trying again later may help.
    """
    quiet()
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):  # their loggers are set up on import
        logging.getLogger(name).setLevel(logging.ERROR)
    uri = Settings().tracking_uri(root)
    if uri.startswith("sqlite:///"):
        Workspace(root).state.mkdir(parents=True, exist_ok=True)
    # MLflow's own registry asks the address of the process, whatever the client was told.
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        if error.error_code == "INVALID_PARAMETER_VALUE":  # a defect of ours: trying again cannot help
            raise
        raise ServiceError(
            "MLflow to answer",
            found=f"{_shown(str(error))[:300]} ({_shown(uri)})",
            do="See that it runs, and run again.",
        ) from error


def _shown(text: str) -> str:
    """A text without the names and passwords of its addresses."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def experiment(client: MlflowClient, root: Path, name: str) -> str:
    """Id of the workspace's experiment, made if it is not there."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=Settings().artifact_root(root)))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def migrate(root: Path, name: str) -> None:
    """Make the store and the experiment ahead of their first use, which takes some ten seconds."""
    with connect(root) as client:
        experiment(client, root, name)

"""The switches that every engine needs before it is imported: quiet, local, without telemetry, without pickle.

Call `prepare` before importing prefect, mlflow, dvc or bentoml. What the user has set already stays.
Never here: secrets, or anything that changes a result.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def prepare(root: Path) -> None:
    """Set the environment for a workspace at `root` (only what is not set yet).

    The stages of the pipeline are commands of the form `python -m components.…`; the folder of the running
    interpreter is put first on PATH so that DVC finds this Python and not another.
    """
    home = root / ".chronotope"
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLI_PROMPT": "false",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(home / "bentoml"),
        "DVC_NO_ANALYTICS": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    (home / "prefect").mkdir(parents=True, exist_ok=True)  # Prefect makes only the last folder of it
    here = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != here:
        os.environ["PATH"] = here + os.pathsep + os.environ.get("PATH", "")

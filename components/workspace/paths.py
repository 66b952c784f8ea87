"""Where everything of a workspace lies, and the settings of its surroundings. Nothing is created by asking.

`Settings` come from the environment and never change a result; what changes a result is in params.yaml
(`components.params`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from components.params import Params, load_params


@dataclass(frozen=True)
class Workspace:
    """Every path of a workspace, from its root folder. Nothing is created by asking."""

    root: Path

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def dvc_yaml(self) -> Path:
        return self.root / "dvc.yaml"

    @property
    def dvc_lock(self) -> Path:
        return self.root / "dvc.lock"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def raw(self) -> Path:
        return self.data / "raw"

    @property
    def events(self) -> Path:
        return self.data / "events"

    @property
    def catalogue(self) -> Path:
        return self.data / "catalogue"

    @property
    def quarantine(self) -> Path:
        return self.data / "quarantine"

    @property
    def live_log(self) -> Path:
        """What came in live and was collected: a source beside the source, which ingest reads too."""
        return self.data / "live"

    @property
    def validated(self) -> Path:
        return self.data / "validated"

    @property
    def features(self) -> Path:
        return self.data / "features"

    @property
    def models(self) -> Path:
        return self.root / "models"

    def model(self, name: str) -> Path:
        """Folder of one trained predictor."""
        return self.models / name

    @property
    def blends(self) -> Path:
        return self.root / "blends"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def ranks(self) -> Path:
        return self.reports / "ranks"

    @property
    def plots(self) -> Path:
        return self.reports / "plots"

    @property
    def data_docs(self) -> Path:
        return self.reports / "data_docs"

    @property
    def promotions(self) -> Path:
        return self.root / "promotions"

    @property
    def experiments(self) -> Path:
        """The log of experiments: when each began, ended, or was turned off."""
        return self.root / "experiments"

    @property
    def state(self) -> Path:
        """What git and DVC do not track."""
        return self.root / ".chronotope"

    @property
    def artifacts(self) -> Path:
        return self.state / "artifacts"

    def artifact(self, digest: str) -> Path:
        """Folder of one packed artifact."""
        return self.artifacts / digest

    @property
    def checkpoints(self) -> Path:
        return self.state / "checkpoints"

    @property
    def search(self) -> Path:
        """Trials of `chronotope search`, and who searches."""
        return self.state / "search"

    @property
    def update(self) -> Path:
        """The last update of the champion, until the gate has seen it."""
        return self.state / "update"

    @property
    def shadows(self) -> Path:
        """What silent challengers would have answered."""
        return self.state / "shadows"

    @property
    def live(self) -> Path:
        """What came in live, when no server keeps it."""
        return self.state / "live"

    @property
    def mlflow_db(self) -> Path:
        return self.state / "mlflow.db"

    @property
    def mlartifacts(self) -> Path:
        return self.state / "mlartifacts"

    @property
    def decisions(self) -> Path:
        """What the gate said, by promotion window."""
        return self.state / "decisions"

    @property
    def timings(self) -> Path:
        """How long each training took: outputs of stages hold no clock."""
        return self.state / "timings"

    @property
    def prefect_home(self) -> Path:
        return self.state / "prefect"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    def load_params(self) -> Params:
        """Read and check the workspace's params.yaml."""
        return load_params(self.params)


class Settings(BaseSettings):
    """Surroundings of a run, from the environment (`CHRONOTOPE_…`); none of them changes a result.

    Attributes
    ----------
    mlflow_tracking_uri : where runs and versions are kept; default: SQLite under `.chronotope/`. May hold a password
    mlflow_artifact_root : where a new experiment keeps its files; default: `.chronotope/mlartifacts`
    state : address of the live state's server (`redis://…`); default: embedded, under `.chronotope/live`. May hold a
        password
    stream : address of the Redis server that `chronotope consume` reads; default: that of `state`. May hold a password
    log_level : of the program's own log
    """

    model_config = SettingsConfigDict(env_prefix="CHRONOTOPE_", extra="ignore", frozen=True)

    mlflow_tracking_uri: SecretStr | None = None
    mlflow_artifact_root: str | None = None
    state: SecretStr | None = None
    stream: SecretStr | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    def tracking_uri(self, root: Path) -> str:
        """Address of the MLflow store of a workspace."""
        if self.mlflow_tracking_uri is not None:
            return self.mlflow_tracking_uri.get_secret_value()
        return f"sqlite:///{Workspace(root).mlflow_db.absolute()}"

    def artifact_root(self, root: Path) -> str | None:
        """Where a new experiment of a workspace keeps its files; None leaves it to the server."""
        if self.mlflow_artifact_root is not None:
            return self.mlflow_artifact_root
        if self.tracking_uri(root).startswith(("http://", "https://")):
            return None
        return Workspace(root).mlartifacts.absolute().as_uri()

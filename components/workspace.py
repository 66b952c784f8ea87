"""A workspace: one log, one champion. Its paths, its lock, its identity, and the settings of its surroundings.

`Settings` come from the environment and never change a result; what changes a result is in params.yaml
(`components.params`). Nothing here reads events or models, and nothing here decides.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from components.errors import BusyError
from components.files import digest_of, sha256_file, sha256_tree
from components.params import Params, load_params

#: Even a taker that does not wait tries this long: `holder` looks at the lock for an instant.
_GRACE_S = 0.2
_POLL_S = 0.05


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
    log_level : of the program's own log
    """

    model_config = SettingsConfigDict(env_prefix="CHRONOTOPE_", extra="ignore", frozen=True)

    mlflow_tracking_uri: SecretStr | None = None
    mlflow_artifact_root: str | None = None
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


@dataclass(frozen=True)
class Holder:
    """Who holds a workspace.

    Attributes
    ----------
    pid : process
    purpose : what it is doing, as it said
    since : UTC, ISO 8601
    """

    pid: int
    purpose: str
    since: str


@contextlib.contextmanager
def hold(root: Path, purpose: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold a workspace: one run at a time. The kernel lets go when the process ends, however it ends.

    Parameters
    ----------
    root : the workspace
    purpose : told to whoever comes second
    timeout_s : how long to wait for the other run; 0 does not wait

    Raises
    ------
    BusyError
        Another run (or another part of this process) holds the workspace; says who, what for and since when.
    """
    path = Workspace(root).lock
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, path, timeout_s)
        # Written in place: a rename would put another file under the name, and two could hold it.
        record = {"pid": os.getpid(), "purpose": purpose, "since": dt.datetime.now(dt.UTC).isoformat("T", "seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(record).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + max(timeout_s, _GRACE_S)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            who = _read_holder(path)
            found = (
                f"process {who.pid} is at “{who.purpose}” since {who.since}"
                if who
                else "another process has just taken it"
            )
            raise BusyError(
                f"the workspace {path.parent.parent} for itself",
                found=found,
                do="Wait for it to end, or end that process; the lock goes with it.",
            ) from error


def _read_holder(path: Path) -> Holder | None:
    try:
        record = json.loads(path.read_text())
        return Holder(int(record["pid"]), str(record["purpose"]), str(record["since"]))
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def holder(root: Path) -> Holder | None:
    """Who holds the workspace now; None when it is free."""
    path = Workspace(root).lock
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _read_holder(path)
    finally:
        os.close(descriptor)


def data_digest(root: Path) -> str:
    """Digest of the log and its catalogue: the paths and bytes of `data/events` and `data/catalogue`."""
    workspace = Workspace(root)
    return digest_of({folder.name: sha256_tree(folder) for folder in (workspace.events, workspace.catalogue)})


def params_digest(root: Path) -> str:
    """Digest of the bytes of params.yaml."""
    return sha256_file(Workspace(root).params)


def git_sha(folder: Path) -> str | None:
    """Commit that `folder` is checked out at, with `+` when tracked files differ from it; None without git."""
    sha = _git(folder, "rev-parse", "HEAD")
    if sha is None:
        return None
    return sha + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (FileNotFoundError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip()


def environment() -> dict[str, str]:
    """Version of Python, machine, and of every installed package: what a result can depend on besides its inputs."""
    packages = {
        f"package {(one.metadata['Name'] or '').lower()}": one.version for one in importlib.metadata.distributions()
    }
    return packages | {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}


def environment_digest() -> str:
    """Digest of `environment()`."""
    return digest_of(environment())

"""Versions and aliases: what MLflow's registry shows of the promotion log.

A version holds one artifact, whole, and a `pyfunc` wrapper (`tracking.scoring`). It is found by the artifact's
digest, so registering twice is registering once. Aliases are derived: `champion` and `previous` from the log,
`challenger` from the last decision. Never here: who should be champion.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import IntegrityError
from components.files import replace_folder
from components.registry.artifact import Manifest, verify
from components.registry.tracking.client import connect, experiment
from components.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIGEST, CONTENT, SEQUENCE = "chronotope.digest", "chronotope.content", "chronotope.sequence"
ALIASES = ("champion", "previous", "challenger")
_INSIDE = "artifacts"


@dataclass(frozen=True)
class Registered:
    """What the registry shows.

    Attributes
    ----------
    applied : sequence of the last log entry whose aliases were set; 0 before the first
    versions : digest → version
    aliases : alias → digest
    """

    applied: int
    versions: Mapping[str, str]
    aliases: Mapping[str, str]


def read(root: Path, name: str) -> Registered:
    """Versions and aliases of a workspace's registered model."""
    with connect(root) as client:
        return _read(client, name)


def _read(client: MlflowClient, name: str) -> Registered:
    models = client.search_registered_models(f"name = '{name}'")
    if not models:
        return Registered(0, {}, {})
    model = client.get_registered_model(name)  # search leaves aliases empty (MLflow #9952)
    by_version = {
        str(one.version): str(one.tags[DIGEST])
        for one in client.search_model_versions(f"name = '{name}'")
        if DIGEST in one.tags
    }
    versions: dict[str, str] = {}
    for version, digest in sorted(by_version.items(), key=lambda one: int(one[0]), reverse=True):
        versions[digest] = version  # the oldest of a digest stays
    aliases = {alias: by_version.get(str(version), f"version {version}") for alias, version in model.aliases.items()}
    return Registered(int(model.tags.get(SEQUENCE, "0")), versions, aliases)


def register(root: Path, name: str, digest: str, tags: Mapping[str, str], run_id: str | None = None) -> str:
    """The version that holds an artifact, made if there is none.

    Parameters
    ----------
    root : the workspace, which holds the artifact
    name : of the registered model
    digest : of the artifact
    tags : name → value, for people
    run_id : the run that trained it

    Returns
    -------
    str
        The version.
    """
    folder = Workspace(root).artifact(digest)
    manifest = verify(folder, digest)
    with connect(root) as client:
        found = _read(client, name).versions.get(digest)
        if found is not None:
            for key, value in tags.items():
                client.set_model_version_tag(name, found, key, value)
            return found
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        return _upload(client, experiment(client, root, name), name, folder, manifest, tags, run_id)


def _upload(
    client: MlflowClient,
    where: str,
    name: str,
    folder: Path,
    manifest: Manifest,
    tags: Mapping[str, str],
    run_id: str | None,
) -> str:
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    text = [ColSpec("string", column, required=False) for column in ("user_id", "history", "time")]
    own = {**tags, DIGEST: manifest.digest, CONTENT: manifest.content}
    model = client.create_logged_model(where, name=f"{name}-{manifest.digest[:12]}", source_run_id=run_id, tags=own)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings(action="ignore"):
        packed = Path(scratch) / "model"
        pyfunc.save_model(
            path=str(packed),
            python_model=str(Path(__file__).with_name("scoring.py")),
            artifacts={"artifact": str(folder)},
            signature=ModelSignature(Schema(text), params=ParamSchema([ParamSpec("k", "long", 10)])),
            pip_requirements=["chronotope"],
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                model_uuid=model.model_id,
                run_id=run_id,
                model_id=model.model_id,
            ),
        )
        for cache in packed.rglob("__pycache__"):
            shutil.rmtree(cache)
        client.log_model_artifacts(model.model_id, str(packed))
    client.finalize_logged_model(model.model_id, "READY")
    version = client.create_model_version(
        name, source=f"models:/{model.model_id}", run_id=run_id, tags=own, model_id=model.model_id
    )
    return str(version.version)


def point(root: Path, name: str, aliases: Mapping[str, str | None], sequence: int) -> None:
    """Set the aliases to the versions of the given digests (None: no such alias), then note the log's sequence."""
    with connect(root) as client:
        here = _read(client, name)
        for alias, digest in aliases.items():
            version = here.versions.get(digest) if digest is not None else None
            if version is not None:
                client.set_registered_model_alias(name, alias, version)
            elif alias in here.aliases:
                client.delete_registered_model_alias(name, alias)
        if sequence:
            client.set_registered_model_tag(name, SEQUENCE, str(sequence))


def fetch(root: Path, name: str, digest: str) -> Path:
    """Bring an artifact back from the registry into the workspace, verified.

    Raises
    ------
    IntegrityError
        The registry has no such version, or what it holds is damaged.
    """
    target = Workspace(root).artifact(digest)
    with connect(root) as client, tempfile.TemporaryDirectory() as scratch:
        from mlflow.artifacts import download_artifacts

        version = _read(client, name).versions.get(digest)
        if version is None:
            raise IntegrityError(
                f"the artifact {digest[:12]} in the registry", found=f"no version of {name} with it", do="Train again."
            )
        uri = client.get_model_version_download_uri(name, version)
        place = download_artifacts(artifact_uri=uri, dst_path=scratch, tracking_uri=client.tracking_uri)
        found = Path(place) / _INSIDE / digest
        verify(found, digest)
        with replace_folder(target) as out:
            shutil.copytree(found, out, dirs_exist_ok=True)
    verify(target, digest)
    return target


def moved_by_hand(here: Registered, expected: Mapping[str, str | None], sequence: int) -> dict[str, str]:
    """Alias → where it points, for aliases that were set for `sequence` and are elsewhere now."""
    if here.applied != sequence:
        return {}
    wrong: dict[str, str] = {}
    for alias in ("champion", "previous"):
        now, then = here.aliases.get(alias), expected.get(alias)
        if now != then:
            wrong[alias] = now or "nothing"
    return wrong


def tags_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Values as the texts that tags are."""
    return {f"chronotope.{name}": str(value)[:500] for name, value in record.items() if value is not None}

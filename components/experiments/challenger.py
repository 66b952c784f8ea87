"""The challenger: which artifact is tried, and how it is loaded, as a champion is, though nothing promoted it.

Never here: whom it answers (`experiments.arms`).
"""

from __future__ import annotations

import re
from pathlib import Path

from components.errors import ExperimentError
from components.experiments.plan import DIGEST
from components.registry.artifact import verify
from components.registry.chain import FIRST
from components.registry.promotions import Entry
from components.registry.safe import parse_json
from components.serving.champion import Champion, load_champion
from components.workspace import Workspace

_LEAST_NAMED = 6


def load_challenger(root: Path, digest: str) -> Champion:
    """Verify and load an artifact that was not promoted: its entry is that of a promotion that never happened.

    Raises
    ------
    IntegrityError, UnsafeFileError
        The artifact is not what its digest says, or asks for something that a model file may not.
    """
    folder = Workspace(root).artifact(digest)
    manifest = verify(folder, digest)
    name = str(parse_json((folder / "lineage.json").read_bytes(), "lineage.json")["model"])
    entry = Entry(
        sequence=1, kind="promote", model=name, digest=digest, content=manifest.content, previous=None,
        returns_to=None, reason="on trial", decision=None, window=None, dvc_lock=None, params=None, git_sha=None,
        time="", chain=FIRST,
    )  # fmt: skip
    return load_champion(entry, folder)


def find_artifact(root: Path, named: str) -> str:
    """Digest of the one artifact of a workspace whose digest begins so (at least 6 characters).

    Raises
    ------
    ExperimentError
        There is none, or there are several.
    """
    folders = _folders(root)
    found = [one.name for one in folders if len(named) >= _LEAST_NAMED and one.name.startswith(named)]
    if len(found) != 1:
        raise ExperimentError(
            f"one artifact {named!r:.80}",
            found=f"{len(found)} among {len(folders)} in {Workspace(root).artifacts}",
            do=f"Name it by at least {_LEAST_NAMED} characters of a digest that is there.",
        )
    return found[0]


def _folders(root: Path) -> list[Path]:
    return [one for one in Workspace(root).artifacts.glob("[0-9a-f]*") if re.fullmatch(DIGEST, one.name)]


def find_challenger(root: Path, champion: Entry, named: str | None = None) -> str:
    """Digest of the artifact to be tried.

    Parameters
    ----------
    root : the workspace
    champion : the entry in production, which cannot be its own challenger
    named : a digest or its beginning (at least 6 characters); None: the newest packed artifact

    Raises
    ------
    ExperimentError
        There is no such artifact, several begin so, or it answers exactly as the champion does.
    IntegrityError, UnsafeFileError
        It is not what its digest says.
    """
    if named is not None:
        digest = find_artifact(root, named)
    else:
        others = [one for one in _folders(root) if one.name != champion.digest]
        if not others:
            raise ExperimentError(
                "a packed artifact that is not the champion",
                found=f"none in {Workspace(root).artifacts}",
                do="Train a challenger (`chronotope run`): the gate packs it, and keeps it though it refuses it.",
            )
        digest = max(others, key=lambda one: one.stat().st_mtime).name
    manifest = verify(Workspace(root).artifact(digest), digest)
    if manifest.content == champion.content:
        raise ExperimentError(
            "a challenger that can differ from the champion",
            found=f"{manifest.digest[:12]}, which answers exactly as {champion.digest[:12]} does",
            do="Name another artifact.",
        )
    return manifest.digest

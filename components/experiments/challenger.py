"""The challenger in memory: verified and loaded as a champion is, though nothing promoted it.

Never here: which artifact is tried (`experiments.plan`), and whom it answers (`experiments.arms`).
"""

from __future__ import annotations

from pathlib import Path

from components.registry.artifact import load_artifact
from components.registry.chain import FIRST
from components.registry.promotions import Entry
from components.serving.champion import Champion
from components.workspace import Workspace


def load_challenger(root: Path, digest: str) -> Champion:
    """Verify and load an artifact that was not promoted: its entry is that of a promotion that never happened.

    Raises
    ------
    IntegrityError, UnsafeFileError
        The artifact is not what its digest says, or asks for something that a model file may not.
    """
    artifact = load_artifact(Workspace(root).artifact(digest), digest)
    entry = Entry(
        sequence=1, kind="promote", model=artifact.name, digest=digest, content=artifact.manifest.content,
        previous=None, returns_to=None, reason="on trial", decision=None, window=None, dvc_lock=None, params=None,
        git_sha=None, time="", chain=FIRST,
    )  # fmt: skip
    return Champion(entry, artifact)

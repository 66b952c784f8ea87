"""The challenger in memory: verified and loaded as a champion is, though nothing promoted it.

Never here: which artifact is tried (`experiments.plan`), and whom it answers (`experiments.arms`).
"""

from __future__ import annotations

from pathlib import Path

from components.registry.artifact import verify
from components.registry.chain import FIRST
from components.registry.promotions import Entry
from components.registry.safe import parse_json
from components.serving.champion import Champion, load_champion
from components.workspace import Workspace


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

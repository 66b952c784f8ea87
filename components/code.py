"""Which code a result rests on: a digest of the source behind each stage, so that new code computes it anew."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).parent
_BASE = ("params", "files.py", "predictor.py")
_LEARNERS = (
    *_BASE,
    "compiled.py",
    "features",
    "evaluation",
    "language",
    "memory",
    "models",
    "baselines",
    "ranking",
    "learners.py",
)
#: Code behind each stage, below components/: a change there makes the stage run again.
CODE = {
    "validate": (*_BASE, "events", "validate.py"),
    "features": (*_BASE, "events/contract.py", "language", "knowledge", "features"),
    "train": (*_LEARNERS, "training", "train.py"),
    "compress": (*_LEARNERS, "training", "compression", "compress.py"),
    "blend": (*_LEARNERS, "training", "compression", "blend.py"),
    "evaluate": (*_LEARNERS, "training", "compression", "observers", "events/simulator", "evaluate.py"),
}


def code_digest(parts: Sequence[str], home: Path = HOME) -> str:
    """Digest of files, and of all Python and HTML files of folders, below `home`."""
    digest = hashlib.sha256()
    for part in parts:
        path = home / part
        files = sorted(path.rglob("*.py")) + sorted(path.rglob("*.html")) if path.is_dir() else [path]
        for file in files:
            digest.update(file.relative_to(home).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def code_digests(home: Path = HOME) -> dict[str, str]:
    """Stage → digest of the code behind it."""
    return {stage: code_digest(parts, home) for stage, parts in CODE.items()}

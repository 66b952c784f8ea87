"""What a result of a workspace comes from: digests of its log and params, the commit, the installed packages."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from components.files import digest_of, sha256_file, sha256_tree
from components.workspace.paths import Workspace


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

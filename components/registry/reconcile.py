"""After a crash: finish what was promoted, undo what was begun, and report what a person changed.

The promotion log is the truth; everything else is brought up to it. Called with the workspace held
(`workspace.hold`), so whatever looks half-done is nobody's any more. Never here: a decision.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from components.errors import IntegrityError
from components.registry import decisions, promotions
from components.registry.artifact import verify
from components.registry.promote import expected_aliases, follow
from components.registry.tracking import runs, versions
from components.workspace import Settings, Workspace


def reconcile(root: Path) -> list[str]:
    """Bring a workspace's registry in order.

    Returns
    -------
    list of str
        What was found and done, in sentences; empty when all was well.
    """
    found = remove_torn(root) + remove_orphans(root)
    if not Workspace(root).mlflow_db.is_file() and Settings().mlflow_tracking_uri is None:
        if promotions.current(root) is None:
            return found  # nothing was ever logged: do not wake MLflow
        found.append("the registry was empty, though the promotion log is not")
    params = Workspace(root).load_params()
    name = params.workspace.name
    found += [f"the run “{run}” had died; it is marked as killed" for run in runs.close_dead_runs(root, name)]
    entries = promotions.history(root)
    if not entries:
        return found
    last = entries[-1]
    folder = Workspace(root).artifact(last.digest)
    try:
        verify(folder, last.digest)
    except IntegrityError as damage:
        try:
            versions.fetch(root, name, last.digest)
        except IntegrityError as error:
            return [*found, f"the champion's artifact cannot be used: {damage} Nor can the registry help: {error}"]
        found.append(f"the champion's artifact {last.digest[:12]} was gone or damaged; it was fetched anew")
    here = versions.read(root, name)
    moved = versions.moved_by_hand(here, expected_aliases(root), last.sequence)
    if moved:
        return found + [
            f"the alias {alias} was moved by hand to {to[:12]}; the promotion log says otherwise and counts. Adopt it "
            "with `chronotope promote --adopt`, or the next promotion will set it right"
            for alias, to in moved.items()
        ]
    if here.applied != last.sequence or last.digest not in here.versions:
        follow(root, params)
        found.append(f"the registry was at entry {here.applied}; it follows entry {last.sequence} of the log now")
    return found


def remove_torn(root: Path) -> list[str]:
    """Remove folders that were being written or removed when a process died."""
    artifacts = Workspace(root).artifacts
    torn = sorted(artifacts.glob(".*")) if artifacts.is_dir() else []
    for path in torn:
        shutil.rmtree(path, ignore_errors=True)
    for path in sorted(Workspace(root).promotions.glob(".*.json.*")):
        path.unlink()
        torn.append(path)
    return [f"removed the half-written {path.name}" for path in torn]


def remove_orphans(root: Path) -> list[str]:
    """Remove artifacts that were packed and then neither decided upon nor promoted, nor are on trial."""
    known = {entry.digest for entry in promotions.history(root)} | promotions.protected(root)
    decision = decisions.last(root)
    if decision is not None:
        known.add(decision.digest)
    orphans = [folder for folder in Workspace(root).artifacts.glob("[0-9a-f]*") if folder.name not in known]
    for folder in orphans:
        shutil.rmtree(folder)
    return [f"removed the artifact {folder.name[:12]}, which no decision knows" for folder in orphans]

"""The way back: an entry of the promotion log that points to an earlier one, after its artifact has been verified.

Never here: aliases and services, which follow the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.errors import IntegrityError, PromotionError
from components.registry.artifact import verify
from components.registry.promotions import Entry, append, fallback, history, origin
from components.workspace import Workspace


def rollback(root: Path, to: int | None = None, reason: str | None = None) -> Entry:
    """Go back to an earlier champion by a new entry that points to it, after its artifact has been verified.

    Parameters
    ----------
    root : the workspace
    to : sequence of the entry to go back to; default: `fallback`
    reason : one sentence for the log

    Raises
    ------
    PromotionError
        There is nothing to go back to, or its artifact is gone or damaged; names the next good one.
    """
    entries = history(root)
    target = _target(entries, to)
    problem = _problem(root, target)
    if problem is not None:
        good = _next_good(root, entries, target)
        raise PromotionError(
            f"the artifact of entry {target.sequence} ({target.model}) whole",
            found=problem,
            do=f"Roll back to entry {good.sequence} ({good.model}) with `chronotope rollback --to {good.sequence}`."
            if good
            else "No earlier artifact is whole either: fetch one from the registry, or train again.",
        )
    return append(
        root,
        expected=len(entries),
        kind="rollback",
        model=target.model,
        digest=target.digest,
        content=target.content,
        returns_to=target.sequence,
        reason=reason or f"Back to entry {target.sequence}.",
        dvc_lock=target.dvc_lock,
        params=target.params,
    )


def _target(entries: Sequence[Entry], to: int | None) -> Entry:
    found = fallback(entries)
    if to is not None:
        found = origin(entries, entries[to - 1]) if 1 <= to <= len(entries) else None
    if found is None:
        raise PromotionError(
            "an earlier champion to go back to" if to is None else f"entry {to} of the promotion log",
            found=f"a log of {len(entries)} entries"
            + (f", whose champion {entries[-1].model} is the first" if entries and to is None else ""),
            do="`chronotope history` lists the entries.",
        )
    if found.digest == entries[-1].digest:
        raise PromotionError(
            "another champion than the present one",
            found=f"that entry {found.sequence} is already in production",
            do="`chronotope history` lists the entries.",
        )
    return found


def _problem(root: Path, entry: Entry) -> str | None:
    """Why the artifact of an entry cannot be used; None when it can."""
    folder = Workspace(root).artifact(entry.digest)
    if not folder.is_dir():
        return f"nothing at {folder} (pruned)"
    try:
        verify(folder, entry.digest)
    except IntegrityError as error:
        return error.found
    return None


def _next_good(root: Path, entries: Sequence[Entry], bad: Entry) -> Entry | None:
    one = fallback(entries, bad)
    while one is not None and _problem(root, one) is not None:
        one = fallback(entries, one)
    return one

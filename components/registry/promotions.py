"""The append-only promotion log: the truth of what is in production.

`promotions/000001.json, 000002.json, …`: an entry is created exclusively under the next number, so that of any
number of racers exactly one wins, and is never written again. Each entry carries the digest of the one before,
which makes a later change of any but the last visible. Aliases, packages and services are derived from here.

Never here: whether a model deserves promotion (`registry.gate`), and what an alias is (`registry.tracking`).
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from components.errors import StalePromotion
from components.files import create_exclusive, read_json, sha256_file
from components.registry.chain import FIRST, Chained, chained, text_of
from components.workspace import Workspace, git_sha

Kind = Literal["promote", "rollback", "adopt"]
_DIGEST = Field(pattern=r"^[0-9a-f]{64}$")


class Entry(Chained):
    """One change of the champion.

    Attributes
    ----------
    sequence : 1, 2, …
    kind : promote (the gate said so), rollback (points back), adopt (a person moved the alias, and it was taken over)
    model : name of the candidate model
    digest : of the artifact that is in production from here on
    content : digest of what answers queries in it: equal for two artifacts that answer alike
    previous : digest of the artifact that was there until here; None for the first
    returns_to : for a rollback, the sequence of the entry that it points back to
    reason : one sentence
    decision : the gate's decision with all its checks; None where no gate was asked
    window : the promotion window that was judged; None where none was
    dvc_lock, params : the text of dvc.lock and params.yaml of what it promotes, each with its digest
    git_sha : the commit ("+" when tracked files differed); None without git
    time : UTC, ISO 8601; for people, nothing is ordered by it
    chain : digest of the bytes of the entry before; 64 zeros for the first
    """

    kind: Kind
    model: str
    digest: str = _DIGEST
    content: str = _DIGEST
    previous: str | None
    returns_to: int | None
    reason: str
    decision: dict[str, Any] | None
    window: dict[str, Any] | None
    dvc_lock: dict[str, str] | None
    params: dict[str, str] | None
    git_sha: str | None
    time: str


def _path(root: Path, sequence: int) -> Path:
    return Workspace(root).promotions / f"{sequence:06d}.json"


def history(root: Path) -> list[Entry]:
    """All entries, oldest first, with numbers and chain checked.

    Raises
    ------
    IntegrityError
        An entry is missing, cannot be read, or was changed after the next one was written.
    """
    return chained(Workspace(root).promotions, Entry, "promotion")


def current(root: Path) -> Entry | None:
    """The last entry: its artifact is the champion. None before the first promotion."""
    entries = history(root)
    return entries[-1] if entries else None


def origin(entries: Sequence[Entry], entry: Entry) -> Entry:
    """The entry that first put `entry`'s artifact in production by this line: a rollback is followed back."""
    while entry.returns_to is not None:
        entry = entries[entry.returns_to - 1]
    return entry


def fallback(entries: Sequence[Entry], entry: Entry | None = None) -> Entry | None:
    """What a rollback from `entry` (default: the last) goes to: the champion that its origin replaced.

    What was rolled back is never gone back to: after A, B, rollback to A, C, the fallback of C is A.
    """
    if not entries:
        return None
    first = origin(entries, entry or entries[-1])
    return origin(entries, entries[first.sequence - 2]) if first.sequence > 1 else None


def append(
    root: Path,
    *,
    expected: int,
    kind: Kind,
    model: str,
    digest: str,
    content: str,
    reason: str,
    returns_to: int | None = None,
    decision: Mapping[str, Any] | None = None,
    window: Mapping[str, Any] | None = None,
    dvc_lock: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Entry:
    """Add the entry after `expected` (0: the log is empty), or refuse: compare and swap.

    Raises
    ------
    StalePromotion
        The log went on since `expected` was read: another champion was promoted, and nothing is written.
    """
    entries = history(root)
    if len(entries) != expected:
        raise _stale(expected, entries)
    last = entries[-1] if entries else None
    entry = Entry(
        sequence=expected + 1,
        kind=kind,
        model=model,
        digest=digest,
        content=content,
        previous=last.digest if last else None,
        returns_to=returns_to,
        reason=reason,
        decision=dict(decision) if decision is not None else None,
        window=dict(window) if window is not None else None,
        dvc_lock=dict(dvc_lock) if dvc_lock is not None else None,
        params=dict(params) if params is not None else None,
        git_sha=git_sha(root),
        time=dt.datetime.now(dt.UTC).isoformat("T", "seconds"),
        chain=sha256_file(_path(root, expected)) if last else FIRST,
    )
    if not create_exclusive(_path(root, entry.sequence), text_of(entry)):
        raise _stale(expected, history(root))
    return entry


def _stale(expected: int, entries: Sequence[Entry]) -> StalePromotion:
    last = f", whose last is {entries[-1].model} ({entries[-1].time})" if entries else ""
    return StalePromotion(
        f"a promotion log of {expected} entries, as when the models were compared",
        found=f"{len(entries)} entries{last}",
        do="Run the gate again against the new champion.",
    )


def protected(root: Path) -> set[str]:
    """Digests of the artifacts that nothing may remove: the champion, what a rollback goes to, what is being tried."""
    entries = history(root)
    before = fallback(entries)
    return {one.digest for one in (*entries[-1:], before) if one is not None} | _on_trial(root)


def _on_trial(root: Path) -> set[str]:
    """The challenger of the experiment under way; the log of experiments is kept by a room that stands above."""
    for path in sorted(Workspace(root).experiments.glob("[0-9]*.json"))[-1:]:
        record = read_json(path)
        return {str(record["challenger"])} if record["kind"] == "start" else set()
    return set()


def prune(root: Path, keep: int, protect: Collection[str] = ()) -> list[str]:
    """Remove artifact folders that are neither among the last `keep` champions nor protected.

    Parameters
    ----------
    root : the workspace
    keep : how many distinct champions to keep besides the protected ones
    protect : digests of artifacts in use elsewhere (a challenger, a shadow)

    Returns
    -------
    list of str
        Digests of what was removed. The champion and the one before always stay.
    """
    recent = list(dict.fromkeys(entry.digest for entry in reversed(history(root))))[:keep]
    stay = protected(root) | set(recent) | set(protect)
    removed = []
    for folder in sorted(Workspace(root).artifacts.glob("[0-9a-f]*")):
        if folder.name not in stay:
            retired = folder.with_name(f".{folder.name}.old")
            folder.rename(retired)
            shutil.rmtree(retired)
            removed.append(folder.name)
    return removed

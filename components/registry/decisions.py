"""What the gate said, by promotion window: how often a window was looked at, and what was refused on it.

Every different challenger that is compared on one window is another chance to win by luck, so the gate asks how many
there were. Untracked state of the workspace; what was promoted is in the promotion log.
"""

from __future__ import annotations

from pathlib import Path

from components.files import digest_of, read_json, write_json
from components.params import GateParams
from components.registry.decision import Decision
from components.workspace import Workspace


def remember(root: Path, content: str, bounds: GateParams, decision: Decision) -> None:
    """Keep a decision on a challenger, by the digest of what answers queries in its artifact and the gate's bounds."""
    write_json(_path(root, str(decision.window["digest"]), content, bounds), decision.as_record())
    write_json(Workspace(root).decisions / "last.json", decision.as_record())
    write_json(Workspace(root).decisions / "last.json", decision.as_record())


def _path(root: Path, window: str, content: str, bounds: GateParams) -> Path:
    return Workspace(root).decisions / window / f"{content}-{digest_of(bounds.model_dump())[:16]}.json"


def recall(root: Path, window: str, content: str, bounds: GateParams) -> Decision | None:
    """The earlier decision on the same content and window by the same bounds, if there was one.

    A refusal for slowness alone is not recalled: it may have been the machine's.
    """
    path = _path(root, window, content, bounds)
    if not path.is_file():
        return None
    found = Decision.from_record(read_json(path))
    slow = [check.name for check in found.checks if not check.passed] == ["latency"]
    return None if slow else found


def looks(root: Path, window: str, content: str) -> int:
    """How many different challengers were compared on a window, this one included."""
    seen = {path.stem.partition("-")[0] for path in (Workspace(root).decisions / window).glob("*.json")}
    return len(seen | {content})


def last(root: Path) -> Decision | None:
    """The newest decision."""
    path = Workspace(root).decisions / "last.json"
    return Decision.from_record(read_json(path)) if path.is_file() else None

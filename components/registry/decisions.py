"""What the gate said, by promotion window: how often a window was looked at, and what was refused on it.

Every different challenger that is compared on one window is another chance to win by luck, so the gate asks how many
there were. Untracked state of the workspace; what was promoted is in the promotion log.
"""

from __future__ import annotations

from pathlib import Path

from components.files import read_json, write_json
from components.registry.gate import Decision
from components.workspace import Workspace


def remember(root: Path, content: str, decision: Decision) -> None:
    """Keep a decision on a challenger, by the digest of what answers queries in its artifact."""
    folder = Workspace(root).decisions / str(decision.window["digest"])
    write_json(folder / f"{content}.json", decision.as_record())
    write_json(Workspace(root).decisions / "last.json", decision.as_record())


def recall(root: Path, window: str, content: str) -> Decision | None:
    """The earlier decision on the same content and window, if there was one."""
    path = Workspace(root).decisions / window / f"{content}.json"
    return Decision.from_record(read_json(path)) if path.is_file() else None


def looks(root: Path, window: str, content: str) -> int:
    """How many different challengers were compared on a window, this one included."""
    seen = {path.stem for path in (Workspace(root).decisions / window).glob("*.json")}
    return len(seen | {content})


def last(root: Path) -> Decision | None:
    """The newest decision."""
    path = Workspace(root).decisions / "last.json"
    return Decision.from_record(read_json(path)) if path.is_file() else None

"""`collect`: what came in live becomes data of the workspace, which the next ingest reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.workspace import hold
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show
from flows.taking import collect_live

_NAMES = {"event": "events", "impression": "impressions", "feedback": "answers", "position": "positions"}


def collect(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Bring what came in live into `data/live`, and erase whoever asked to be forgotten from it.

    `run` and `update` do the same first. Example: `chronotope collect --workspace shop`
    """
    root = enter(workspace)
    with hold(root, "collect"):
        found = collect_live(root)
    show({"live": found is not None} | (found or {}), as_json, lambda: _tell(found))


def _tell(found: dict[str, Any] | None) -> None:
    if found is None:
        console.print("Nothing came in live yet: there is no live state. `chronotope serve` begins one.")
        return
    counts = ", ".join(f"{count:,} {_NAMES[kind]}" for kind, count in found["records"].items() if count)
    console.print(f"Collected {counts or 'nothing new'}; the live log is in `data/live` up to {found['offset']:,}.")
    if found["forgotten"] or found["erased"]:
        console.print(
            f"{found['forgotten']:,} users asked to be forgotten; {found['erased']:,} records of theirs went."
        )

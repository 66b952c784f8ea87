"""`evolve`: how behaviour changes over the whole log, as tables and a page. Not a stage of the pipeline."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.markup import escape

from components.files import read_json
from components.params import load_params
from components.workspace import hold
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

log = logging.getLogger(__name__)


def evolve(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Tell how interests, habits, places and life cycles change, and what did since the last report:
    `reports/evolution/index.html` and its tables.

    Example: `chronotope evolve --workspace shop`
    """
    from components.evolve import evolve as analyse

    root = enter(workspace)
    with hold(root, "evolve"):
        told = analyse(root, load_params(root / "params.yaml"), lambda part: log.info("evolve: %s", part))
    folder = root / "reports" / "evolution"
    brief = read_json(folder / "summary.json")
    record = {"page": str(folder / "index.html"), "tables": sorted(path.name for path in folder.glob("*.csv"))}
    record |= {name: brief[name] for name in ("number", "version", "since", "changed")}
    show(
        record,
        as_json,
        lambda: console.print(escape("\n".join([told, *(f"- {one['text']}" for one in brief["changed"])]))),
    )

"""`evolve`: how behaviour changes over the whole log, as tables and a page. Not a stage of the pipeline."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.markup import escape

from components.params import load_params
from components.workspace import hold
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

log = logging.getLogger(__name__)


def evolve(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Tell how interests, habits, places and life cycles change: `reports/evolution/index.html` and its tables.

    Example: `chronotope evolve --workspace shop`
    """
    from components.evolve import evolve as analyse

    root = enter(workspace)
    with hold(root, "evolve"):
        told = analyse(root, load_params(root / "params.yaml"), lambda part: log.info("evolve: %s", part))
    folder = root / "reports" / "evolution"
    record = {"page": str(folder / "index.html"), "tables": sorted(path.name for path in folder.glob("*.csv"))}
    show(record, as_json, lambda: console.print(escape(told)))

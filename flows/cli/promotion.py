"""What is in production: `promote`, `rollback`, `history`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from components.params import load_params
from components.workspace import hold
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show

logger = logging.getLogger(__name__)


def promote(
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over the version that someone moved MLflow's champion alias to.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The challenger; the best candidate model when left out.")
    ] = None,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Judge the newest models against the champion, and promote the better one.

    Example: `chronotope promote --json`
    """
    from components.registry import promote as registry
    from components.registry.results import log_runs
    from components.registry.trial import run_gate

    root = enter(workspace)
    params = load_params(root / "params.yaml")
    with hold(root, "promote"):
        logger.info("promote: what was trained against what is in production …")
        if adopt:
            taken = registry.adopt(root, params)
            show(taken.as_record(), as_json, lambda: console.print(f"Adopted {taken.model} as entry {taken.sequence}."))
            return
        log_runs(root, params)
        decision = run_gate(root, params, model)
        entry = registry.promote(root, params, decision) if decision.promote else None
    record = decision.as_record()
    show({"decision": record, "entry": entry and entry.as_record()}, as_json, lambda: print_decision(record))


def print_decision(record: dict) -> None:
    """The gate's decision, check by check."""
    head = {"promote": "[bold green]Promoted[/]", "refuse": "[bold yellow]Refused[/]"}
    console.print(f"{head.get(record['outcome'], '[bold]Nothing to promote[/]')}: {escape(record['summary'])}")
    for check in record["checks"]:
        console.print(f"  {'[green]✓[/]' if check['passed'] else '[red]✗[/]'} {escape(check['sentence'])}")


def rollback(
    to: Annotated[
        int | None, typer.Option(help="Number of the promotion to go back to; the previous one when left out.")
    ] = None,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Go back to an earlier champion: verified first, then a new entry of the log that points back.

    Example: `chronotope rollback --to 3`
    """
    from components.registry import promote as registry

    root = enter(workspace)
    with hold(root, "rollback"):
        entry = registry.rollback(root, load_params(root / "params.yaml"), to=to)
    show(
        entry.as_record(),
        as_json,
        lambda: console.print(
            f"[bold]{entry.model}[/] ({entry.digest[:12]}) is the champion again, as entry {entry.sequence}"
        ),
    )


def history(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Everything that was ever in production, newest first, with the reason.

    Example: `chronotope history`
    """
    from components.registry.promotions import history as entries

    root = enter(workspace)
    found = list(entries(root))

    def render() -> None:
        table = Table("", "when", "kind", "model", "artifact", "why", box=None, header_style="bold")
        for entry in reversed(found):
            table.add_row(
                str(entry.sequence), entry.time[:16], entry.kind, entry.model, entry.digest[:12], escape(entry.reason)
            )
        console.print(table if found else "Nothing was promoted yet.")

    show([entry.as_record() for entry in found], as_json, render)

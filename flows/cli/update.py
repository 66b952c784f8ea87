"""`update`: the champion learns the new days, and is judged like any challenger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show
from flows.cli.pipeline import day
from flows.cli.promotion import print_decision
from flows.engine import prefect_answers


def update(
    workspace: WorkspaceOption = Path(),
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Take events before this day only.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another run of this workspace.")] = 0.0,
    fall_back: Annotated[
        bool, typer.Option("--fall-back/--no-fall-back", help="Retrain where there is nothing to update.")
    ] = True,
    package: Annotated[bool, typer.Option("--package", help="Also build the Bento of a new champion.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the champion learn the new days and some of the older ones, and promote it where it became better.

    Example: `chronotope update --until 2025-03-24`
    """
    root, before = enter(workspace), day(until)
    from flows.update import update as flow

    with prefect_answers():
        result = flow(str(root), until=before, wait_s=wait, fall_back=fall_back, package=package)
    show(result, as_json, lambda: report(result))


def report(result: dict[str, Any]) -> None:
    """What was learned, from what, and what the gate said."""
    renewed = result["update"]
    if "cannot" in renewed:
        console.print(f"[bold]No update[/]  {renewed['cannot']}", soft_wrap=True)
    else:
        console.print(
            f"[bold]{renewed['model']}[/] learned on from entry {renewed['entry']} ({renewed['from'][:12]}) in "
            f"{renewed['seconds']:.0f} s: {renewed['primary']} {renewed['value']:.4f}"
        )
        for name, one in renewed["networks"].items():
            events, weights = one["events"], one["weights"]
            console.print(
                f"  {name}: {events['new']:,} new events, {events['again']:,} of {events['older']:,} older ones again; "
                f"{weights['taken']} of {weights['tensors']} tensors taken"
            )
    if result["decision"] is not None:
        print_decision(result["decision"])

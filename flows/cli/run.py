"""`run`: the whole loop once, and an answer within seconds when nothing is new."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from components.params import load_params
from components.workspace import holder
from flows import stages
from flows.cli.edge import JsonOption, WorkspaceOption, console, enter, show
from flows.cli.pipeline import day
from flows.cli.promotion import print_decision
from flows.engine import prefect_answers
from flows.taking import anything_live, sentence


def run(
    workspace: WorkspaceOption = Path(),
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Take events before this day only (the city simulates up to it).")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another run of this workspace.")] = 0.0,
    package: Annotated[bool, typer.Option("--package", help="Also build the Bento of a new champion.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run the flow even when nothing is new.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ingest, validate, train, judge, and promote the better model; then say what happened and where to look.

    Example: `chronotope run --until 2025-03-24`
    """
    root, before = enter(workspace), day(until)
    if not force and nothing_new(root, until):
        show({"changed": False}, as_json, lambda: nothing(root))
        return
    from flows.retrain import retrain

    with prefect_answers():
        result = retrain(str(root), until=before, wait_s=wait, package=package)
    show({"changed": True} | result, as_json, lambda: report(root, result))


def nothing_new(root: Path, until: str | None) -> bool:
    """Whether nothing is new, in the source, live or in the stages, and the last run ended well; starts no engine."""
    from components.events.ingest import is_up_to_date

    if holder(root) is not None or not stages.is_finished(root) or anything_live(root):
        return False
    if not is_up_to_date(root, load_params(root / "params.yaml"), until=day(until)):
        return False
    stages.stamp_code(root)
    return not stages.stale(root)


def nothing(root: Path) -> None:
    """What `run` says when nothing is new."""
    from components.registry.promotions import current

    champion = current(root)
    holds = f"the champion is {champion.model} ({champion.digest[:12]})" if champion else "nothing was promoted yet"
    console.print(f"Nothing changed since the last run; {holds}. `chronotope history` tells the rest.")


def report(root: Path, result: dict[str, Any]) -> None:
    """The table, the decision, and where to look."""
    from components.evaluation.table import print_table
    from components.files import read_json

    taken = result["ingest"]
    console.print(f"\n[bold]Log[/]  {sentence(taken)}")
    print_table(read_json(root / "reports" / "evaluation.json"), console)
    print_decision(result["decision"])
    console.print(
        "\n[bold]Where to look[/]\n"
        f"  report       {root / 'reports' / 'report.html'}\n"
        f"  data docs    {root / 'reports' / 'data_docs' / 'index.html'}\n"
        "  runs         `chronotope ui` (Prefect and MLflow)\n"
        "  champion     `chronotope history`, `chronotope serve`\n"
        "  next days    `chronotope run --until DATE`"
    )
